"""Probes: facts about a host that need an attempt, not only a query. Decides nothing.

Nothing is transferred to a host for them: if what they need is missing, that is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from toolkit.containers.engine import Engine
from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, skipped
from toolkit.doctor.requirements import Asked
from toolkit.errors import ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.manifest.results import ServedFolder
from toolkit.process import Result
from toolkit.storage.client import Access

CONTAINER_SECONDS = 30.0
"""Time limit of a probe container."""
NOT_HERE = re.compile(r"no such image|unable to find image|image not known|does not exist", re.IGNORECASE)
"""Messages of engines for an image that is not on the host."""


@dataclass(frozen=True)
class Buckets:
    """What each host must reach: by `data` and `results` the bucket's name and the access to it; `folder` if the
    results do not go to a bucket.

    `image` is the side container's; a host without it cannot try.
    """

    image: str
    names: Mapping[str, str]
    access: Mapping[str, Access]
    folder: ServedFolder | None = None


@dataclass(frozen=True)
class Trial:
    """The hosts that answered, with their facts, and what to try on them.

    Attributes:
        images: references; the first one that is on a host is started there to see its GPUs.
        buckets: what each host must reach; without them, `why_no_buckets` is reported.
    """

    hosts: Hosts
    asked: Asked
    reached: Mapping[str, HostFacts]
    images: Sequence[str] = ()
    buckets: Buckets | None = None
    why_no_buckets: str = ""

    def on_engines(self, check: str, act: Callable[[HostFacts, Engine], Finding]) -> list[Finding]:
        """Run `act` on all hosts whose engine answers, in parallel; the check is skipped on the others."""
        program = self.asked.cluster.container_engine
        names = [name for name, facts in self.reached.items() if facts.engine.version]
        answers = self.hosts.each(lambda shell: act(self.reached[shell.name], Engine(shell, program)), names)
        dead = [skipped(name, check, "the engine does not answer") for name in self.reached if name not in names]
        return dead + [answer.value or skipped(answer.host, check, why(answer.error)) for answer in answers]


def why(error: Exception | None) -> str:
    """An ssh error without the host name, as each finding begins with it."""
    if isinstance(error, ToolkitError):
        return "; ".join([error.what, *(problem.what for problem in error.problems)])
    return str(error)


def last_line(done: Result) -> str:
    """The error of a failed command: its first line about an error, else its last line."""
    lines = (done.errors or done.output).strip().splitlines()
    return next((line for line in lines if "rror" in line), lines[-1] if lines else f"status {done.status}")[:300]
