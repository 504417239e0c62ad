"""What a run tells while it goes: the screen, a test or nobody may listen."""

from __future__ import annotations

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
