"""A run's containers, mounts and files on all its hosts: the steps that `Launch` sequences."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from toolkit.agent.host_stages import Clock, ClockOffset, HostStages, Stopwatch, compared
from toolkit.agent.job_spec import Job
from toolkit.catalogue.model import LEARNER_UID
from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.parallel import Job as Errand
from toolkit.hosts.parallel import do_all
from toolkit.run.launch.agent_container import AgentContainer
from toolkit.run.plan.learner_command import learner_argv
from toolkit.run.plan.learner_files import learner_entries
from toolkit.run.plan.run_plan import LOCAL_RESULTS, Export, HostFolder, Learner, RunPlan
from toolkit.run.plan.source_files import CodeFile
from toolkit.run.plan.ssh_keys import new_key_pair
from toolkit.storage.client import Access
from toolkit.storage.results_folder import results_server
from toolkit.storage.sidecar import SideContainer
from toolkit.tar.write import Entry, folder

T = TypeVar("T")
_AT_ONCE = 16
_LEARNERS_AT_ONCE = 4
"""Of one engine, which makes one container after the other anyway."""


class HostDeployment:
    """One run on the host of `engine`. Each method is one step; `cleanup` removes everything.

    `lease` is the label of the run's lease there, empty if there is none. `clock` is the operator's, which times its
    stages; `offset` is what heartbeats said of the host's.
    """

    def __init__(
        self, plan: RunPlan, engine: Engine, learners: tuple[Learner, ...], lease: str = "", clock: Clock | None = None
    ) -> None:
        self.engine, self.learners = engine, learners
        self.times = Stopwatch(clock)
        self.offset: ClockOffset | None = None
        self._plan, self._lease, self._volume = plan, lease, ""
        self.side = SideContainer(engine, plan.side_container, plan.training_id, plan.side_image, plan.volume)
        self.results = results_server(engine, plan.results_folder, plan.training_id, plan.side_image)
        """Serves a results folder; None if the results go to a bucket."""
        self.agent = AgentContainer(engine, plan.training_id, plan.side_image, plan.volume)

    def start_agent(self) -> None:
        """Start the agent here; it cleans up if it gets no start signal."""
        with self.times.stage("agent"):
            self._volume = self.agent.start(self._lease, self._plan.cpus_on(self.learners[0].placement.host))

    def heartbeat(self) -> str:
        """Send the operator's heartbeat to the agent; returns who wants the run to stop, if anyone. It also compares
        clocks: the shortest exchange says the most."""
        now = self.times.clock.now
        sent = now()
        said = self.agent.say("heartbeat").output.strip()
        received = now()
        read, _, who = said.partition(" ")
        with suppress(ValueError):
            found = compared(sent, float(read), received)
            if math.isfinite(found.ahead) and (not self.offset or found.error < self.offset.error):
                self.offset = found
        return who

    def mount_buckets(self, access: dict[str, Access]) -> None:
        """Start the side container, which holds the keys; mount the buckets; create the run's folder.

        Raises `ToolkitError` (S302, S303) if data or results in a folder are not on this host.
        """
        plan = self._plan
        with self.times.stage("mounts"):
            self._find_data()
            if self.results:
                self.agent.make_folders()
                access = access | {"results": self.results.start_for_run(self._volume, access["results"])}
            self.side.hold_for(plan.results_mount, self._volume, local=plan.write_local)
            self.side.prepare(access, plan.mounts, [] if plan.write_local else [f"{plan.run_folder}/logs"])

    def put(self, code: tuple[CodeFile, ...], entries: Iterable[Entry]) -> None:
        """Create the run's folders on this host; copy the code and the files of its learners."""
        names = [learner.hostname for learner in self.learners]
        own = tuple(f"{name}/" for name in names)
        results = (LOCAL_RESULTS, f"{LOCAL_RESULTS}/logs") if self._plan.write_local else ()
        own_folders = ("logs", "logs/ranks", "logs/weights", "code", *results, *names)
        folders = [folder(name, LEARNER_UID) for name in own_folders]
        files = [
            Entry(f"code/{file.name}", file.content, 0o755 if file.executable else 0o644, LEARNER_UID, file.sha256)
            for file in code
        ]
        mine = [entry for entry in entries if entry.name.startswith(own)]
        with self.times.stage("files"):
            self.agent.put([folder("mnt"), *folders, *files, *mine])

    def make_network(self) -> str:
        """Create the run's private network; returns its CIDR."""
        plan = self._plan
        self.engine.run(self.engine.runtime.create_network(plan.network, plan.training_id))
        return self.engine.run(self.engine.runtime.network_subnet(plan.network)).output.strip()

    def start_learners(self) -> None:
        """Start its learners, which wait for the start signal; buckets that are mounted later appear in them."""
        argvs = [learner_argv(self.engine.runtime, self._plan, one, self._volume, self._lease) for one in self.learners]
        errands = [Errand(self.engine.host, partial(self.engine.run, argv)) for argv in argvs]
        with self.times.stage("learners"):
            for answer in do_all(errands, at_once=_LEARNERS_AT_ONCE):
                answer.get()

    def go(self, job: Job) -> None:
        """Send the start signal; from now on the run needs no operator."""
        self.agent.say("go", data=job.to_json().encode())

    def cleanup(self) -> list[str]:
        """Remove containers, mounts, network, volume and the code in the bucket; returns what could not be removed.

        Raises `ToolkitError` (S100) if the host or its engine does not answer.
        """
        if self.learners[0].number == 1:
            self.side.discard_code(self._plan.results_mount)
        for learner in self.learners:
            self.engine.remove("container", self._plan.container(learner))
        self.side.unmount()
        # An agent that was killed before it made a volume of its folder leaves the folder, without a label.
        self.engine.run(self.engine.runtime.create_volume(self._plan.volume, self._plan.training_id), check=False)
        left = self.engine.remove_run(self._plan.training_id)
        self.engine.names("volume", self._plan.training_id, check=True)  # an engine that is away lists nothing
        return left

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


