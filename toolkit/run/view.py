"""What a run tells while it goes: the screen, a test or nobody may listen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from toolkit.buckets.side import Flush
from toolkit.run.record import Record


class View(Protocol):
    """Told of each state, each line of output, and how storing goes."""

    def state(self, record: Record, note: str) -> None:
        """The run has reached `record.state`."""

    def line(self, text: str) -> None:
        """One line of a rank's output, `[rank] text`."""

    def note(self, text: str) -> None:
        """Something that the operator should know now."""

    def storing(self, flush: Flush) -> None:
        """What is still to be uploaded."""


class Unbreakable:
    """A view that may fail without harm: a run must be stored and cleaned though its terminal has gone.

    rich turns a broken pipe into `SystemExit`; a closed terminal gives an `OSError`. After the first, nothing is told.
    """

    def __init__(self, view: View) -> None:
        self._view: View | None = view

    def state(self, record: Record, note: str) -> None:
        """As `View.state`."""
        self._tell(lambda view: view.state(record, note))

    def line(self, text: str) -> None:
        """As `View.line`."""
        self._tell(lambda view: view.line(text))

    def note(self, text: str) -> None:
        """As `View.note`."""
        self._tell(lambda view: view.note(text))

    def storing(self, flush: Flush) -> None:
        """As `View.storing`."""
        self._tell(lambda view: view.storing(flush))

    def _tell(self, what: Callable[[View], None]) -> None:
        if self._view is None:
            return
        try:
            what(self._view)
        except (OSError, UnicodeError, SystemExit):
            self._view = None
