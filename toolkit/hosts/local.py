"""This machine as a `Shell`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from toolkit import process
from toolkit.process import CommandFailed, Result


class LocalShell:
    """Commands on the machine that the tool runs on. See `Shell`."""

    name = "this machine"

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        return process.run(argv, check=False, data=data, timeout=timeout)

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        try:
            return process.stream(argv, on_line)
        except FileNotFoundError as error:
            if error.filename != argv[0]:  # what `on_line` may raise is its caller's
                raise
            on_line(_missing(argv).errors)
            return 127

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        try:
            return process.feed(argv, pieces)
        except CommandFailed as failed:
            return failed.result
        except FileNotFoundError as error:
            if error.filename != argv[0]:
                raise
            return _missing(argv)

    @contextmanager
    def forward(self, port: int) -> Iterator[int]:
        yield port

    def close(self) -> None:
        """Nothing to close."""


def _missing(argv: Sequence[str]) -> Result:
    return Result(tuple(argv), 127, "", f"{argv[0]}: no such command on this machine")
