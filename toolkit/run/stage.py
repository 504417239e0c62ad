"""A run's containers, mounts and files on all its hosts: the deeds that `Launch` sequences."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from toolkit.buckets.side import HOST, Flush
from toolkit.buckets.store import Access
from toolkit.engines import docker_argv
from toolkit.engines.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.all_at_once import Job, do_all
from toolkit.run.files import learner_entries
from toolkit.run.host_stage import HostStage
from toolkit.run.keys import new_key_pair
from toolkit.run.plan import RunPlan
from toolkit.run.record import StepResult

T = TypeVar("T")
_AT_ONCE = 16


@dataclass(frozen=True)
class Outcome:
    """What the learners left: learner 1's exit status, learners that never answered, each step's result."""

    exit_status: int
    silent_learners: tuple[str, ...]
    steps: tuple[StepResult, ...]


class Stage:
    """Everything of one run. Each method is one act, on every host at once; `strike` takes all of it away."""

    def __init__(self, plan: RunPlan, engines: Mapping[str, Engine], templates: Path) -> None:
        self._plan, self._templates = plan, templates
        self._hosts = tuple(
            HostStage(plan, engines[host], tuple(one for one in plan.learners if one.seat.host == host))
            for host in plan.hosts
        )

    def mount_buckets(self, access: dict[str, Access]) -> None:
        """Start the side containers and mount both buckets; make the run's own folders in them."""
        self._each(lambda host: host.mount_buckets(access))

    def put_files(self, code: tuple[tuple[str, Path], ...]) -> str:
        """Make the network where it is the run's own, put code, keys and plans in place; the network's CIDR."""
        plan = self._plan
        subnet = plan.cluster.network if plan.on_hosts else self._hosts[0].make_network()
        host_keys = {learner.number: new_key_pair() for learner in plan.learners}
        entries = tuple(learner_entries(plan, subnet, new_key_pair(), host_keys, self._templates))
        self._each(lambda host: host.put(code, entries))
        return subnet

    def start_learners(self) -> None:
        """Start every learner; the first one, which looks for the others, waits for them by itself."""
        self._each(HostStage.start_learners)

    def follow(self, on_line: Callable[[str], None]) -> None:
        """Give each line of the run's output to `on_line` until learner 1 ends."""
        self._hosts[0].engine.stream(docker_argv.follow_logs(self._plan.container(self._plan.learners[0])), on_line)

    def outcome(self) -> Outcome:
        """Wait for learner 1's end and read what the learners left."""
        first, learner = self._hosts[0], self._plan.learners[0]
        exit_status = int(first.engine.run(docker_argv.wait(self._plan.container(learner)), timeout=None).output)
        said = first.side.run(("cat", f"{HOST}/logs/status.json"), check=False)
        if not said.ok:
            lines = first.said(learner)
            raise ToolkitError(
                Code.RESOURCES,
                "learner 1 ended before it could run a command",
                evidence=(lines.output + lines.errors)[-2000:],
            )
        status = json.loads(said.output)
        ranks = {key: one for found in self._each(HostStage.rank_statuses) for key, one in found.items()}
        parallel = {step.number: step.parallel for step in self._plan.steps}
        steps = tuple(
            _step_result(entry, ranks, self._plan.ranks if parallel[entry["number"]] else 0)
            for entry in status["steps"]
        )
        return Outcome(exit_status, tuple(status["silent_learners"]), steps)

    def stop_learners(self) -> None:
        """Ask every learner to end; what does not is killed after the cluster's deadline."""
        self._each(HostStage.stop_learners)

    def store_results(self, on_state: Callable[[Flush], None]) -> None:
        """Put the logs beside the results, wait until all is uploaded, and compare folder and bucket on every host.

        Raises `ToolkitError` (S303) where a byte that the run wrote is not in the bucket.
        """
        self._hosts[0].put_logs_beside_results()
        states = _Sum(len(self._hosts), on_state)
        self._each(lambda host: host.store_results(lambda state: states.tell(self._hosts.index(host), state)))

    def strike(self, *, keep_volume: bool) -> list[str]:
        """Remove containers, mounts, network and (unless kept) the volumes; what could not be removed, by name."""
        left: list[str] = []

        def strike(host: HostStage) -> None:
            try:
                left.extend(host.strike(keep_volume=keep_volume))
            except ToolkitError as error:  # a host that is gone keeps the others from nothing
                left.append(f"what the run has on {host.engine.host} ({error.what})")

        self._each(strike)
        return left

    def _each(self, act: Callable[[HostStage], T]) -> list[T]:
        """Do one thing on every host; the first error, once all have ended."""
        if len(self._hosts) == 1:
            return [act(self._hosts[0])]
        jobs = [Job(host.engine.host, partial(act, host)) for host in self._hosts]
        return [answer.get() for answer in do_all(jobs, at_once=_AT_ONCE)]


class _Sum:
    """How storing goes on all hosts together."""

    def __init__(self, hosts: int, on_state: Callable[[Flush], None]) -> None:
        self._states, self._on_state = [Flush(0, 0, 0)] * hosts, on_state

    def tell(self, index: int, state: Flush) -> None:
        self._states[index] = state
        now = tuple(self._states)
        self._on_state(
            Flush(sum(one.queued for one in now), sum(one.uploading for one in now), sum(one.errored for one in now))
        )


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