class Deployment:
    """Everything of one run. Each method is one step, on all hosts in parallel; `cleanup` removes everything."""

    def __init__(
        self, plan: RunPlan, engines: Mapping[str, Engine], templates: Path, leases: Mapping[str, str]
    ) -> None:
        self._plan, self._templates = plan, templates
        clock = Clock()
        self._hosts = tuple(
            HostDeployment(
                plan,
                engines[host],
                tuple(one for one in plan.learners if one.placement.host == host),
                leases.get(host, ""),
                clock,
            )
            for host in plan.hosts
        )

    def start_agents(self) -> None:
        """Start the agent on each host: the first container of a run to start, and the last to exit."""
        self._each(HostDeployment.start_agent)

    def heartbeat(self) -> str:
        """Send the operator's heartbeat to every agent; returns who wants the run to stop, if anyone."""
        return next(filter(None, self._each(HostDeployment.heartbeat)), "")

    def stages(self) -> tuple[HostStages, ...]:
        """What was prepared on each host so far, and when."""
        names = [host.learners[0].placement.host for host in self._hosts]
        pairs = zip(names, self._hosts, strict=True)
        return tuple(HostStages(name, host.times.taken, offset=host.offset) for name, host in pairs)

    def fill(self, access: dict[str, Access], code: tuple[CodeFile, ...]) -> str:
        """On each host mount the buckets and, meanwhile, copy the run's files and start its learners; store the code
        as soon as it can be; returns the network's CIDR.

        Raises `ToolkitError`, once all of it has ended.
        """
        first, *others = self._hosts
        mounted, stop = Future[None](), threading.Event()
        put = Errand[object](first.engine.host, lambda: self._put_and_start(code, mounted, stop))
        mount = Errand[object](first.engine.host, partial(_settle, mounted, partial(first.mount_buckets, access)))
        rest = [Errand[object](one.engine.host, partial(one.mount_buckets, access)) for one in others]
        subnet, *_ = [answer.get() for answer in do_all([put, mount, *rest], at_once=_AT_ONCE + 1, stop=stop)]
        self._compare_results_folders()
        return str(subnet)

    def _compare_results_folders(self) -> None:
        """Check that a results folder is shared by all hosts: a mark made on the first host is on the others."""
        first, *others = self._hosts
        if not first.results or not others:
            return
        first.results.mark()
        try:
            for host in others:
                if host.results and not host.results.sees_mark():
                    raise host.results.not_shared(first.engine.host)
        finally:
            first.results.remove_mark()

    def _put_and_start(self, code: tuple[CodeFile, ...], mounted: Future[None], stop: threading.Event) -> str:
        """Create the network if the run has its own; copy code, keys and plans; start the learners, and store the code
        once the first host's container with the keys is `mounted`. Returns the CIDR. A Ctrl-C sets `stop`: then no
        learner is started beside the cleanup."""
        plan, first = self._plan, self._hosts[0]
        subnet = plan.cluster.network if plan.on_hosts else first.make_network()
        host_keys = {learner.number: new_key_pair() for learner in plan.learners}
        entries = tuple(learner_entries(plan, subnet, new_key_pair(), host_keys, self._templates))

        def submit() -> None:
            mounted.result()
            first.side.submit_code(plan.results_mount)

        def put_on(host: HostDeployment) -> None:
            host.put(code, entries)
            acts = [] if stop.is_set() else [host.start_learners, *([submit] if host is first else [])]
            for answer in do_all([Errand(host.engine.host, act) for act in acts], at_once=2):
                answer.get()

        self._each(put_on)
        return subnet

    def go(self, jobs: Sequence[Job]) -> None:
        """Send the start signal to every agent, learner 1's last: with it the run has started."""
        first, *others = zip(self._hosts, jobs, strict=True)
        errands = [Errand(host.engine.host, partial(host.go, job)) for host, job in others]
        for answer in do_all(errands, at_once=_AT_ONCE):
            answer.get()
        first[0].go(first[1])

    def cleanup(self) -> list[str]:
        """Remove everything of a run that did not start; returns the names of what could not be removed."""
        left: list[str] = []

        def cleanup(host: HostDeployment) -> None:
            try:
                left.extend(host.cleanup())
            except ToolkitError as error:  # a lost host must not stop the others' cleanup
                left.append(f"what the run has on {host.engine.host} ({error.what})")

        self._each(cleanup)
        return left

    def _each(self, act: Callable[[HostDeployment], T]) -> list[T]:
        """Do one thing on every host; raises the first error, once all have ended."""
        if len(self._hosts) == 1:
            return [act(self._hosts[0])]
        errands = [Errand(host.engine.host, partial(act, host)) for host in self._hosts]
        return [answer.get() for answer in do_all(errands, at_once=_AT_ONCE)]


def _settle(future: Future[None], act: Callable[[], None]) -> None:
    """Do it, and let those who wait for it go on."""
    try:
        act()
    except BaseException as error:
        future.set_exception(error)
        raise
    future.set_result(None)
