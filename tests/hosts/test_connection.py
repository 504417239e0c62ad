"""Connections that Fabric opens: to whom, configured by what, and within what time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts.stand_in_sshd import StandInSshd, standing_in, way
from toolkit.errors import ToolkitError
from toolkit.hosts.ssh.connection import HostConnection, connected, shown_key
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.host_keys import KeysOnRecord
from toolkit.hosts.ssh.known_hosts import HostKey
from toolkit.hosts.ssh.transport import WatchedTransport

KEY = paramiko.ECDSAKey.generate()


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    file = tmp_path / "id"
    file.touch(0o600)
    KEY.write_private_key_file(str(file))
    return file


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[StandInSshd]:
    """A host that is on record, and takes the one key."""
    with standing_in(takes=[KEY.asbytes()]) as sshd:
        sshd.known_in(tmp_path / "known_hosts", *sshd.keys)
        yield sshd


@contextmanager
def opened(to: Destination, gate: HostConnection | None = None, seconds: float = 10) -> Iterator[HostConnection]:
    connection = connected(to, gate, connect=seconds, lost=15)
    try:
        yield connection
    finally:
        connection.close()


def failure(to: Destination, gate: HostConnection | None = None, seconds: float = 10) -> ToolkitError:
    with pytest.raises(ToolkitError) as caught, opened(to, gate, seconds):
        pass
    return caught.value


def unopened(to: Destination, gate: HostConnection | None = None) -> HostConnection:
    return HostConnection(to, gate, KeysOnRecord(to), connect=10, lost=15)


def wait_for_threads_to_end() -> None:
    until = time.monotonic() + 10
    while any(isinstance(thread, WatchedTransport) for thread in threading.enumerate()):
        assert time.monotonic() < until, "a connection that failed is still open"
        time.sleep(0.01)


def test_a_host_on_record_lets_us_in_and_both_ends_hang_up_at_the_end(
    sshd: StandInSshd, tmp_path: Path, identity: Path
) -> None:
    with opened(way(sshd.port, tmp_path, identity)) as connection:
        assert connection.is_connected
        assert connection.transport.is_authenticated()
    assert not connection.is_connected
    assert sshd.tried[0] == ("me", KEY.asbytes())
    wait_for_threads_to_end()


def host_key(key: Any, names: str, marker: str = "") -> str:
    return f"{marker} {names} {key.get_name()} {key.get_base64()}\n".lstrip()


OTHER = paramiko.ECDSAKey.generate()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("", "host key unknown"),
        ("{other}", "host key changed"),
        ("{rsa}", "host key changed"),
        ("{own}{revoked}", "host key changed"),
        ("{authority}", "host key unknown"),
        ("{negated}", "host key unknown"),
    ],
)
def test_no_key_is_shown_to_a_host_whose_own_is_not_the_one_on_record(
    sshd: StandInSshd, tmp_path: Path, identity: Path, lines: str, reason: str
) -> None:
    name, own = f"[127.0.0.1]:{sshd.port}", sshd.keys[0]
    forms = {
        "own": host_key(own, name),
        "other": host_key(OTHER, name),
        "rsa": host_key(paramiko.RSAKey.generate(1024), name),
        "revoked": host_key(own, "*", "@revoked"),
        "authority": host_key(own, name, "@cert-authority"),
        "negated": host_key(own, f"*,!{name}"),
    }
    (tmp_path / "known_hosts").write_text(lines.format(**forms))
    error = failure(way(sshd.port, tmp_path, identity))
    assert error.context["reason"] == reason
    assert HostKey(own.get_name(), own.asbytes()).fingerprint in error.what
    assert sshd.tried == []
    assert "AAAA" not in (tmp_path / "known_hosts").read_text().replace(lines.format(**forms), "")
    wait_for_threads_to_end()


@pytest.mark.parametrize("names", ["*", "[127.0.0.?]:*", "x,[127.0.0.1]:{port}"])
@pytest.mark.parametrize("besides", ["", "* ssh-rsa not+base64?\n", "@revoked * ssh-ed25519 AAAA\n"])
def test_wildcards_and_lines_that_are_none_keep_no_host_out(
    sshd: StandInSshd, tmp_path: Path, identity: Path, names: str, besides: str
) -> None:
    (tmp_path / "known_hosts").write_text(besides + host_key(sshd.keys[0], names.format(port=sshd.port)))
    with opened(way(sshd.port, tmp_path, identity)) as connection:
        assert connection.is_connected


def test_the_name_on_record_is_the_alias_and_not_the_address(sshd: StandInSshd, tmp_path: Path, identity: Path) -> None:
    (tmp_path / "known_hosts").write_text(host_key(sshd.keys[0], "alias"))
    to = way(sshd.port, tmp_path, identity)
    assert failure(to).context["reason"] == "host key unknown"
    with opened(replace(to, known_as="alias")) as connection:
        assert connection.is_connected


def test_a_host_of_several_keys_shows_the_one_that_is_on_record(tmp_path: Path, identity: Path) -> None:
    rsa, ecdsa = paramiko.RSAKey.generate(2048), paramiko.ECDSAKey.generate()
    for number, key in enumerate((rsa, ecdsa)):
        (tmp_path / str(number)).mkdir()
        with standing_in(keys=[rsa, ecdsa], takes=[KEY.asbytes()]) as sshd:
            sshd.known_in(tmp_path / str(number) / "known_hosts", key)
            to = way(sshd.port, tmp_path / str(number), identity)
            assert shown_key(to, None, connect=10) == HostKey(key.get_name(), key.asbytes())
            with opened(to) as connection:
                assert connection.is_connected


def test_a_look_at_a_hosts_key_is_no_login(sshd: StandInSshd, tmp_path: Path, identity: Path) -> None:
    own = sshd.keys[0]
    assert shown_key(way(sshd.port, tmp_path, identity), None, connect=10) == HostKey(own.get_name(), own.asbytes())
    (tmp_path / "known_hosts").unlink()
    assert shown_key(way(sshd.port, tmp_path, identity), None, connect=10) == HostKey(own.get_name(), own.asbytes())
    assert sshd.tried == []
    wait_for_threads_to_end()


ELSEWHERE = """
    import os, sys
    from pathlib import Path
    read = []
    def note(event, words):
        if event in ("open", "subprocess.Popen"):
            read.append(str(words[0]) if event == "open" else "/etc/a-program")
    sys.addaudithook(note)
    from tests.hosts.stand_in_sshd import way
    from toolkit.hosts.ssh.connection import HostConnection, connected
    from fabric import Config
    to = way(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[2], "id"))
    imported, read[:] = list(read), []
    connection = connected(to, None, connect=10, lost=15)
    same = connection.config._config == Config.global_defaults()
    print(same, connection.is_connected, connection.gateway, connection.user, connection.port == to.port)
    print(connection.forward_agent)
    connection.close()
    home = os.environ["HOME"]
    print(sorted({Path(name).name for name in read if name.startswith((home, "/etc/"))}))
    print([name for name in imported if name.startswith(home)])
