"""What an agent must know of its run: one JSON object, written by the operator, read here. Values only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class LearnerSpec:
    """A learner of the run: its number from 1, its name, its container, its ranks, the number of its host."""

    number: int
    hostname: str
    container: str
    ranks: tuple[int, ...]
    host: int


@dataclass(frozen=True)
class StepSpec:
    """A command of the run: its number from 1, its text, and where it runs: `all` ranks, each `node`, or `one`."""

    number: int
    command: str
    ranks: str


@dataclass(frozen=True)
class Job:
    """A run, as the agent on host number `host` (from 0; learner 1's) has it.

    Attributes:
        run: the training ID.
        hosts: the hosts' names, learner 1's first; one empty name for the operator's own machine.
        volume: the run's volume on each host.
        filesystem, folder: the results' name in rclone, and their mount point below the volume.
        place: where they are kept, for people: `bucket oak-results`, `folder /srv/results`.
        stop, store, lost: the cluster's deadlines, in seconds.
        record: the run's record so far, which the agent completes.
        key: of the run; it authenticates the objects by which the hosts report.
        rescue: nothing ran here now: retry to store what an earlier agent could not.
        document: the run's public record so far (`toolkit.agent.run_document`), for learner 1's agent; else empty.
    """

    run: str
    host: int
    hosts: tuple[str, ...]
    learners: tuple[LearnerSpec, ...]
    steps: tuple[StepSpec, ...]
    volume: str
    filesystem: str
    folder: str
    stop: int
    store: int
    lost: int
    record: dict[str, Any] = field(default_factory=dict)
    key: str = field(default="", repr=False)
    place: str = "bucket"
    rescue: bool = False
    document: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def leads(self) -> bool:
        """Whether learner 1 is here."""
        return self.host == 0

    @property
    def here(self) -> tuple[LearnerSpec, ...]:
        """The learners on this host."""
        return tuple(learner for learner in self.learners if learner.host == self.host)

    def processes(self, number: int) -> dict[int, LearnerSpec]:
        """By its number from 0, the learner of each process of command `number`: its ranks, or one on each learner.

        These are mpirun's numbers for them. Empty if the command runs once.
        """
        where = next((step.ranks for step in self.steps if step.number == number), "one")
        if where == "node":
            return {learner.number - 1: learner for learner in self.learners}
        return {rank: learner for learner in self.learners for rank in learner.ranks} if where == "all" else {}

    def noun(self, number: int) -> str:
        """What the processes of command `number` are called."""
        return "learner" if any(step.number == number and step.ranks == "node" for step in self.steps) else "rank"

    def host_name(self, number: int) -> str:
        """A host's name, for people."""
        return self.hosts[number] or "this machine"

    @property
    def name(self) -> str:
        """This host's name, for people."""
        return self.host_name(self.host)

    @property
    def kept_in(self) -> str:
        """`the bucket`, `the folder` or `the export`."""
        return f"the {self.place.partition(' ')[0]}"

    @property
    def torn_seconds(self) -> float:
        """How long a file written by another host may be seen incomplete: a store has an object completely or not at
        all, a file in a folder grows, and a host may see its old size for some seconds (`acregmin` of nfs(5) is 3)."""
        return 0.0 if self.place.startswith("bucket") else 5.0

    def to_json(self) -> str:
        """As the operator sends it."""
        return json.dumps(asdict(self))


def read_job(text: str) -> Job:
    """The job that `to_json` wrote."""
    data = json.loads(text)
    data["hosts"] = tuple(data["hosts"])
    data["learners"] = tuple(LearnerSpec(**(one | {"ranks": tuple(one["ranks"])})) for one in data["learners"])
    data["steps"] = tuple(StepSpec(**one) for one in data["steps"])
    return Job(**data)
