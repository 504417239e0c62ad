"""A launch, told as a story: check, prepare, run, store, clean.

The run's states are the contract's. Whatever happens, the stage is struck at the end; only where results could
not be stored is the run's volume kept, and named.
"""

from __future__ import annotations

import shlex
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from toolkit import interrupts
from toolkit.buckets.access import open_access
from toolkit.buckets.embedded import LOOPBACK
from toolkit.buckets.store import Access, Store, StoredObject
from toolkit.engines.engine import LOCAL, Engine
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.run.mpirun import mpirun_argv
from toolkit.run.plan import RunPlan, counted
from toolkit.run.record import Metric, Record, Records, State, StepResult, metrics_of
from toolkit.run.stage import Outcome, Stage
from toolkit.run.view import Unbreakable, View

LAST_LINES = 15
METRICS_FILE = "metrics.json"
METRICS_BYTES = 64 << 10


@dataclass(frozen=True)
class Request:
    """What is launched, where its files lie on this machine, and the engine of each host that the plan names."""

    manifest: Manifest
    plan: RunPlan
    manifest_file: Path
    code_folder: Path
    code: tuple[tuple[str, Path], ...]
    home: Path
    templates: Path
    engines: Mapping[str, Engine] = field(default_factory=lambda: {"": LOCAL})


class Launch:
    """One run, from its check to its end. `run` is the story."""

    def __init__(self, request: Request, view: View) -> None:
        self._request, self._plan, self._view = request, request.plan, Unbreakable(view)
        self._records = Records(request.home)
        self._stage = Stage(request.plan, request.engines, request.templates)
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._record = first_record(request)
        self._on_stage = self._started = self._stored = False

    def run(self) -> Record:
        """Run to the end; the final record. Raises `ToolkitError` where the run did not complete.

        A `KeyboardInterrupt` halts the run: what it wrote is stored, and the exception goes on.
        """
        plan, manifest = self._plan, self._request.manifest
        address = plan.cluster.operator if plan.on_hosts else LOOPBACK
        with (
            open_access(manifest, self._request.home, plan.side_image, plan.training_id, address) as access,
            self._struck(),
        ):
            self._check(access)
            try:
                self._prepare(access)
                interrupts.check()
                outcome = self._process()
                interrupts.check()
                self._store(access, outcome.steps)
                return self._judge(outcome)
            except ToolkitError as error:
                self._end(State.FAILED, error.what, error.code.label)
                raise
            except KeyboardInterrupt:
                interrupts.answered()
                self._halt(access)
                raise
            except Exception as error:  # a fault of ours: the traceback is for us, the state for the operator
                self._end(State.FAILED, f"toolkit itself failed: {error!r}", Code.RESOURCES.label)
                raise

    def _check(self, access: dict[str, Access]) -> None:
        """Are the keys good and the buckets there? Nothing is recorded or started before that is known."""
        if self._plan.data_bucket:
            Store(access["data"]).check_bucket(self._plan.data_bucket)
        results = Store(access["results"])
        results.check_bucket(self._plan.results_bucket)
        refuse_missing_resume(self._plan, results)
        self._enter(
            State.PENDING, f"{counted(len(self._plan.learners), 'learner')}, {counted(self._plan.ranks, 'rank')}"
        )

    def _prepare(self, access: dict[str, Access]) -> None:
        self._enter(State.DOWNLOADING, "mounting buckets, placing code")
        self._on_stage = True
        store = Store(access["results"])
        for name, file in self._request.code:
            key = f"{self._plan.training_id}/_submitted_code/{name}"
            store.put(self._plan.results_bucket, key, file)
        self._stage.mount_buckets(access)
        subnet = self._stage.put_files(self._request.code)
        lines = [shlex.join(mpirun_argv(self._plan, step, subnet)) for step in self._plan.steps if step.parallel]
        self._record = replace(self._record, mpirun=lines[0] if lines else "")

    def _process(self) -> Outcome:
        self._enter(State.PROCESSING, "the ranks' output follows, each line with its rank")
        if self._record.mpirun:
            self._view.line(f"[toolkit] {self._record.mpirun}")
        self._started = True
        self._stage.start_learners()
        self._stage.follow(self._on_line)
        return self._stage.outcome()

    def _on_line(self, line: str) -> None:
        self._last.append(line)
        self._view.line(line)

    def _store(self, access: dict[str, Access], steps: tuple[StepResult, ...]) -> None:
        self._record = replace(self._record, steps=steps)
        self._enter(State.STORING, f"into bucket {self._plan.results_bucket}")
        self._stage.stop_learners()
        self._stage.store_results(self._view.storing)
        self._stored = True
        store = Store(access["results"])
        stored = list(store.objects(self._plan.results_bucket, f"{self._plan.training_id}/"))
        self._record = replace(
            self._record,
            stored_files=len(stored),
            stored_bytes=sum(item.size for item in stored),
            metrics=read_metrics(store, self._plan.results_bucket, stored),
        )

    def _judge(self, outcome: Outcome) -> Record:
        """The state follows from what each command and each rank left, never from mpirun's status alone."""
        if outcome.silent_learners:
            names = ", ".join(outcome.silent_learners)
            seconds = self._plan.cluster.deadlines.start
            raise ToolkitError(Code.RESOURCES, f"{names} did not answer within {seconds} s", evidence=self._evidence())
        failed = next((step for step in outcome.steps if not step.ok), None)
        if failed:
            raise ToolkitError(
                Code.PROGRAM_FAILED,
                f"command {failed.number} of {len(self._plan.steps)}, `{failed.command}`: {how_it_ended(failed)}",
                evidence=self._evidence(),
                mend=f"its whole log: {self._plan.results_bucket}/{self._plan.training_id}/learner-1/training-log.txt",
            )
        if len(outcome.steps) < len(self._plan.steps) or outcome.exit_status != 0:
            raise ToolkitError(
                Code.RESOURCES,
                f"learner 1 ended (status {outcome.exit_status}) before every command was run",
                evidence=self._evidence(),
            )
        return self._end(State.COMPLETED, "every command ended with 0, every byte is in the bucket")

    def _halt(self, access: dict[str, Access]) -> None:
        """Stopped by its operator: what is there is stored, and the run ends as HALTED."""
        if not self._started:
            self._end(State.HALTED, "stopped by its operator before a command was run")
            return
        self._view.note("stopping; what the run has written is stored first (Ctrl-C again: leave it on this machine)")
        try:
            self._store(access, self._record.steps)
        except ToolkitError as error:
            self._end(State.HALTED, f"stopped by its operator; {error.what}", error.code.label)
        except KeyboardInterrupt:
            self._end(State.HALTED, f"stopped twice; what it wrote is kept in the volume {self._plan.volume}")
        else:
            self._end(State.HALTED, "stopped by its operator; what it wrote is in the bucket")

    def _enter(self, state: State, note: str) -> None:
        self._record = self._record.at(state, time.time())
        self._records.save(self._record)
        self._view.state(self._record, note)

    def _end(self, state: State, reason: str, code: str = "") -> Record:
        self._record = replace(self._record, reason=reason, error_code=code)
        self._enter(state, reason)
        return self._record

    def _evidence(self) -> str:
        return "\n".join(self._last)

    @contextmanager
    def _struck(self) -> Iterator[None]:
        """Leave nothing behind, however the run ends; a Ctrl-C cannot stop that half way."""
        try:
            yield
        finally:
            if self._on_stage:
                self._strike()

    def _strike(self) -> None:
        """Take everything away, but what a program wrote and no bucket has: that is the operator's."""
        kept = self._started and not self._stored
        with _deaf_to_interrupts():
            left = self._stage.strike(keep_volume=kept)
        if kept:
            on = f" on {', '.join(self._plan.hosts)}" if self._plan.on_hosts else ""
            self._view.note(
                f"kept: what the run wrote is in the volume {self._plan.volume}{on} (docker volume inspect)"
            )
        if left:
            self._view.note(f"could not be removed: {', '.join(left)}")


