"""A run's containers, mounts and files on this machine: the deeds that `Launch` sequences."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.buckets.side import HOST, Flush, SideContainer
from toolkit.buckets.store import Access
from toolkit.catalogue.model import LEARNER_UID
from toolkit.engines import docker_argv
from toolkit.engines.docker_argv import Bind
from toolkit.engines.docker_run import docker, remove_run
from toolkit.errors import Code, ToolkitError
from toolkit.process import stream
from toolkit.run.files import learner_entries
from toolkit.run.keys import new_key_pair
from toolkit.run.plan import CODE_FOLDER, LEARNER_FOLDER, LOG_FOLDER, Learner, RunPlan, run_environment
from toolkit.run.record import StepResult
from toolkit.tar_stream import Entry


@dataclass(frozen=True)
class Outcome:
    """What the learners left: learner 1's exit status, learners that never answered, each step's result."""

    exit_status: int
    silent_learners: tuple[str, ...]
    steps: tuple[StepResult, ...]


class Stage:
    """Everything of one run on this machine. Each method is one act; `strike` takes all of it away."""

    def __init__(self, plan: RunPlan, templates: Path) -> None:
        self._plan, self._templates = plan, templates
        self._side = SideContainer(plan.side_container, plan.training_id, plan.side_image, plan.volume)

    def mount_buckets(self, access: dict[str, Access]) -> None:
        """Start the side container and mount both buckets; make the run's own folders in them."""
        plan = self._plan
        self._side.start(access)
        for mount in (plan.data_mount, plan.results_mount):
            self._side.mount(mount)
        results = plan.results_mount.folder
        folders = [f"{results}/{plan.training_id}", f"{results}/{plan.training_id}/logs"]
        folders += [f"{results}/_wml_checkpoints", "logs", "logs/ranks", "code"]
        self._side.make_folders([*folders, *(learner.hostname for learner in plan.learners)])

    def put_files(self, code: tuple[tuple[str, Path], ...]) -> str:
        """Make the network, put code, keys and plans in place; the network's CIDR."""
        plan = self._plan
        docker(docker_argv.create_network(plan.network, plan.training_id))
        subnet = docker(docker_argv.network_subnet(plan.network)).output.strip()
        hosts = {learner.number: new_key_pair() for learner in plan.learners}
        self._side.put(_code_entries(code))
        self._side.put(learner_entries(plan, subnet, new_key_pair(), hosts, self._templates))
        return subnet

    def start_learners(self) -> None:
        """Start every learner, the first one last: it looks for the others."""
        for learner in reversed(self._plan.learners):
            docker(self._learner_argv(learner))

    def follow(self, on_line: Callable[[str], None]) -> None:
        """Give each line of the run's output to `on_line` until learner 1 ends."""
        stream(docker_argv.follow_logs(self._plan.container(self._plan.learners[0])), on_line)

    def outcome(self) -> Outcome:
        """Wait for learner 1's end and read what the learners left."""
        container = self._plan.container(self._plan.learners[0])
        exit_status = int(docker(docker_argv.wait(container), timeout=None).output)
        said = self._side.run(("cat", f"{HOST}/logs/status.json"), check=False)
        if not said.ok:
            lines = docker(docker_argv.logs(container), check=False)
            raise ToolkitError(
                Code.RESOURCES,
                "learner 1 ended before it could run a command",
                evidence=(lines.output + lines.errors)[-2000:],
            )
        status = json.loads(said.output)
        ranks = self._rank_statuses()
        steps = tuple(
            _step_result(entry, ranks, self._plan.ranks if entry["number"] == 1 else 0) for entry in status["steps"]
        )
        return Outcome(exit_status, tuple(status["silent_learners"]), steps)

    def stop_learners(self) -> None:
        """Ask every learner to end; what does not is killed after the cluster's deadline."""
        for learner in self._plan.learners:
            docker(docker_argv.stop(self._plan.container(learner), self._plan.cluster.deadlines.stop), check=False)

    def store_results(self, on_state: Callable[[Flush], None]) -> None:
        """Put the logs beside the results, wait until all is uploaded, and compare folder and bucket.

        Raises `ToolkitError` (S303) where a byte that the run wrote is not in the bucket.
        """
        plan, mount = self._plan, self._plan.results_mount
        target = f"{HOST}/{mount.folder}/{plan.training_id}"
        logs = [f"{HOST}/logs/{learner.hostname}" for learner in plan.learners]
        self._side.run(("mkdir", "-p", *logs))
        copied = self._side.run(("cp", "--recursive", *logs, target), check=False)
        if not copied.ok:
            raise self._not_stored("the logs could not be written", copied.errors)
        self._side.flush(mount, plan.cluster.deadlines.store, on_state)
        differences = self._side.differences(mount, plan.training_id)
        differences += self._side.differences(mount, "_wml_checkpoints", touched_only=True)
        if differences:
            raise self._not_stored("folder and bucket differ", differences)

    def strike(self, *, keep_volume: bool) -> list[str]:
        """Remove containers, mounts, network and (unless kept) the volume; what could not be removed, by name."""
        for learner in self._plan.learners:
            docker(docker_argv.remove_container(self._plan.container(learner)), check=False)
        self._side.unmount()
        return remove_run(self._plan.training_id, keep_volume=keep_volume)

    def _learner_argv(self, learner: Learner) -> list[str]:
        host = self._side.folder
        return docker_argv.start_learner(
            self._plan.container(learner),
            self._plan.training_id,
            self._plan.image.image_id,
            hostname=learner.hostname,
            network=self._plan.network,
            binds=(
                Bind(f"{host}/mnt", "/mnt", propagation="rslave"),
                Bind(f"{host}/code", CODE_FOLDER),
                Bind(f"{host}/logs", LOG_FOLDER),
                Bind(f"{host}/{learner.hostname}", LEARNER_FOLDER, read_only=True),
            ),
            environment={**run_environment(self._plan), "LEARNER_ID": str(learner.number)},
            folder=CODE_FOLDER,
            command=("/bin/sh", f"{LEARNER_FOLDER}/entry.sh"),
        )

    def _rank_statuses(self) -> dict[tuple[int, int], int]:
        lines = self._side.run(("grep", "--recursive", "", f"{HOST}/logs/ranks"), check=False).output.splitlines()
        statuses = {}
        for line in lines:
            name, _, status = line.rpartition(":")
            step, _, rank = name.rpartition("/")[2].partition(".")
            statuses[int(step), int(rank)] = int(status)
        return statuses

    def _not_stored(self, what: str, evidence: str) -> ToolkitError:
        return ToolkitError(
            Code.STORING_RESULTS,
            f"not every byte is in bucket {self._plan.results_bucket}: {what}",
            evidence=evidence[-2000:],
            mend=f"what the run wrote is kept in the volume {self._plan.volume} of this machine's engine",
        )


def _code_entries(code: tuple[tuple[str, Path], ...]) -> list[Entry]:
    return [
        Entry(f"code/{name}", file, mode=0o755 if file.stat().st_mode & 0o100 else 0o644, uid=LEARNER_UID)
        for name, file in code
    ]


def _step_result(entry: dict[str, Any], ranks: dict[tuple[int, int], int], count: int) -> StepResult:
    number = int(entry["number"])
    return StepResult(
        number=number,
        command=entry["command"],
        parallel=count > 0,
        exit_status=entry.get("exit_status"),
        seconds=round(entry.get("ended", entry["started"]) - entry["started"], 3),
        ranks=tuple(ranks.get((number, rank)) for rank in range(count)),
    )
