"""Detects learners at their limit of processes and threads: nothing new starts in them, and they may never end.

What a learner itself notices is in its exit status and its ranks' (`learner.entry.sh.j2`, `learner.rank.sh.j2`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress

from toolkit.agent.docker_api import DockerApi, EngineRefused, Usage
from toolkit.agent.heartbeat import repeating

CROWDED = 77
"""A learner's exit status if it could not start a process (`learner.entry.sh.j2`)."""
MORE_PROCESSES = (
    "does the program start more and more of them? "
    "Where it needs so many: `limits: {processes: NUMBER}` in the cluster's file, for each rank"
)
_LOOK_SECONDS = 2.0
_SURE = 3
"""Consecutive samples at the limit: a program that reaches it only for a moment may continue."""


class ProcessLimits:
    """The learners in `containers` (by number). `met` has the limit of each that stays at it, `usage` what each uses,
    as last known."""

    def __init__(self, containers: Mapping[int, str], engine: DockerApi) -> None:
        self._containers, self._engine = containers, engine
        self._seen = dict.fromkeys(containers, 0)
        self.met: dict[int, int] = {}
        self.usage: dict[int, Usage] = {}

    def watched(self) -> AbstractContextManager[None]:
        """Sample while the context lasts, in a thread of its own: an engine takes a second or two to answer."""
        return repeating("process limits", self.look, _LOOK_SECONDS, wait=False)

    def look(self) -> None:
        """Sample once."""
        for number, container in self._containers.items():
            now = Usage()
            with suppress(EngineRefused):
                now = self.usage[number] = self._engine.usage(container)
            self._seen[number] = self._seen[number] + 1 if 0 < now.limit <= now.processes else 0
            if self._seen[number] >= _SURE:
                self.met.setdefault(number, now.limit)
