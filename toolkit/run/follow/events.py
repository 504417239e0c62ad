"""A run's events as its first agent sends them, across lost connections: no line is repeated or lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from toolkit.errors import ToolkitError
from toolkit.run.follow.agent_client import AgentClient, Presence

_LOOK_SECONDS = 0.5
_SILENT_SECONDS = 5.0
_WHY = 500
"""Characters kept of what a connection prints instead of events."""
_AHEAD = 2048
"""Lines buffered for a slow reader, which may hold as many that it took; then the connection waits, so that memory
stays bounded."""


@dataclass(frozen=True)
class Line:
    """One line of the run's output; `at` is its time in seconds since 1970, `following` the next one's offset."""

    text: str
    at: float
    following: int = 0


@dataclass(frozen=True)
class Reported:
    """The agent's current record."""

    record: dict[str, Any]


@dataclass(frozen=True)
class Silence:
    """No event for `seconds`; `why` is what the connection reports."""

    seconds: float
    why: str


@dataclass(frozen=True)
class Beat:
    """The agent is alive, and has sent everything so far."""


@dataclass(frozen=True)
class Over:
    """The agent has sent the end."""


@dataclass(frozen=True)
class Gone:
    """The agent is gone without sending the end; the output continues at byte `offset`, elsewhere."""

    offset: int


Event = Line | Reported | Beat | Silence | Over | Gone


class Events:
    """The events of the run of `client`'s agent, from byte `offset` of its output on."""

    def __init__(self, client: AgentClient, offset: int = 0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._agent, self._offset, self._clock = client, offset, clock

    def __iter__(self) -> Iterator[Event]:
        heard = self._clock()
        while True:
            connection = _Connection(self._agent, self._offset)
            for raw in connection.events():
                if raw is None:
                    if self._clock() - heard > _SILENT_SECONDS:
                        yield Silence(self._clock() - heard, "no response")
                    continue
                heard = self._clock()
                if line := _line(raw):
                    self._offset = line.following
                    yield line
                elif isinstance(raw.get("record"), dict):
                    yield Reported(raw["record"])
                elif "beat" in raw:
                    yield Beat()
                elif "end" in raw:
                    yield Over()
                    return
            if self._agent.presence() is Presence.GONE:
                yield Gone(self._offset)
                return
            if self._clock() - heard > _SILENT_SECONDS:
                yield Silence(self._clock() - heard, connection.why)
            time.sleep(_LOOK_SECONDS)


def _line(raw: dict[str, Any]) -> Line | None:
    """The event as a line of output; None if it is something else."""
    text, at, following = raw.get("line"), raw.get("at"), raw.get("next")
    if not isinstance(text, str) or not isinstance(at, int | float) or not isinstance(following, int):
        return None
    return Line(text, at, following)


class _Buffer:
    """Events between two threads, at most `_AHEAD`; all that are there are taken at once."""

    def __init__(self) -> None:
        self._events: list[dict[str, Any] | None] = []
        self._changed = threading.Condition()

    def put(self, event: dict[str, Any] | None) -> None:
        """Add one; wait while there are too many."""
        with self._changed:
            while len(self._events) >= _AHEAD:
                self._changed.wait()
            self._events.append(event)
            if len(self._events) == 1:
                self._changed.notify()

    def take(self, timeout: float) -> list[dict[str, Any] | None]:
        """What is there; none if nothing comes within `timeout` seconds."""
        with self._changed:
            if not self._events:
                self._changed.wait(timeout)
            events, self._events = self._events, []
            self._changed.notify()
            return events


class _Connection:
    """One connection to the agent, read in a thread of its own, so that Ctrl-C is handled at once."""

    def __init__(self, client: AgentClient, offset: int) -> None:
        self.why = ""
        self._agent, self._buffer = client, _Buffer()
        argv = client.follow_argv(offset)
        threading.Thread(target=self._read, args=(argv,), name="follow", daemon=True).start()

    def events(self) -> Iterator[dict[str, Any] | None]:
        """Events, until the connection ends; None if there was none for a while."""
        while True:
            events = self._buffer.take(_LOOK_SECONDS)
            for event in events:
                if event is None:
                    return
                yield event
            if not events:
                yield None

    def _read(self, argv: list[str]) -> None:
        try:
            self._agent.engine.stream(argv, self._take)
        except ToolkitError as error:
            self.why = error.what
        self._buffer.put(None)

    def _take(self, line: str) -> None:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            self.why = line[:_WHY]  # the engine's own message
            return
        if isinstance(event, dict):
            self._buffer.put(event)
