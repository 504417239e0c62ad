"""A run's agents, as an operator talks to them: one command at a time, each on a host that may not answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

from toolkit.agent.container_names import own_container
from toolkit.containers.engine import Engine
from toolkit.errors import ToolkitError
from toolkit.process import Result
from toolkit.storage.sidecar import AGENT_PROGRAM

_TIMEOUT = 20
_MOST_SAMPLES = 16 << 20
"""Characters; an agent keeps less."""
_ALIVE = ("running", "paused", "restarting")


class Presence(Enum):
    """Whether a run's agent is on its host."""

    THERE = "there"
    GONE = "gone"
    UNKNOWN = "unknown"
    """The host, or its engine, does not answer."""


@dataclass(frozen=True)
class AgentClient:
    """The agent of `run` on the host of `engine`."""

    engine: Engine
    run: str

    def presence(self) -> Presence:
        """Whether the agent is there."""
        try:
            status = self.engine.status(own_container(self.run), timeout=_TIMEOUT)
        except ToolkitError:
            return Presence.UNKNOWN
        return Presence.THERE if status in _ALIVE else Presence.GONE

    def state(self) -> dict[str, Any]:
        """The agent's current record; empty if it does not answer."""
        try:
            found = json.loads(self._say("state").output or "{}")
        except (ToolkitError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def samples(self) -> str:
        """The samples of its host so far, as lines; empty if it does not answer, or is of an earlier version."""
        try:
            result = self._say("samples")
        except ToolkitError:
            return ""
        return result.output[:_MOST_SAMPLES] if result.ok else ""

    def stop(self, who: str) -> str:
        """Ask it to stop the run; returns who asked first. Empty if it is not there."""
        result = self._say("stop", who)
        return result.output.strip() if result.ok else ""

    def follow_argv(self, offset: int) -> list[str]:
        """The argv that prints events, from byte `offset` of the output on."""
        return self._argv("follow", str(offset))

    def _say(self, *words: str) -> Result:
        return self.engine.run(self._argv(*words), check=False, timeout=_TIMEOUT)

    def _argv(self, *words: str) -> list[str]:
        return self.engine.runtime.execute(own_container(self.run), (*AGENT_PROGRAM, *words))
