"""A run's containers, mounts and files on all its hosts: the steps that `Launch` sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from toolkit.agent.job_spec import Job
from toolkit.containers.engine import Engine
from toolkit.errors import ToolkitError
from toolkit.hosts.parallel import Job as Errand
from toolkit.hosts.parallel import do_all
from toolkit.run.launch.host_deployment import HostDeployment
from toolkit.run.plan.learner_files import learner_entries
from toolkit.run.plan.run_plan import RunPlan
from toolkit.run.plan.source_files import CodeFile
from toolkit.run.plan.ssh_keys import new_key_pair
from toolkit.storage.client import Access

T = TypeVar("T")
_AT_ONCE = 16


class Deployment:
    """Everything of one run. Each method is one step, on all hosts in parallel; `cleanup` removes everything."""

    def __init__(
        self, plan: RunPlan, engines: Mapping[str, Engine], templates: Path, leases: Mapping[str, str]
    ) -> None:
        self._plan, self._templates = plan, templates
        self._hosts = tuple(
            HostDeployment(
                plan,
                engines[host],
                tuple(one for one in plan.learners if one.placement.host == host),
                leases.get(host, ""),
            )
            for host in plan.hosts
        )

    def start_agents(self) -> None:
        """Start the agent on each host: the first container of a run to start, and the last to exit."""
        self._each(HostDeployment.start_agent)

    def heartbeat(self) -> str:
        """Send the operator's heartbeat to every agent; returns who wants the run to stop, if anyone."""
        return next(filter(None, self._each(HostDeployment.heartbeat)), "")

    def fill(self, access: dict[str, Access], code: tuple[CodeFile, ...]) -> str:
        """Mount the buckets on each host and, meanwhile, copy the run's files; returns the network's CIDR.

        Raises `ToolkitError`, once all of it has ended.
        """
        errands = [Errand[object](host.engine.host, partial(host.mount_buckets, access)) for host in self._hosts]
        errands.append(Errand(self._hosts[0].engine.host, lambda: self._put_files(code)))
        *_, subnet = [answer.get() for answer in do_all(errands, at_once=_AT_ONCE + 1)]
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

    def _put_files(self, code: tuple[CodeFile, ...]) -> str:
        """Create the network if the run has its own, copy code, keys and plans; returns the network's CIDR."""
        plan = self._plan
        subnet = plan.cluster.network if plan.on_hosts else self._hosts[0].make_network()
        host_keys = {learner.number: new_key_pair() for learner in plan.learners}
        entries = tuple(learner_entries(plan, subnet, new_key_pair(), host_keys, self._templates))
        self._each(lambda host: host.put(code, entries))
        return subnet

    def start_learners(self) -> None:
        """Start all learners, which wait for the start signal; store the code meanwhile. Raises `ToolkitError`."""
        errands = [Errand(host.engine.host, host.start_learners) for host in self._hosts]
        first = self._hosts[0]
        errands.append(Errand(first.engine.host, partial(first.side.submit_code, self._plan.results_mount)))
        for answer in do_all(errands, at_once=_AT_ONCE):
            answer.get()

    def go(self, jobs: Sequence[Job]) -> None:
        """Send the start signal to every agent, learner 1's last: with it the run has started."""
        first, *others = zip(self._hosts, jobs, strict=True)
        do = [Errand(host.engine.host, partial(host.go, job)) for host, job in others]
        for answer in do_all(do, at_once=_AT_ONCE):
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