def refuse_missing_resume(plan: RunPlan, results: Store) -> None:
    """Raise `ToolkitError` (C104) where there is nothing that this run could go on from."""
    if plan.resume and next(results.objects(plan.results_bucket, f"{plan.resume}/"), None) is None:
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"nothing to resume from: bucket {plan.results_mount.place} holds nothing in {plan.resume}/",
            mend="name a run's id, or a folder such as _wml_checkpoints/NAME; toolkit bucket list MANIFEST shows them",
        )


def first_record(request: Request) -> Record:
    """The record of a run that has not begun."""
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
        on_cpu=plan.cluster.gpu == "none",
        hosts=tuple(host for host in plan.hosts if host),
        endpoint_url=request.manifest.training_results.connection.endpoint_url,
        results_bucket=plan.results_bucket,
        data_bucket=plan.data_bucket,
        manifest_file=str(request.manifest_file.resolve()),
        code_folder=str(request.code_folder.resolve()),
    ).at(State.QUEUED, time.time())


def how_it_ended(step: StepResult) -> str:
    """`rank 1 exited with status 3`, in the words of who ended first to blame."""
    wrong = [(rank, status) for rank, status in enumerate(step.ranks) if status]
    if wrong:
        return ", ".join(f"rank {rank} exited with status {status}" for rank, status in wrong)
    missing = [str(rank) for rank, status in enumerate(step.ranks) if status is None]
    if missing:
        return f"no exit status from rank {', '.join(missing)} (killed, or never started)"
    return f"exit status {step.exit_status}"


def read_metrics(store: Store, bucket: str, stored: list[StoredObject]) -> dict[str, Metric]:
    """What the program left in `RESULT_DIR/metrics.json`: an object of numbers and short texts, else nothing."""
    file = next((item for item in stored if item.key.endswith(f"/{METRICS_FILE}") and item.key.count("/") == 1), None)
    if file is None or file.size > METRICS_BYTES:
        return {}
    return metrics_of(store.read(bucket, file.key))


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
