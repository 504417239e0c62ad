"""What a run has on one host: its volume, its side container, its learners. The deeds that `Stage` sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from toolkit.buckets.side import HOST, Flush, SideContainer
from toolkit.buckets.store import Access
from toolkit.catalogue.model import LEARNER_UID
from toolkit.engines import docker_argv
from toolkit.engines.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.process import Result
from toolkit.run.learner_argv import learner_argv
from toolkit.run.plan import Export, HostFolder, Learner, RunPlan
from toolkit.tar_stream import Entry


class HostStage:
    """One run on the host of `engine`. Each method is one act; `strike` takes all of it away."""

    def __init__(self, plan: RunPlan, engine: Engine, learners: tuple[Learner, ...]) -> None:
        self.engine, self.learners = engine, learners
        self._plan = plan
        self.side = SideContainer(engine, plan.side_container, plan.training_id, plan.side_image, plan.volume)

    def mount_buckets(self, access: dict[str, Access]) -> None:
        """Start the side container and mount the buckets; make the run's own folders in them.

        Raises `ToolkitError` (S302) where data that is a folder is not on this host.
        """
        plan = self._plan
        self._find_data()
        self.side.start(access)
        for mount in plan.mounts:
            self.side.mount(mount)
        results = plan.results_mount.folder
        folders = [f"{results}/{plan.training_id}", f"{results}/{plan.training_id}/logs"]
        folders += [f"{results}/_wml_checkpoints", "logs", "logs/ranks", "code"]
        self.side.make_folders([*folders, *(learner.hostname for learner in self.learners)])

    def put(self, code: tuple[tuple[str, Path], ...], entries: Iterable[Entry]) -> None:
        """Put the code and this host's learners' own files in place."""
        own = tuple(f"{learner.hostname}/" for learner in self.learners)
        self.side.put(_code_entries(code))
        self.side.put(entry for entry in entries if entry.name.startswith(own))

    def make_network(self) -> str:
        """Make the run's private network; its CIDR."""
        plan = self._plan
        self.engine.run(docker_argv.create_network(plan.network, plan.training_id))
        return self.engine.run(docker_argv.network_subnet(plan.network)).output.strip()

    def start_learners(self) -> None:
        """Start its learners, the first one last: it looks for the others."""
        for learner in reversed(self.learners):
            self.engine.run(learner_argv(self._plan, learner, self.side.folder))

    def stop_learners(self) -> None:
        """Ask every learner to end; what does not is killed after the cluster's deadline."""
        for learner in self.learners:
            argv = docker_argv.stop(self._plan.container(learner), self._plan.cluster.deadlines.stop)
            self.engine.run(argv, check=False)

    def said(self, learner: Learner) -> Result:
        """The learner's output so far."""
        return self.engine.run(docker_argv.logs(self._plan.container(learner)), check=False)

    def put_logs_beside_results(self) -> None:
        """Copy every learner's log into the results; raises `ToolkitError` (S303)."""
        plan = self._plan
        target = f"{HOST}/{plan.results_mount.folder}/{plan.training_id}"
        logs = [f"{HOST}/logs/{learner.hostname}" for learner in plan.learners]
        self.side.run(("mkdir", "-p", *logs))
        copied = self.side.run(("cp", "--recursive", *logs, target), check=False)
        if not copied.ok:
            raise self._not_stored("the logs could not be written", copied.errors)

    def store_results(self, on_state: Callable[[Flush], None]) -> None:
        """Wait until all that was written here is uploaded, and compare folder and bucket.

        Raises `ToolkitError` (S303) where a byte that the run wrote is not in the bucket.
        """
        plan, mount = self._plan, self._plan.results_mount
        self.side.flush(mount, plan.cluster.deadlines.store, on_state)
        differences = self.side.differences(mount, plan.training_id)
        differences += self.side.differences(mount, "_wml_checkpoints", touched_only=True)
        if differences:
            raise self._not_stored("folder and bucket differ", differences)

    def rank_statuses(self) -> dict[tuple[int, int], int]:
        """The exit status of each rank that ended here, by step and rank."""
        lines = self.side.run(("grep", "--recursive", "", f"{HOST}/logs/ranks"), check=False).output.splitlines()
        statuses = {}
        for line in lines:
            name, _, status = line.rpartition(":")
            step, _, rank = name.rpartition("/")[2].partition(".")
            statuses[int(step), int(rank)] = int(status)
        return statuses

    def strike(self, *, keep_volume: bool) -> list[str]:
        """Remove containers, mounts, network and (unless kept) the volume; what could not be removed, by name."""
        for learner in self.learners:
            self.engine.run(docker_argv.remove_container(self._plan.container(learner)), check=False)
        self.side.unmount()
        return self.engine.remove_run(self._plan.training_id, keep_volume=keep_volume)

    def _find_data(self) -> None:
        """Data that is a folder of this host must be there; an export becomes a volume."""
        plan = self._plan
        if isinstance(plan.data, HostFolder) and not self.engine.shell.run(["test", "-d", plan.data.path]).ok:
            raise ToolkitError(
                Code.LOADING_DATA,
                f"{self.engine.host} has no folder {plan.data.path}",
                mend="every host of the run needs the training data under this path",
            )
        if isinstance(plan.data, Export):
            export = (plan.data.server, plan.data.path)
            self.engine.run(docker_argv.create_export_volume(plan.export_volume, plan.training_id, *export))

    def _not_stored(self, what: str, evidence: str) -> ToolkitError:
        return ToolkitError(
            Code.STORING_RESULTS,
            f"not every byte is in bucket {self._plan.results_bucket}: {what}",
            evidence=evidence[-2000:],
            mend=f"what the run wrote is kept in the volume {self._plan.volume} of {self.engine.host}'s engine",
        )


def _code_entries(code: tuple[tuple[str, Path], ...]) -> list[Entry]:
    return [
        Entry(f"code/{name}", file, mode=0o755 if file.stat().st_mode & 0o100 else 0o644, uid=LEARNER_UID)
        for name, file in code
    ]
