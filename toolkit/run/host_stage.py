"""What a run has on one host: its volume, its side container, its learners. The deeds that `Stage` sequences."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from toolkit.buckets.side import SideContainer
from toolkit.buckets.store import Access
from toolkit.catalogue.model import LEARNER_UID
from toolkit.engines import docker_argv
from toolkit.engines.docker_argv import HOST_NETWORK, Bind, Network
from toolkit.engines.engine import Engine
from toolkit.keeper.job import Job
from toolkit.run.plan import CODE_FOLDER, LEARNER_FOLDER, LOG_FOLDER, Learner, RunPlan, run_environment
from toolkit.tar_stream import Entry


class HostStage:
    """One run on the host of `engine`. Each method is one act; `strike` takes all of it away."""

    def __init__(self, plan: RunPlan, engine: Engine, learners: tuple[Learner, ...]) -> None:
        self.engine, self.learners = engine, learners
        self._plan = plan
        self.side = SideContainer(engine, plan.side_container, plan.training_id, plan.side_image, plan.volume)

    def start_keeper(self, access: dict[str, Access]) -> None:
        """Start what sees the run through here; it takes everything away where it is not told to go."""
        self.side.start_keeper(access, self._plan.cluster.scratch)

    def leash(self) -> str:
        """Tell the keeper that the operator lives; who wants the run to stop, if anyone does."""
        return self.side.keeper("leash").output.strip()

    def mount_buckets(self) -> None:
        """Mount both buckets; make the run's own folders in them."""
        plan = self._plan
        for mount in (plan.data_mount, plan.results_mount):
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
            self.engine.run(self._learner_argv(learner))

    def go(self, job: Job) -> None:
        """Tell the keeper to go; from now on the run needs no operator."""
        self.side.keeper("go", data=job.to_json().encode())

    def strike(self) -> list[str]:
        """Remove containers, mounts, network and volume; what could not be removed, by name."""
        for learner in self.learners:
            self.engine.run(docker_argv.remove_container(self._plan.container(learner)), check=False)
        self.side.unmount()
        return self.engine.remove_run(self._plan.training_id)

    def _learner_argv(self, learner: Learner) -> list[str]:
        host, plan = self.side.folder, self._plan
        known = tuple((one.hostname, one.seat.address) for one in plan.learners)
        return docker_argv.start_learner(
            plan.container(learner),
            plan.training_id,
            plan.image.image_id,
            hostname=learner.hostname,
            network=Network(HOST_NETWORK, known) if plan.on_hosts else Network(plan.network),
            binds=(
                Bind(f"{host}/mnt", "/mnt", propagation="rslave"),
                Bind(f"{host}/code", CODE_FOLDER),
                Bind(f"{host}/logs", LOG_FOLDER),
                Bind(f"{host}/{learner.hostname}", LEARNER_FOLDER, read_only=True),
            ),
            environment={**run_environment(plan), "LEARNER_ID": str(learner.number)},
            folder=CODE_FOLDER,
            command=("/bin/sh", f"{LEARNER_FOLDER}/entry.sh"),
            gpus=learner.seat.gpus,
            devices=learner.seat.devices,
        )


def _code_entries(code: tuple[tuple[str, Path], ...]) -> list[Entry]:
    return [
        Entry(f"code/{name}", file, mode=0o755 if file.stat().st_mode & 0o100 else 0o644, uid=LEARNER_UID)
        for name, file in code
    ]
