"""Shows a run's progress: on the terminal, in a test, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol, TypeVar

from toolkit.run.follow.events import Line
from toolkit.run.plan.run_plan import RunPlan
from toolkit.run.plan.source_files import SubmittedCode
from toolkit.run.records.record import Record

T = TypeVar("T")


class Choice(Enum):
    """What the user wants after Ctrl-C."""

    STOP = "stop"
    DETACH = "detach"
    GO_ON = "go on"


class View(Protocol):
    """Gets the plan, each state, each line of output, and upload progress."""

    def planned(self, plan: RunPlan, code: SubmittedCode) -> None:
        """What will run where, once keys and buckets have been checked."""

    def state(self, record: Record, note: str) -> None:
        """The run has reached `record.state`."""

    def line(self, line: Line) -> None:
        """One line of a rank's output, `[rank] text`, with its time."""

    def note(self, text: str) -> None:
        """Something that the operator should know now."""

    def storing(self, queued: int, uploading: int, errored: int) -> None:
        """Files still to be uploaded: queued, uploading, and failed so far."""

    def beat(self) -> None:
        """Called every second: nothing more so far."""

    def interrupted(self) -> Choice:
        """Ctrl-C was pressed: what now?"""


class SilentView:
    """Shows nothing; answers Ctrl-C with `on_interrupt`."""

    def __init__(self, on_interrupt: Choice = Choice.STOP) -> None:
        self._on_interrupt = on_interrupt

    def planned(self, plan: RunPlan, code: SubmittedCode) -> None: ...

    def state(self, record: Record, note: str) -> None: ...

    def line(self, line: Line) -> None: ...

    def note(self, text: str) -> None: ...

    def storing(self, queued: int, uploading: int, errored: int) -> None: ...

    def beat(self) -> None: ...

    def interrupted(self) -> Choice:
        return self._on_interrupt


class Unbreakable:
    """A view that may fail without harm: a run must be recorded even if its terminal is gone.

    rich turns a broken pipe into `SystemExit`; a closed terminal gives an `OSError`. After the first, nothing is shown.
    """

    def __init__(self, view: View) -> None:
        self._view: View | None = view

    def planned(self, plan: RunPlan, code: SubmittedCode) -> None:
        self._call(lambda view: view.planned(plan, code))

    def state(self, record: Record, note: str) -> None:
        self._call(lambda view: view.state(record, note))

    def line(self, line: Line) -> None:
        self._call(lambda view: view.line(line))

    def note(self, text: str) -> None:
        self._call(lambda view: view.note(text))

    def storing(self, queued: int, uploading: int, errored: int) -> None:
        self._call(lambda view: view.storing(queued, uploading, errored))

    def beat(self) -> None:
        self._call(lambda view: view.beat())

    def interrupted(self) -> Choice:
        """If the user cannot be asked, the run continues."""
        return self._call(lambda view: view.interrupted()) or Choice.DETACH

    def _call(self, what: Callable[[View], T]) -> T | None:
        try:
            return what(self._view) if self._view is not None else None
        except (OSError, UnicodeError, SystemExit):
            self._view = None
        return None
