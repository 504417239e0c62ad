"""A run's keepers, as an operator talks to them: one word at a time, each on a host that may not answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

from toolkit.buckets.side import KEEPER
from toolkit.engines import docker_argv
from toolkit.engines.engine import Engine
from toolkit.errors import ToolkitError
from toolkit.keeper.keep import own_container
from toolkit.process import Result

_TIMEOUT = 20


class Presence(Enum):
    """Whether a run's keeper is on its host."""

    THERE = "there"
    GONE = "gone"
    UNKNOWN = "unknown"
    """The host, or its engine, does not answer."""


@dataclass(frozen=True)
class RemoteKeeper:
    """The keeper of `run` on the host of `engine`."""

    engine: Engine
    run: str

    @property
    def container(self) -> str:
        """Its container."""
        return own_container(self.run)

    def presence(self) -> Presence:
        """Whether it is there."""
        argv = docker_argv.is_running(self.container)
        try:
            result = self.engine.run(argv, check=False, timeout=_TIMEOUT)
        except ToolkitError:
            return Presence.UNKNOWN
        if result.ok:
            return Presence.THERE if result.output.strip() == "true" else Presence.GONE
        return Presence.GONE if "no such" in result.errors.lower() else Presence.UNKNOWN

    def state(self) -> dict[str, Any]:
        """The record as the keeper has it now; empty where it does not tell."""
        try:
            found = json.loads(self._say("state").output or "{}")
        except (ToolkitError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def stop(self, who: str) -> str:
        """Ask it to stop the run; who had asked first. Empty where it is not there."""
        result = self._say("stop", who)
        return result.output.strip() if result.ok else ""

    def follow_argv(self, offset: int) -> list[str]:
        """The argv that prints events from byte `offset` of the output on."""
        return docker_argv.execute(self.container, (*KEEPER, "follow", str(offset)))

    def _say(self, *words: str) -> Result:
        argv = docker_argv.execute(self.container, (*KEEPER, *words))
        return self.engine.run(argv, check=False, timeout=_TIMEOUT)