"""


def test_what_a_person_has_for_fabric_and_ssh_has_no_effect(sshd: StandInSshd, tmp_path: Path, identity: Path) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    gate = "gateway: nowhere.invalid\nuser: mallory\nport: 1\nforward_agent: true\nconnect_kwargs: {password: x}\n"
    (home / ".fabric.yml").write_text(gate)
    (home / ".invoke.yml").write_text(gate)
    (home / ".fabric.py").write_text(f"open({str(home / 'was-run')!r}, 'w')\n")
    (home / ".ssh" / "config").write_text(
        "Host *\n User mallory\n Port 1\n ProxyJump nowhere.invalid\nMatch all\n ProxyCommand touch ~/was-run\n"
    )
    for name in ("fabric.yaml", "invoke.yaml"):
        (home / name).write_text(gate)  # beside the program, as a project has it
    settings = {"RUN_ECHO": "1", "USER": "mallory", "GATEWAY": "nowhere.invalid", "PORT": "1"}
    environment = {
        **os.environ,
        **{f"{tool}_{key}": text for tool in ("FABRIC", "INVOKE") for key, text in settings.items()},
    }
    environment |= {"HOME": str(home), "INVOKE_RUNTIME_CONFIG": str(home / ".fabric.yml")}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ELSEWHERE), str(sshd.port), str(tmp_path)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["True True False me True", "False", "[]", "[]"]
    assert sshd.tried[-1][0] == "me"
    assert not (home / "was-run").exists()


def test_nothing_that_one_connection_has_found_out_is_another_ones(
    sshd: StandInSshd, tmp_path: Path, identity: Path
) -> None:
    to = way(sshd.port, tmp_path, identity)
    with opened(to) as one, opened(to) as other:
        assert one.config is not other.config
        assert one.config.connect_kwargs == other.config.connect_kwargs == {}
        assert one.connect_kwargs["sock"] is not other.connect_kwargs["sock"]


@pytest.mark.parametrize("address", ["::1", "fe80::1%hsn0", "fe80::1%eth0", "me@oak", "oak:22", "%h", "10.0.0.1", "~"])
def test_an_address_is_taken_as_it_is(tmp_path: Path, address: str) -> None:
    connection = unopened(replace(way(2222, tmp_path), address=address))
    assert (connection.host, connection.port, connection.user) == (address, 2222, "me")


@given(st.text(min_size=1), st.integers(1, 65535), st.text(min_size=1))
def test_no_address_user_or_port_is_read_as_anything_else(address: str, port: int, user: str) -> None:
    connection = unopened(replace(way(port, Path("/none")), address=address, user=user))
    assert (connection.host, connection.port, connection.user) == (address, port, user)
    assert connection.gateway is False


@pytest.mark.parametrize(
    "method",
    ["run", "sudo", "shell", "local", "put", "get", "sftp", "create_session", "forward_local", "forward_remote"],
)
def test_what_fabric_does_besides_is_switched_off(tmp_path: Path, method: str) -> None:
    with pytest.raises(NotImplementedError):
        getattr(unopened(way(1, tmp_path)), method)("true")


def test_a_host_behind_another_is_reached_over_the_connection_that_is_given(
    sshd: StandInSshd, tmp_path: Path, identity: Path
) -> None:
    with standing_in(takes=[KEY.asbytes()]) as behind:
        behind.known_in(tmp_path / "known_hosts", *behind.keys)
        with opened(way(sshd.port, tmp_path, identity, host="gate")) as gate:
            to = way(behind.port, tmp_path, identity, through=gate.to)
            with opened(to, gate) as connection:
                assert connection.transport.is_authenticated()
                assert connection.gateway is gate
        assert sshd.passed_on == [("127.0.0.1", behind.port)]
        assert len(sshd.transports) == 1


def test_the_key_of_a_host_behind_another_is_checked_too(sshd: StandInSshd, tmp_path: Path, identity: Path) -> None:
    with standing_in() as behind, opened(way(sshd.port, tmp_path, identity, host="gate")) as gate:
        to = way(behind.port, tmp_path, identity, through=gate.to)
        assert failure(to, gate).context == {"host": "oak", "reason": "host key unknown"}
        assert behind.tried == []
        assert gate.is_connected


def test_a_jump_host_that_is_lost_is_not_connected_to_anew(sshd: StandInSshd, tmp_path: Path, identity: Path) -> None:
    with opened(way(sshd.port, tmp_path, identity, host="gate")) as gate:
        gate.transport.close()
        error = failure(way(1, tmp_path, identity, through=gate.to), gate)
    assert error.context == {"host": "gate", "reason": "cut"}
    assert len(sshd.transports) == 1


def test_a_jump_host_that_passes_nothing_on_says_so(sshd: StandInSshd, tmp_path: Path, identity: Path) -> None:
    sshd.forwards = False
    with opened(way(sshd.port, tmp_path, identity, host="gate")) as gate:
        error = failure(way(1, tmp_path, identity, through=gate.to), gate)
    assert error.context["reason"] == "unreachable"
    assert "gate does not forward connections to it" in error.what


def silent(connection: socket.socket) -> None:
    """Takes a connection and says nothing."""


def greets(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-stand-in\r\n")


def talks(connection: socket.socket) -> None:
    """Lines that come before a greeting (RFC 4253, 4.2), without end."""
    while True:
        connection.sendall(b"not yet\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize("act", [silent, greets, talks])
def test_the_time_to_connect_ends_however_far_the_host_came(tmp_path: Path, identity: Path, act: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            held.append(connection)
            act(connection)

        held: list[socket.socket] = []
        threading.Thread(target=_quietly, args=(serve,), daemon=True).start()
        begun = time.monotonic()
        error = failure(way(server.getsockname()[1], tmp_path, identity), seconds=1)
        took = time.monotonic() - begun
    assert error.context["reason"] in {"unreachable", "refused"}
    assert took < 4
    wait_for_threads_to_end()


def _quietly(act: Any) -> None:
    with suppress(OSError):
        act()


def test_the_time_to_connect_is_one_for_all_keys(sshd: StandInSshd, tmp_path: Path, identity: Path) -> None:
    sshd.thinks, sshd.takes = 0.7, []
    files = [tmp_path / f"key-{number}" for number in range(5)]
    for file in files:
        file.touch(0o600)
        paramiko.ECDSAKey.generate().write_private_key_file(str(file))
    begun = time.monotonic()
    error = failure(way(sshd.port, tmp_path, *files), seconds=1)
    assert time.monotonic() - begun < 3
    assert error.context["reason"] == "authentication"
    assert str(error.problems[-1]).endswith("timed out")
    assert len(error.problems) < 5


def test_the_time_to_connect_begins_before_the_jump_hosts_channel(
    sshd: StandInSshd, tmp_path: Path, identity: Path
) -> None:
    with (
        opened(way(sshd.port, tmp_path, identity, host="gate")) as gate,
        socket.create_server(("127.0.0.1", 0)) as mute,
    ):
        sshd.slow = 2
        begun = time.monotonic()
        error = failure(way(mute.getsockname()[1], tmp_path, identity, through=gate.to), gate, seconds=2.5)
        assert time.monotonic() - begun < 4
        assert error.what.endswith("not reachable: no SSH banner within 2.5 s")
        sshd.slow = 5
        begun = time.monotonic()
        error = failure(way(mute.getsockname()[1], tmp_path, identity, through=gate.to), gate, seconds=1)
        assert time.monotonic() - begun < 3
        assert "gate could not connect to it in time" in error.what


@contextmanager
def deaf() -> Iterator[tuple[str, int]]:
    """An address that answers no one: its queue is full, and Linux drops what else comes."""
    with socket.socket() as server, socket.socket() as one, socket.socket() as two:
        server.bind(("127.0.0.2", 0))
        server.listen(0)
        for client in (one, two):
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()


def names_mean(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_a_name_with_addresses_that_lead_nowhere_is_reached_by_the_next(
    sshd: StandInSshd, tmp_path: Path, identity: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deaf() as silent_one:  # and one without a route: ENETUNREACH
        names_mean(monkeypatch, ("255.255.255.255", 22), silent_one, ("127.0.0.1", sshd.port))
        begun = time.monotonic()
        with opened(way(sshd.port, tmp_path, identity), seconds=4) as connection:
            assert connection.is_connected
        assert time.monotonic() - begun < 4


def test_the_time_to_connect_is_one_for_all_addresses(
    tmp_path: Path, identity: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deaf() as silent_one:
        names_mean(monkeypatch, *[silent_one] * 4)
        begun = time.monotonic()
        error = failure(way(1, tmp_path, identity), seconds=1)
        assert time.monotonic() - begun < 3
    assert error.context["reason"] == "unreachable"
    assert error.what.endswith("not reachable: timed out")


@pytest.mark.parametrize("address", ["no-such-host.invalid", "a..b", "x" * 70 + ".lab", "\u00e9" * 70])
def test_a_name_that_is_none_is_reported(tmp_path: Path, address: str) -> None:
    error = failure(replace(way(1, tmp_path), address=address))
    assert error.context["reason"] == "unreachable"
    assert f"not reachable: {address}: " in error.what


def test_a_fraction_of_a_second_is_a_time_too(tmp_path: Path, identity: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        begun = time.monotonic()
        assert "within 0.5 s" in failure(way(mute.getsockname()[1], tmp_path, identity), seconds=0.5).what
        assert time.monotonic() - begun < 3


def test_a_slow_host_has_all_of_a_long_time_to_connect(sshd: StandInSshd, tmp_path: Path, identity: Path) -> None:
    """Paramiko's own limits are 15 s for the greeting, and 15 s more for the key exchange."""
    with opened(way(sshd.port, tmp_path, identity), seconds=60) as connection:
        assert 50 < connection.transport.banner_timeout <= 60
        assert 50 < connection.transport.handshake_timeout <= 60
        assert 50 < connection.transport.auth_timeout <= 60
