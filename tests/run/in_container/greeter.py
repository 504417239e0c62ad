"""A stand-in for another learner's sshd: a port of this machine that greets everyone with the words it is given."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture
def greeting(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port; the words are the test's parameter."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            for _ in range(50):
                try:
                    with server.accept()[0] as connection:
                        connection.sendall(request.param)
                except OSError:
                    return

        threading.Thread(target=greet, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
