"""Stand-ins for a run's agents, and a view that writes down what it gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from toolkit.errors import Code, ToolkitError
from toolkit.run.follow.agent_client import Presence
from toolkit.run.follow.events import Line
from toolkit.run.follow.view import Choice
from toolkit.run.plan.run_plan import RunPlan
from toolkit.run.plan.source_files import SubmittedCode
from toolkit.run.records.record import Record, State
from toolkit.runtimes.docker import Docker

RECORD = Record(
    *("training-abcd2345", "digits", State.PROCESSING, "tensorflow:1", "sha256:abc", "local", 2, 2, True),
    *("embedded", "models", "data", "/m.yml", "/code"),
    states=(("QUEUED", 1.0), ("PROCESSING", 2.0)),
)
UNREACHABLE = ToolkitError(Code.RESOURCES, "p100-01 does not answer")


class Clock:
    """Time that passes only where a connection fails: six seconds each."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


class StandInAgent:
    """An agent that tells what it is given: one list of events for each connection, which is cut after the last.

    `presences` are what a look for it finds, the last one for ever.
    """

    runtime = Docker()

    def __init__(
        self, *connections: Iterable[dict[str, Any] | ToolkitError], presences: Iterable[Presence] = (Presence.GONE,)
    ) -> None:
        self._connections, self._presences = iter(connections), list(presences)
        self.offsets: list[int] = []
        self.stopped_by: list[str] = []
        self.now: dict[str, Any] = {}
        self.deaf = False
        self.volume = ""
        self.ended = False

    @property
    def engine(self) -> StandInAgent:
        return self

    def names(self, kind: str, _run: str) -> list[str]:
        """The host has the run's volume where something is in it: `volume`, the record as the agent left it."""
        return [f"toolkit-{_run}"] if kind == "volume" and self.volume else []

    def run(self, _argv: list[str], **_: object) -> SimpleNamespace:
        return SimpleNamespace(ok=True, output=self.volume)

    def follow_argv(self, offset: int) -> list[str]:
        self.offsets.append(offset)
        return ["follow", str(offset)]

    def stream(self, argv: list[str], on_line: Callable[[str], None]) -> int:
        for event in next(self._connections, ()):
            if isinstance(event, ToolkitError):
                CLOCK.now += 6.0
                raise event
            self.ended = self.ended or "end" in event
            on_line(json.dumps(event))
        return 1

    def presence(self) -> Presence:
        return self._presences.pop(0) if len(self._presences) > 1 else self._presences[0]

    def state(self) -> dict[str, Any]:
        return self.now

    def stop(self, who: str) -> str:
        if self.deaf:
            raise UNREACHABLE
        self.stopped_by.append(who)
        return who if self._presences[0] is Presence.THERE else ""


class StandInOther(StandInAgent):
    """The agent of another host: there until the `first` agent has sent the end, however often it is looked for."""

    def __init__(self, first: StandInAgent) -> None:
        super().__init__()
        self._first = first

    def presence(self) -> Presence:
        return Presence.GONE if self._first.ended else Presence.THERE


class Notes:
    """A view that writes down what it gets; `on_line` is called with each line."""

    def __init__(self, choice: Choice = Choice.DETACH, on_line: Callable[[str], object] = str) -> None:
        self.states: list[tuple[str, str]] = []
        self.lines: list[str] = []
        self.notes: list[str] = []
        self.waiting: list[tuple[int, int, int]] = []
        self.asked = 0
        self._choice, self._on_line = choice, on_line

    def state(self, record: Record, note: str) -> None:
        self.states.append((record.state.value, note))

    def line(self, line: Line) -> None:
        self.lines.append(line.text)
        self._on_line(line.text)

    def planned(self, plan: RunPlan, code: SubmittedCode) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)

    def storing(self, queued: int, uploading: int, errored: int) -> None:
        self.waiting.append((queued, uploading, errored))

    def beat(self) -> None: ...

    def interrupted(self) -> Choice:
        self.asked += 1
        return self._choice


class StandInStored:
    """What a bucket has of a run."""

    def __init__(self, record: Record | None = None, lines: Iterable[str] = (), *, away: bool = False) -> None:
        self._record, self._lines, self._away = record, list(lines), away
        self.offsets: list[int] = []

    @contextmanager
    def __call__(self) -> Iterator[StandInStored]:
        if self._away:
            raise ToolkitError(Code.LOADING_DATA, "the store does not answer")
        yield self

    def record(self) -> Record | None:
        return self._record

    def lines(self, offset: int) -> Iterator[Line]:
        self.offsets.append(offset)
        for text in self._lines:
            yield Line(text, 0.0)


def line(text: str, following: int = 0) -> dict[str, Any]:
    """As an agent tells a line."""
    return {"line": text, "at": 1.0, "next": following}
