"""A port here that leads to one there: bytes, ends, many at once, and a host that lets nothing through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from toolkit.errors import Code, ToolkitError
from toolkit.hosts.ssh.forward import forwarded


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back all that it was sent, once that has ended."""

    def serve(connection: socket.socket) -> None:
        with connection:
            data = b"".join(iter(lambda: connection.recv(1 << 16), b""))
            connection.sendall(data)

    def accept(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield int(server.getsockname()[1])


def channel(port: int) -> Any:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def asked(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_bytes_go_both_ways_to_their_end_and_several_connections_at_once(echo: int) -> None:
    with forwarded(echo, channel) as here:
        assert here != echo
        data = [bytes([number]) * 300_000 for number in range(6)]
        heard: dict[int, bytes] = {}
        threads = [
            threading.Thread(target=lambda number=number: heard.update({number: asked(here, data[number])}))
            for number in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert [heard[number] for number in range(6)] == data
    with pytest.raises(OSError):
        asked(here, b"x")


def test_a_host_that_lets_nothing_through_says_so_before_anything_is_offered() -> None:
    def refuse(_: int) -> Any:
        raise ToolkitError(Code.RESOURCES, "AllowTcpForwarding")

    with pytest.raises(ToolkitError, match="AllowTcpForwarding"), forwarded(1, refuse):
        raise AssertionError("it must not come this far")


def test_a_host_that_is_lost_later_hangs_up_on_who_connects(echo: int) -> None:
    opened: list[int] = []

    def once(port: int) -> Any:
        opened.append(port)
        if len(opened) > 1:
            raise ToolkitError(Code.RESOURCES, "gone")
        return channel(port)

    with forwarded(echo, once) as here, suppress(OSError):  # reset, or not connected any more
        assert asked(here, b"x") == b""
    assert opened == [echo, echo]
