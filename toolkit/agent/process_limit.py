"""Learners that have as many processes and threads as they may: nothing new starts in them, and they go on for ever.

What a learner itself sees of it is in its exit status and its ranks' (`learner.entry.sh.j2`, `learner.rank.sh.j2`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress

from toolkit.agent.docker_api import DockerApi, EngineRefused
from toolkit.agent.repeating import repeating

CROWDED = 77
"""A learner's exit status where it could not start a process (`learner.entry.sh.j2`)."""
MORE_PROCESSES = (
    "does the program start more and more of them? "
    "Where it needs so many: `limits: {processes: NUMBER}` in the cluster's file, for each rank"
)
_LOOK_SECONDS = 2.0
_SURE = 3
"""Looks, one after the other, that find it at its limit: a program that meets it for a moment may go on."""


class ProcessLimits:
    """The learners in `containers` (by number). `met` has the limit of each that stays at it."""

    def __init__(self, containers: Mapping[int, str], engine: DockerApi) -> None:
        self._containers, self._engine = containers, engine
        self._seen = dict.fromkeys(containers, 0)
        self.met: dict[int, int] = {}

    def watched(self) -> AbstractContextManager[None]:
        """Look while the context lasts, in a thread of its own: an engine takes a second or two for its answer."""
        return repeating("process limits", self.look, _LOOK_SECONDS, wait=False)

    def look(self) -> None:
        """Look once."""
        for number, container in self._containers.items():
            count, limit = 0, 0
            with suppress(EngineRefused):
                count, limit = self._engine.processes(container)
            self._seen[number] = self._seen[number] + 1 if 0 < limit <= count else 0
            if self._seen[number] >= _SURE:
                self.met.setdefault(number, limit)
