"""Where commands are carried out: this machine, or a host over ssh. Interchangeable; none of them decides anything.

A command is an argv list. For another host it is quoted word by word, so nothing of a person's reaches a
shell as anything but a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from toolkit.process import Result


class Shell(Protocol):
    """One machine. Making one does nothing; the connection opens on first use, and again on first use after `close`.

    Every method raises `ToolkitError` (S100) naming the host where it cannot be reached or the connection is lost; what
    a command itself says is in the `Result`, whatever its status (127 where there is no such program). A command that
    is left before its end, by an exception or a Ctrl-C, is ended on its machine with all that it started. Over ssh each
    command also costs the start of the account's login shell, so several small ones go faster as one `sh -c`.
    """

    @property
    def name(self) -> str:
        """The host as its cluster file names it; `this machine` for the one that the tool runs on."""
        ...

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        """Run `argv` to its end; `data` is what it reads (default nothing).

        After `timeout` seconds (default never) the command is killed, and the status is 124.
        """
        ...

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        """Run `argv`, give each line of its output and errors to `on_line` as it comes; the status."""
        ...

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        """Run `argv` and write `pieces` to it as they come; memory stays flat. Over ssh, large amounts take the
        system's `ssh`."""
        ...

    def forward(self, port: int) -> AbstractContextManager[int]:
        """The port of this machine's loopback that leads to `port` of the host's, while the context lasts."""
        ...

    def close(self) -> None:
        """Close the connection; no error if there is none."""
        ...
