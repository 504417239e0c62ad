"""Terminal output: progress on standard error, results on standard output.

rich is imported with the first line that it formats (`toolkit.cli.console`): many commands print plain text.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TextIO

from toolkit.cli.terminal import print_coloured
from toolkit.plural import human_size as human_size  # noqa: PLC0414  # verbs import it from here
from toolkit.progress import Progress as Step
from toolkit.progress import Report
from toolkit.urls import redact_urls

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import RenderableType

    from toolkit.cli.progress_columns import Bars


_SECONDS_BETWEEN_LINES, _SECONDS_OF_SILENCE = 2.0, 60.0


def say(text: RenderableType, style: str = "") -> None:
    """Print to standard error; long lines are left for the terminal to wrap."""
    from toolkit.cli.console import console

    console.print(text, style=style, soft_wrap=True)


def print_json(value: dict[str, Any]) -> None:
    """One object on standard output, in ASCII: control characters are escaped as in JSON."""
    print(json_text(value, indent=1))


def json_text(value: Mapping[str, Any], indent: int | None = None) -> str:
    """The object as JSON in printable ASCII, without passwords in URLs."""
    return redact_urls(json.dumps(value, indent=indent)).replace("\x7f", "\\u007f")


def print_line(text: str, stream: TextIO, *, raw: bool = False) -> None:
    """A line of the run; `raw`: with the colours that its program sets."""
    if raw:
        print_coloured(text, stream)
    else:
        stream.write(f"{text}\n")  # at once: `print` would write twice


class ProgressBar:
    """A bar on a terminal; otherwise (in a log) a line for each stage now and then. Notes stay on the screen.

    Stages follow each other, each bar replacing the one before; `beside`: they run at the same time. It appears with
    the first progress, and disappears when it is closed.
    """

    def __init__(self, *, beside: bool = False) -> None:
        self._beside = beside
        self._bars: Bars | None = None
        self._tasks: dict[str, Any] = {}
        self._start = time.monotonic()
        self._last_line: dict[str, tuple[float, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar from the screen."""
        if self._bars:
            self._bars.stop()
        self._bars = None

    def report(self, step: Step) -> None:
        """Show progress, or a note."""
        from toolkit.cli.console import console

        if step.note:
            show_note(step)
        elif console.is_terminal:
            self._advance(step)
        else:
            self._print(step)

    def _advance(self, step: Step) -> None:
        if self._bars is None:
            self._bars, self._tasks = _bars(), {}
            self._bars.start()
        if step.stage not in self._tasks:
            for done in () if self._beside else self._tasks.values():
                self._bars.update(done, visible=False)
            self._tasks[step.stage] = self._bars.add_task(step.stage, total=None, detail="", unit=step.unit)
        detail, total = " ".join(step.detail.split()), step.total or None
        task = self._tasks[step.stage]
        self._bars.update(task, completed=step.done, total=total, detail=detail, unit=step.unit)

    def _print(self, step: Step) -> None:
        """A line where something new happens, at most one in two seconds; one a minute where nothing new does."""
        now, detail = time.monotonic(), " ".join(step.detail.split())[:90]
        last, before = self._last_line.get(step.stage, (-_SECONDS_OF_SILENCE, ""))
        if now - last < (_SECONDS_BETWEEN_LINES if detail != before else _SECONDS_OF_SILENCE):
            return
        self._last_line[step.stage] = now, detail
        share = f", {step.done / step.total:.0%}" if detail == before and step.total else ""
        print(f"{now - self._start:7.1f} s  {step.stage}: {detail}{share}", file=sys.stderr, flush=True)


def _bars() -> Bars:
    from toolkit.cli.console import console
    from toolkit.cli.progress_columns import COLUMNS, Bars  # 40 ms: most commands show none

    return Bars(*COLUMNS, console=console, transient=True)


@contextmanager
def progress_bar() -> Iterator[Report]:
    """A `ProgressBar` while the context lasts."""
    with ProgressBar() as bar:
        yield bar.report


def show_note(step: Step) -> None:
    """For reports of which only notes are shown."""
    if step.note:
        say(f"toolkit: {step.note}", "yellow")
