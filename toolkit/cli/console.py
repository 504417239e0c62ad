"""rich's console, made safe for untrusted text, and a run's lines in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from toolkit.cli.terminal import beneath
from toolkit.printable import coloured, cut, neutral

_RANK = re.compile(r"^\[([0-9]+|[0-9,-]+|learner-[0-9]+|mpirun|toolkit)\] ")
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


class SafeConsole(Console):
    """rich's console, for untrusted text: no markup, no links, no control sequences in it."""

    def __init__(self, *, stderr: bool = False) -> None:
        # No markup: names and paths are the user's, and `[a]` in them is not a colour.
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    @property
    def file(self) -> IO[str]:
        """The unwrapped stream, as colours and the bar's movements are the console's own."""
        return beneath(super().file)

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        Console.file.__set__(self, new_file)  # type: ignore[attr-defined]

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does it, with each text neutralised."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            if control:
                yield segment
            else:
                plain = style.update_link(None) if style and style.link else style
                yield Segment(neutral(cut(text)), plain)


console = SafeConsole(stderr=True)


def rank_line(text: str, *, raw: bool = False) -> Text:
    """A line of the run with its `[rank]` coloured, to make a rank's lines easy to find; `raw`: the rest in its
    program's colours."""
    match = _RANK.match(text)
    if not match:
        return Text(text)
    if raw:
        return Text.assemble(match[0], Text.from_ansi(coloured(text[match.end() :])))
    number = match[1].removeprefix("learner-")
    style = _COLOURS[int(number) % len(_COLOURS)] if number.isdecimal() else "dim"
    return Text.assemble((match[0], style), text[match.end() :])
