"""Start and stop one host of a lab."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from threading import Event

from toolkit.containers.engine import LOCAL
from toolkit.errors import Code, ToolkitError
from toolkit.lab import lab_argv
from toolkit.lab.inspect import host_of
from toolkit.lab.model import Lab, LabHost

START_SECONDS = 60.0
_POLL_SECONDS = 0.1
_ASK_SECONDS = 5
_LINES = 20
_SSH_PORT = 22


class GivenUp(Exception):
    """The caller cancelled the wait for a host."""


@dataclass(frozen=True)
class Answering:
    """A host whose sshd and engine answer, its public host key and its engine's version."""

    host: LabHost
    key: str
    engine: str


def switch_on(lab: Lab, number: int, image: str, public_key: str) -> None:
    """Start a host with an empty disk; anything with its name is removed first."""
    switch_off(lab, number)
    LOCAL.run(lab_argv.create_disk(lab, number))
    LOCAL.run(lab_argv.start_host(lab, number, image, public_key))


def switch_off(lab: Lab, number: int) -> None:
    """Remove a host and its disk; it is no error if there is none."""
    LOCAL.remove("container", lab.container(number))
    LOCAL.remove("volume", lab.container(number))


def wait_for(lab: Lab, number: int, stop: Event) -> Answering:
    """Wait until the host's sshd and engine answer.

    Raises `ToolkitError` (S100) with the host's last lines if it exited or 60 s have passed; `GivenUp` once `stop` is
    set.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        host = host_of(lab, number)
        if host is None or not host.running:
            raise _silent(lab, number, "exited during startup")
        version = LOCAL.run(lab_argv.engine_version(host.container), check=False, timeout=_ASK_SECONDS)
        missing = [] if version.ok else ["its engine"]
        missing += [] if _greets(host.address) else [f"sshd at {host.address}"]
        if not missing:
            return Answering(host, LOCAL.run(lab_argv.host_key(host.container)).output.strip(), version.output.strip())
        if time.monotonic() > deadline:
            raise _silent(lab, number, f"did not answer within {START_SECONDS:.0f} s: {' and '.join(missing)}")
        if stop.wait(_POLL_SECONDS):
            raise GivenUp


def _greets(address: str) -> bool:
    """Whether sshd sends its version there, as it does on every connection (RFC 4253, 4.2)."""
    try:
        with socket.create_connection((address, _SSH_PORT), timeout=1) as stream:
            return stream.recv(4) == b"SSH-"
    except OSError:
        return False


def _silent(lab: Lab, number: int, what: str) -> ToolkitError:
    said = LOCAL.run(lab_argv.last_lines(lab.container(number), _LINES), check=False)
    return ToolkitError(
        Code.RESOURCES,
        f"host {lab.host(number)} of the lab {what}",
        evidence=(said.output + said.errors)[-3000:],
        hint="see the lines above; a lab needs an engine whose containers may mount (CAP_SYS_ADMIN) and whose "
        "bridges this machine can reach: Docker Engine on Linux, not rootless",
    )
