"""A host over ssh as a `Shell`. What it needs there is sshd and a POSIX sh, also as the account's login shell."""

from __future__ import annotations

import codecs
import io
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from itertools import chain

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh.command import RunningCommand
from toolkit.hosts.ssh.connector import Connector
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.forward import forwarded
from toolkit.hosts.ssh.session_pool import Connects, SessionPool
from toolkit.process import Result

_TIMED_OUT = 124
_SMALL = 1 << 15
_LARGE = 4 << 20
"""Less is not worth a login of the system's ssh."""


class SshShell:
    """Commands on the host that `to` leads to; connections stay warm until `close`. See `HostShell`.

    Args:
        to: see `toolkit.hosts.ssh.config.destinations`.
        connector: opens the connections; hosts that are worked on together share one. Default: Fabric's, of its own.
        bulk: opens those for large amounts of data. Default: they take the others.
    """

    def __init__(self, to: Destination, connector: Connects | None = None, bulk: Connects | None = None) -> None:
        self.to, self.name = to, to.host
        self._own = None if connector else Connector()
        self._pool = SessionPool(to, connector or self._own or Connector())
        self._bulk = SessionPool(to, bulk) if bulk else None
        self._pools = [pool for pool in (self._bulk, self._pool) if pool]

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        """The time that opening a connection takes does not count."""
        with self._pool.session(argv) as session:
            until = None if timeout is None else time.monotonic() + timeout
            output = bytearray()
            try:
                _give(session, data)
                for piece in session.pieces(until):
                    output += piece
                status, errors = session.status(until), session.errors()
            except TimeoutError:
                session.end(at_once=True)
                status, errors = _TIMED_OUT, f"no answer in {timeout} s"
        return Result(tuple(argv), status, output.decode("utf-8", "replace"), errors)

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        with self._pool.session(argv, merged=True) as session:
            session.end_input()
            for line in _lines(session.pieces()):
                on_line(line)
            return session.status()

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        head, rest = _split(iter(pieces))
        with ExitStack() as stack:
            session = self._bulk_session(argv, stack) if len(head) >= _LARGE else None
            session = session or stack.enter_context(self._pool.session(argv))
            output = _output(session)
            for piece in chain([head], rest):
                if not session.write(piece):
                    break  # it ended early: its status and output say why
            session.end_input()
            text = output.result().decode("utf-8", "replace")
            return Result(tuple(argv), session.status(), text, session.errors())

    def _bulk_session(self, argv: Sequence[str], stack: ExitStack) -> RunningCommand | None:
        """None where the system's ssh cannot log in, without a person: Fabric's connection then serves for it."""
        if self._bulk is None:
            return None
        try:
            return stack.enter_context(self._bulk.session(argv))
        except ToolkitError:
            self._bulk = None
            return None

    def forward(self, port: int) -> AbstractContextManager[int]:
        return forwarded(port, self._pool.tunnel)

    def end_commands(self) -> None:
        for pool in self._pools:
            pool.end_commands()

    def close(self) -> None:
        for pool in self._pools:
            pool.close()
        if self._own:
            self._own.close()


def _split(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first `_LARGE` bytes, or all there are, and the rest."""
    head = bytearray()
    while len(head) < _LARGE and (piece := next(pieces, None)) is not None:
        head += piece
    return bytes(head), pieces


def _give(session: RunningCommand, data: bytes | None) -> None:
    """Send a command's input; if it exceeds the window, in a thread while its output is read."""

    def give() -> None:
        session.write(data or b"")
        session.end_input()

    if data and len(data) > _SMALL:
        threading.Thread(target=give, name="input", daemon=True).start()
    else:
        give()


def _output(session: RunningCommand) -> Future[bytes]:
    """A command's output, read while its input is written."""
    output = Future[bytes]()

    def read() -> None:
        try:
            output.set_result(b"".join(session.pieces()))
        except BaseException as error:
            output.set_exception(error)

    threading.Thread(target=read, name="output", daemon=True).start()
    return output


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines as Python's text files have them; a character that two pieces share is put together."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + decoder.decode(piece)).split("\n")
        yield from lines
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest
