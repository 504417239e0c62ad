"""A launch, step by step: check, prepare, go.

Until the start signal, everything depends on this process: if it fails, is interrupted or killed, the run is removed.
After that the agents own the run (`toolkit.agent`), and anyone may follow it (`toolkit.run.follow.follow`).
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from toolkit import interrupts
from toolkit.agent.end_reasons import Reason
from toolkit.agent.host_stages import HostStage, HostStages
from toolkit.agent.paths import CONTROL_FOLDER
from toolkit.containers.engine import LOCAL, Engine
from toolkit.doctor.facts import HostFacts
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.manifest.results import address_of
from toolkit.plural import counted
from toolkit.run.document.data_listing import OF_EXPORT, OF_HOSTS, BackgroundListing, files_in_bucket, files_in_folder
from toolkit.run.document.launched import launched_part, save_launched
from toolkit.run.follow.view import Unbreakable, View
from toolkit.run.launch.deployment import Deployment
from toolkit.run.launch.errors import reason_of
from toolkit.run.launch.launcher_process import this_process
from toolkit.run.plan.code_listing import save_listing
from toolkit.run.plan.job_specs import jobs_of
from toolkit.run.plan.mpirun import mpirun_argv
from toolkit.run.plan.run_plan import Export, HostFolder, RunPlan
from toolkit.run.plan.source_files import SubmittedCode
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records, new_run_key
from toolkit.storage.open_storage import Opened, open_access
from toolkit.storage.s3 import Store
from toolkit.storage.store_server import LOOPBACK, with_heartbeat


@dataclass(frozen=True)
class Request:
    """What is launched, where its files are on this machine, and the engine of each host that the plan names.

    Attributes:
        facts, leases, confirm, hand_over, stages: see `toolkit.run.launch.allocator.Allocation`.
        asked_at: when the run was asked for, before its hosts were allocated (seconds since 1970).
        checkpoint: see `toolkit.run.records.record.Record`.
    """

    manifest: Manifest
    plan: RunPlan
    manifest_file: Path
    code: SubmittedCode
    home: Path
    templates: Path
    engines: Mapping[str, Engine] = field(default_factory=lambda: {"": LOCAL})
    cluster_file: Path | None = None
    facts: Mapping[str, HostFacts] = field(default_factory=dict)
    leases: Mapping[str, str] = field(default_factory=dict)
    confirm: Callable[[], None] = lambda: None
    hand_over: Callable[[], None] = lambda: None
    checkpoint: str = ""
    stages: Mapping[str, tuple[HostStage, ...]] = field(default_factory=dict)
    asked_at: float = field(default_factory=time.time)


T = TypeVar("T")


class Stopped(Exception):
    """A stop was requested from another shell."""


class Launch:
    """One run, from its checks to the start signal. `run` is the workflow."""

    def __init__(self, request: Request, view: View) -> None:
        self._request, self._plan, self._view = request, request.plan, Unbreakable(view)
        self._records = Records(request.home)
        self._deployment = Deployment(request.plan, request.engines, request.templates, request.leases)
        self._record, self._allocated_at = first_record(request), time.time()
        self._is_deployed = self._gone = False
        self._stopped_by = self._subnet = ""
        self._listing: BackgroundListing | None = None

    def run(self) -> Record:
        """Submit the run; returns its record. After a `ToolkitError` or `KeyboardInterrupt`, nothing of it is left."""
        plan, manifest = self._plan, self._request.manifest
        address = plan.cluster.operator if plan.on_hosts else LOOPBACK
        first = self._request.engines[plan.hosts[0]]
        folder = f"{plan.results_mount.place}/{CONTROL_FOLDER}/{plan.training_id}"
        with (
            open_access(
                manifest, self._request.home, plan.side_image, plan.training_id, address, first, folder
            ) as opened,
            ExitStack() as stack,
        ):
            stack.callback(self._clean_up)
            self._check(opened)
            try:
                self._prepare(opened)
                self._go(opened)
            except ToolkitError as error:
                self._end(State.FAILED, error.what, reason_of(error), error.code.label)
                raise
            except (KeyboardInterrupt, Stopped):
                interrupts.answered()
                who = self._stopped_by or "its operator"
                self._end(State.HALTED, f"stopped by {who} before any command ran", Reason.STOPPED)
                raise KeyboardInterrupt from None
            except Exception as error:  # a bug of ours: the traceback is for us, the state for the operator
                self._end(State.FAILED, f"toolkit itself failed: {error!r}", Reason.SYSTEM, "S100")
                raise
        return self._record

    def _check(self, opened: Opened) -> None:
        """Check keys and buckets, before anything is recorded or started."""
        opened.examine(self._request.manifest)
        results = Store(opened["results"])
        refuse_missing_resume(self._plan, results)
        save_listing(self._request.home, self._plan.training_id, (file.listed for file in self._request.code.files))
        self._view.planned(self._plan, self._request.code)
        self._listing = listing_of_data(self._plan, opened)
        size = f"{counted(len(self._plan.learners), 'learner')}, {counted(self._plan.ranks, 'rank')}"
        self._enter(State.PENDING, size, self._allocated_at)

    def _prepare(self, opened: Opened) -> None:
        plan = self._plan
        self._enter(State.DOWNLOADING, "mounting buckets, copying the code")
        self._is_deployed = True
        self._deployment.start_agents()
        with with_heartbeat(self._heartbeat):
            self._act(self._request.confirm)
            self._subnet = self._act(lambda: self._deployment.fill(opened.remotes, self._request.code.files))
            lines = [shlex.join(mpirun_argv(plan, step, self._subnet)) for step in plan.steps if step.parallel]
            self._record = replace(self._record, mpirun=lines[0] if lines else "")

    def _go(self, opened: Opened) -> None:
        """From here on the run continues on its own."""
        self._act(lambda: None)
        plan, home = self._plan, self._request.home
        record = replace(self._record, launcher=None, host_stages=self._host_stages())
        document = self._document()
        save_launched(home, plan.training_id, document)
        with interrupts.ignored():
            self._deployment.go(jobs_of(plan, record, new_run_key(home, plan.training_id), document))
            opened.outlives = True
            self._gone = True
            self._request.hand_over()
            self._record = record
            self._records.save(record)

    def _document(self) -> dict[str, Any]:
        """The public record, as far as it is known before the start."""
        asked, code = self._request, self._request.code
        unseen = {"not_listed": OF_EXPORT if isinstance(self._plan.data, Export) else OF_HOSTS}
        data = self._listing.result() if self._listing else unseen
        listed = (code.digest, [file.listed for file in code.files])
        return launched_part(asked.manifest, self._plan, listed, asked.facts, data, self._subnet)

    def _host_stages(self) -> tuple[HostStages, ...]:
        """Of each host: its allocation, and what was prepared on it."""
        early, found = self._request.stages, self._deployment.stages()
        return tuple(replace(one, operator_clock=(*early.get(one.host, ()), *one.operator_clock)) for one in found)

    def _act(self, act: Callable[[], T]) -> T:
        """Run one step, unless a stop was requested."""
        interrupts.check()
        if self._stopped_by:
            raise Stopped
        return act()

    def _heartbeat(self) -> None:
        self._stopped_by = self._deployment.heartbeat() or self._stopped_by

    def _enter(self, state: State, note: str, at: float | None = None) -> None:
        """The run is in `state` since `at` (default: now)."""
        self._record = self._record.at(state, time.time() if at is None else at)
        self._records.save(self._record)
        self._view.state(self._record, note)

    def _end(self, state: State, what: str, reason: Reason, code: str = "") -> None:
        self._record = replace(self._record, reason=what, end=reason.value, error_code=code, launcher=None)
        self._record = replace(self._record, host_stages=self._host_stages())
        self._enter(state, what)

    def _clean_up(self) -> None:
        """Clean up a run that did not start; Ctrl-C cannot interrupt this."""
        if self._is_deployed and not self._gone:
            with interrupts.ignored():
                left = self._deployment.cleanup()
            if left:
                file = self._request.cluster_file
                command = shlex.join(["toolkit", "clean", *(["--cluster", str(file)] if file else [])])
                self._view.note(f"could not be removed: {', '.join(left)}; once the host answers: {command}")


def refuse_missing_resume(plan: RunPlan, results: Store) -> None:
    """Raise `ToolkitError` (C104) if there is nothing to resume from."""
    if plan.resume and next(results.objects(plan.results_bucket, f"{plan.resume}/"), None) is None:
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"nothing to resume from: {plan.results_place} has no files in {plan.resume}/",
            hint="give a run's ID, or a folder such as _wml_checkpoints/NAME; toolkit bucket list MANIFEST lists them",
        )


def listing_of_data(plan: RunPlan, opened: Opened) -> BackgroundListing | None:
    """Begin to list the training data; None if this machine cannot see it."""
    if plan.data_bucket:
        return BackgroundListing(files_in_bucket(opened["data"], plan.data_bucket))
    if isinstance(plan.data, HostFolder) and not plan.on_hosts:
        return BackgroundListing(files_in_folder(Path(plan.data.path)))
    return None


def first_record(request: Request) -> Record:
    """The record of a run that has not started."""
    plan = request.plan
    return Record(
        training_id=plan.training_id,
        name=plan.name,
        state=State.QUEUED,
        image=plan.image.reference,
        image_id=plan.image.image_id,
        cluster=plan.cluster.name,
        learners=len(plan.learners),
        ranks=plan.ranks,
        compute=plan.compute,
        write_local=plan.write_local,
        on_cpu=plan.in_place_of_gpus or not plan.gpus_per_node,
        hosts=tuple(host for host in plan.hosts if host),
        placement=tuple((one.number, one.placement.host, one.ranks) for one in plan.learners),
        endpoint_url=address_of(request.manifest.training_results),
        results_bucket=plan.results_bucket,
        data_bucket=plan.data_bucket,
        manifest_file=str(request.manifest_file.resolve()),
        code_folder=request.code.source,
        code_digest=request.code.digest,
        cluster_file=str(request.cluster_file.resolve()) if request.cluster_file else "",
        launcher=this_process(),
        resumed_from=plan.resume,
        checkpoint=request.checkpoint,
        reproduces=plan.reproduces,
        deterministic=plan.deterministic,
    ).at(State.QUEUED, request.asked_at)
