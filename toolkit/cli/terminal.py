"""The only way to the terminal: whatever is written, it contains nothing that a terminal would interpret.

Standard output and standard error are wrapped while a command runs, so no `print` needs to know where its text is from.
What the tool itself sends to a terminal (colours, a moving bar) comes from `toolkit.cli.console`, which neutralises
each text and bypasses the wrapping.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from toolkit.printable import coloured, cut, neutral

TYPE_CHECKING = False  # importing `typing` takes 2 ms
if TYPE_CHECKING:
    from typing import IO, Any, TextIO


class NeutralStream:
    """A text stream that neutralises what is written to it; on a terminal, very long lines are cut."""

    def __init__(self, stream: TextIO) -> None:
        self.beneath = stream
        self.on_terminal = stream.isatty()  # asked once: each line of a run would ask the kernel

    def write(self, text: str) -> int:
        """Write the neutralised text; returns the original length."""
        self.beneath.write(neutral(cut(text) if self.on_terminal else text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


def beneath(stream: IO[str]) -> IO[str]:
    """The unwrapped stream, for code that neutralises its own text."""
    return stream.beneath if isinstance(stream, NeutralStream) else stream


def print_coloured(text: str, stream: TextIO) -> None:
    """Print a line of someone else's, with its colours."""
    on_terminal = stream.on_terminal if isinstance(stream, NeutralStream) else stream.isatty()
    beneath(stream).write(coloured(cut(text) if on_terminal else text) + "\n")


@contextmanager
def neutral_streams() -> Iterator[None]:
    """Wrap standard output and standard error while the context lasts; tracebacks are wrapped for good."""
    before = sys.stdout, sys.stderr
    sys.excepthook = _report_error
    sys.stdout, sys.stderr = (NeutralStream(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def neutral_threads() -> None:
    """Wrap the tracebacks of threads, too, for good."""
    import threading

    threading.excepthook = lambda args: _report_error(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )


def _report_error(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """A bug of ours, whose traceback may quote anything."""
    import traceback

    sys.stderr.write(neutral("".join(traceback.format_exception(kind, error, trace))))
