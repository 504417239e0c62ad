"""Sends a heartbeat at intervals while a context lasts: the receiver exits when it stops."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from toolkit.agent.repeating import repeating
from toolkit.errors import ToolkitError

_EVERY_SECONDS = 5.0


def with_heartbeat(act: Callable[[], object], every: float = _EVERY_SECONDS) -> AbstractContextManager[None]:
    """Call `act` at once and every `every` seconds, in a thread of its own; its exceptions are ignored."""

    def act_quietly() -> None:
        with suppress(ToolkitError):
            act()

    return repeating("heartbeat", act_quietly, every)
