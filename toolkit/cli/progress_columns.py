"""What a progress bar has on a terminal, from left to right."""

from __future__ import annotations

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars
from rich.progress import Task as BarTask
from rich.text import Text

__all__ = ["COLUMNS", "Bars"]


class _Amount(ProgressColumn):
    """Bytes or steps, whichever the task counts; empty if nothing is known."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes, self._steps = DownloadColumn(), MofNCompleteColumn()

    def render(self, task: BarTask) -> Text:
        if not task.total:
            return Text("")
        return self._bytes.render(task) if task.fields["unit"] == "bytes" else self._steps.render(task)


COLUMNS: tuple[ProgressColumn, ...] = (
    SpinnerColumn(),
    TextColumn("{task.description:<14.14}"),
    BarColumn(24),
    _Amount(),
    TimeElapsedColumn(),
    TextColumn("{task.fields[detail]:.48}"),
)
