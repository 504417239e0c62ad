"""A transport of one's own: a few lines that implement the protocol serve a cluster's hosts like any other."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

import pytest

from toolkit.cluster.model import Access, Cluster, Deadlines, Host
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.hosts.local import LocalShell
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.transport import HostShell, Transport
from toolkit.hosts.transports import TRANSPORTS, FabricTransport, OpensshTransport
from toolkit.process import Result


class HereShell:
    """Every host is this machine; commands see its name as `HOST`."""

    def __init__(self, to: Destination, said: list[str]) -> None:
        self.to, self._said, self._shell = to, said, LocalShell()

    @property
    def name(self) -> str:
        return self.to.host

    def _own(self, argv: Sequence[str]) -> list[str]:
        return ["env", f"HOST={self.name}", *argv]

    def run(self, argv: Sequence[str], *, data: bytes | None = None, timeout: float | None = None) -> Result:
        if self.name == "elm":
            raise ToolkitError(Code.RESOURCES, "host elm: not reachable", context={"host": "elm"})
        return self._shell.run(self._own(argv), data=data, timeout=timeout)

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        return self._shell.stream(self._own(argv), on_line)

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        return self._shell.feed(self._own(argv), pieces)

    def forward(self, port: int) -> AbstractContextManager[int]:
        return self._shell.forward(port)

    def end_commands(self) -> None:
        self._said.append(f"end {self.name}")

    def close(self) -> None:
        self._said.append(f"close {self.name}")


class Here:
    """The transport that opens them."""

    said: ClassVar[list[str]] = []

    def __init__(self, cluster: Cluster) -> None:
        self.said.append(f"made for {cluster.name}")

    def shell(self, to: Destination) -> HereShell:
        return HereShell(to, self.said)

    def close(self) -> None:
        self.said.append("close all")


def cluster(ssh: str = "here") -> Cluster:
    hosts = tuple(map(Host, ("oak", "elm", "ash")))
    return Cluster("wood", "ssh", "none", Deadlines(60, 10, 600), hosts, Access(ssh=ssh))


def test_a_transport_of_ones_own_serves_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Here, "said", [])
    lines: list[str] = []
    with Hosts(cluster(), {"here": Here}) as hosts:
        answers = hosts.each(lambda shell: shell.run(["sh", "-c", "cat; echo $HOST"], data=b"at ").output)
        hosts.each(lambda shell: shell.stream(["sh", "-c", "echo $HOST"], lines.append), ["ash"])
        assert hosts.shell("oak").feed(["cat"], [b"o", b"ak"]).output == "oak"
    assert [(answer.host, answer.value) for answer in answers] == [
        ("oak", "at oak\n"),
        ("elm", None),
        ("ash", "at ash\n"),
    ]
    assert str(answers[1].error) == "S100 host elm: not reachable"
    assert lines == ["ash"]
    assert Here.said == ["made for wood", "close oak", "close elm", "close ash", "close all"]


def test_a_ctrl_c_ends_its_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(HereShell, "end_commands", lambda _: ended.set())
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with Hosts(cluster(), {"here": Here}) as hosts, pytest.raises(KeyboardInterrupt):
            hosts.each(lambda _: ended.wait(10))
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.is_set()


def test_those_that_there_are_by_their_names() -> None:
    assert dict(TRANSPORTS) == {"fabric": FabricTransport, "openssh": OpensshTransport}
    for name, make in TRANSPORTS.items():
        transport: Transport = make(cluster(name))
        transport.close()
        with Hosts(cluster(name)) as hosts:
            assert [shell.name for shell in hosts.shells] == ["oak", "elm", "ash"]
            assert all(isinstance(shell, HostShell) for shell in hosts.shells)
