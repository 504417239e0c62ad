"""Places for commands on shared connections, with connections that are values of the test's."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import paramiko
import pytest

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh import connection
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.command import ConnectionDown, NoSession, SilentHost
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.session_pool import SessionPool

OAK = Destination("oak", "oak", 22, "me", (), True, "oak", (Path("/known"),))


class Command:
    pid = 1

    def write(self, piece: bytes) -> bool:
        return True

    def end_input(self) -> None: ...

    def pieces(self, until: float | None = None) -> Iterator[bytes]:
        return iter(())

    def status(self, until: float | None = None) -> int:
        return 0

    def errors(self) -> str:
        return ""

    def end(self, *, at_once: bool = False) -> None: ...

    def close(self) -> None: ...


class Connection:
    """Room for `most` commands; `down` from the start, or `silent`."""

    def __init__(self, most: int = 10, *, down: bool = False, silent: bool = False) -> None:
        self.is_connected, self.most, self.down, self.silent, self.running = True, most, down, silent, 0

    def start(self, argv: Sequence[str], *, merged: bool = False) -> Command:
        if self.down:
            self.is_connected = False
            raise ConnectionDown
        if self.silent:
            raise SilentHost("no answer for 10 s on an open connection")
        if self.running == self.most:
            raise NoSession("Session open refused by peer")
        self.running += 1
        return Command()

    def signal(self, pids: Sequence[int], signal: str) -> None: ...

    def tunnel(self, port: int) -> Any:
        return port

    def why_down(self) -> str:
        return "the network did"

    def close(self) -> None: ...


class Connects:
    """Gives out these, then raises `error`."""

    def __init__(self, *connections: Connection, error: ToolkitError | None = None) -> None:
        self.waiting, self.error, self.dialled = list(connections), error, 0

    def connect(self, to: Destination) -> Connection:
        self.dialled += 1
        if not self.waiting:
            assert self.error
            raise self.error
        return self.waiting.pop(0)


def test_where_a_further_login_needs_a_person_commands_wait_for_a_place() -> None:
    dials = Connects(Connection(), error=ssh_errors.needs_login(OAK, "Permission denied"))
    pool = SessionPool(OAK, dials)
    places = [pool.session(["true"]) for _ in range(8)]
    for place in places:
        place.__enter__()
    done = threading.Event()

    def ninth() -> None:
        with pool.session(["true"]):
            done.set()

    thread = threading.Thread(target=ninth, daemon=True)
    thread.start()
    assert not done.wait(0.3)
    places[0].__exit__(None, None, None)
    assert done.wait(10)
    assert dials.dialled == 2
    with pool.session(["true"]):  # it does not try again and again
        assert dials.dialled == 2


def test_the_first_login_that_fails_is_an_error() -> None:
    pool = SessionPool(OAK, Connects(error=ssh_errors.needs_login(OAK, "Permission denied")))
    with pytest.raises(ToolkitError, match="authentication failed for me"), pool.session(["true"]):
        raise AssertionError("there is no connection")


def test_a_connection_that_is_down_is_replaced_once() -> None:
    dials = Connects(Connection(down=True), Connection())
    with SessionPool(OAK, dials).session(["true"]):
        assert dials.dialled == 2
    pool = SessionPool(OAK, Connects(Connection(down=True), Connection(down=True), Connection()))
    with pytest.raises(ToolkitError, match="connection lost: the network did"), pool.session(["true"]):
        raise AssertionError("there is no connection")


def test_a_host_that_stands_still_is_not_one_that_refuses() -> None:
    pool = SessionPool(OAK, Connects(Connection(silent=True)))
    with pytest.raises(ToolkitError) as caught, pool.session(["true"]):
        raise AssertionError("it does not answer")
    assert caught.value.what == "host oak (oak:22): not reachable: no answer for 10 s on an open connection"
    assert caught.value.context["reason"] == "unreachable"


def test_a_host_that_allows_fewer_commands_gets_a_further_connection() -> None:
    dials = Connects(Connection(1), Connection(0))
    pool = SessionPool(OAK, dials)
    with pool.session(["true"]):
        with pytest.raises(ToolkitError, match="its MaxSessions"), pool.session(["true"]):
            raise AssertionError("there is no place")
        assert dials.dialled == 2


def test_how_paramiko_says_that_a_host_does_not_answer() -> None:
    assert f'SSHException("{connection._NO_ANSWER}")' in inspect.getsource(paramiko.Transport.open_channel)
