"""What a run has on one host: its volume, its side container, its learners. The steps that `Deployment` sequences."""

from __future__ import annotations

from collections.abc import Iterable

from toolkit.agent.job_spec import Job
from toolkit.catalogue.model import LEARNER_UID
from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.run.launch.agent_container import AgentContainer
from toolkit.run.plan.learner_command import learner_argv
from toolkit.run.plan.run_plan import Export, HostFolder, Learner, RunPlan
from toolkit.run.plan.source_files import CodeFile
from toolkit.storage.client import Access
from toolkit.storage.results_folder import results_server
from toolkit.storage.sidecar import SideContainer
from toolkit.tar.write import Entry


class HostDeployment:
    """One run on the host of `engine`. Each method is one step; `cleanup` removes everything.

    `lease` is the label of the run's lease there, empty if there is none.
    """

    def __init__(self, plan: RunPlan, engine: Engine, learners: tuple[Learner, ...], lease: str = "") -> None:
        self.engine, self.learners = engine, learners
        self._plan, self._lease, self._volume = plan, lease, ""
        self.side = SideContainer(engine, plan.side_container, plan.training_id, plan.side_image, plan.volume)
        self.results = results_server(engine, plan.results_folder, plan.training_id, plan.side_image)
        """Serves a results folder; None if the results go to a bucket."""
        self._agent = AgentContainer(engine, plan.training_id, plan.side_image, plan.volume)

    def start_agent(self) -> None:
        """Start the agent here; it cleans up if it gets no start signal."""
        self._volume = self._agent.start(self._lease, self._plan.cpus_on(self.learners[0].placement.host))

    def heartbeat(self) -> str:
        """Send the operator's heartbeat to the agent; returns who wants the run to stop, if anyone."""
        return self._agent.say("heartbeat").output.strip()

    def mount_buckets(self, access: dict[str, Access]) -> None:
        """Start the side container, which holds the keys; mount the buckets; create the run's own folders.

        Raises `ToolkitError` (S302, S303) if data or results in a folder are not on this host.
        """
        plan = self._plan
        self._find_data()
        if self.results:
            self._agent.make_folders()
            access = access | {"results": self.results.start_for_run(self._volume, access["results"])}
        self.side.hold_for(plan.results_mount, self._volume, access)
        self.side.mount(*plan.mounts)
        results = plan.results_mount.folder
        folders = [f"{results}/{plan.training_id}/logs", "logs", "logs/ranks", "logs/weights", "code"]
        self.side.make_folders([*folders, *(learner.hostname for learner in self.learners)])

    def put(self, code: tuple[CodeFile, ...], entries: Iterable[Entry]) -> None:
        """Copy the code and the files of this host's learners."""
        own = tuple(f"{learner.hostname}/" for learner in self.learners)
        files = [
            Entry(f"code/{file.name}", file.content, 0o755 if file.executable else 0o644, LEARNER_UID, file.sha256)
            for file in code
        ]
        self._agent.put([*files, *(entry for entry in entries if entry.name.startswith(own))])

    def make_network(self) -> str:
        """Create the run's private network; returns its CIDR."""
        plan = self._plan
        self.engine.run(self.engine.runtime.create_network(plan.network, plan.training_id))
        return self.engine.run(self.engine.runtime.network_subnet(plan.network)).output.strip()

    def start_learners(self) -> None:
        """Start its learners, the first one last, as it connects to the others."""
        for learner in reversed(self.learners):
            self.engine.run(learner_argv(self.engine.runtime, self._plan, learner, self._volume, self._lease))

    def go(self, job: Job) -> None:
        """Send the start signal; from now on the run needs no operator."""
        self._agent.say("go", data=job.to_json().encode())

    def cleanup(self) -> list[str]:
        """Remove containers, mounts, network, volume and the code in the bucket; returns what could not be removed."""
        if self.learners[0].number == 1:
            self.side.discard_code(self._plan.results_mount)
        for learner in self.learners:
            self.engine.remove("container", self._plan.container(learner))
        self.side.unmount()
        return self.engine.remove_run(self._plan.training_id)

    def _find_data(self) -> None:
        """Check that a data folder exists on this host; create a volume for an NFS export."""
        plan = self._plan
        if isinstance(plan.data, HostFolder) and not self.engine.shell.run(["test", "-d", plan.data.path]).ok:
            raise ToolkitError(
                Code.LOADING_DATA,
                f"{self.engine.host} has no folder {plan.data.path}",
                hint="every host of the run needs the training data under this path",
            )
        if isinstance(plan.data, Export):
            export = (plan.data.server, plan.data.path)
            self.engine.run(self.engine.runtime.create_export_volume(plan.export_volume, plan.training_id, *export))
