"""The system's ssh on hosts of this machine: which is chosen, logins that last, and what only ssh can do."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.cluster.model import Access, Cluster, Deadlines, Host
from toolkit.cluster.reader import read_cluster
from toolkit.errors import ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.hosts.openssh.arguments import Times
from toolkit.hosts.openssh.connect import disconnect
from toolkit.hosts.openssh.control import control_path, is_alive
from toolkit.hosts.openssh.masters import Masters
from toolkit.hosts.ssh.config import destinations
from toolkit.hosts.ssh.shell import SshShell

from .test_hosts_real import (
    USER,
    Bench,
    Sshd,
    bench,
    free_port,
    make_key,
    persons_config,
    trust,
    wait_for,
)

__all__ = ["bench"]

PASSPHRASE = "words that only a person knows"
OPENSSH = pytest.mark.parametrize("bench", ["openssh"], indirect=True)


@pytest.fixture
def closed(bench: Bench) -> Iterator[None]:
    """No login of a cluster file's stays."""
    yield
    cluster = read_cluster(bench.folder / "cluster.yml")
    disconnect(destinations(cluster.hosts, cluster.access))


def openssh_file(bench: Bench, *sshds: Sshd, jump: Sshd | None = None) -> Path:
    file = bench.cluster_file(*sshds, jump=jump)
    file.write_text(file.read_text().replace("engine: ssh\n", "engine: ssh\nssh: openssh\n"))
    return file


def connect(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "toolkit", "cluster", "connect", str(file), *words]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def typed(answer: str, prompt: str, file: Path) -> tuple[int, str]:
    """`toolkit cluster connect` at its own terminal, `answer` typed at each `prompt`; its status, and the screen."""
    pid, terminal = pty.fork()
    if pid == 0:
        argv = [sys.executable, "-m", "toolkit", "cluster", "connect", str(file)]
        os.execv(argv[0], argv)  # noqa: S606  no shell is wanted
    seen, answered, until = "", 0, time.monotonic() + 60
    with suppress(OSError):  # the terminal's other side is closed
        while time.monotonic() < until:
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 1 << 12).decode(errors="replace")
                if seen.count(prompt) > answered:
                    answered += 1
                    os.write(terminal, f"{answer}\n".encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen


def outputs(file: Path, *argv: str) -> list[str]:
    with Hosts(read_cluster(file)) as hosts:
        return [answer.get().output for answer in hosts.each(lambda shell: shell.run(argv))]


@pytest.mark.usefixtures("closed")
def test_a_key_that_asks_a_person_is_asked_for_once_and_serves_all_commands(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    host = bench.start("host-1", "PasswordAuthentication no", "KbdInteractiveAuthentication no")
    file = openssh_file(bench, host)
    bench.identity.unlink()
    Path(f"{bench.identity}.pub").unlink()
    make_key(bench.identity, PASSPHRASE)
    with pytest.raises(ToolkitError, match=f"authentication failed for {USER}") as caught:
        outputs(file, "true")
    assert "toolkit cluster connect FILE" in caught.value.hint
    assert "run this in a terminal" in connect(file).stderr

    status, seen = typed("wrong words", "Enter passphrase", file)
    assert (status != 0, "0 logins open, 1 failed" in seen) == (True, True), seen
    status, seen = typed(PASSPHRASE, "Enter passphrase", file)
    assert (status, "host-1: logged in" in seen, "1 login open, 0 failed" in seen) == (0, True, True), seen
    assert PASSPHRASE not in seen
    for _ in range(2):
        assert outputs(file, "echo", "in") == ["in\n"]
    assert host.log.count("Accepted publickey") == 1
    assert json.loads(connect(file, "--json").stdout) == {"open": [{"host": "host-1", "new": False}], "failed": []}
    assert json.loads(connect(file, "--close", "--json").stdout) == {"closed": ["host-1"]}
    assert connect(file, "--close").stdout == "0 logins closed\n"
    with pytest.raises(ToolkitError, match=f"authentication failed for {USER}"):
        outputs(file, "true")


@pytest.mark.usefixtures("closed")
def test_hosts_behind_a_jump_host_share_one_login_there(bench: Bench) -> None:
    gate = bench.start("gate")
    sshds = [bench.start(f"host-{index}") for index in range(3)]
    file = openssh_file(bench, *sshds, jump=gate)
    assert "4 logins open, 0 failed" in connect(file).stdout
    assert outputs(file, "echo", "through") == ["through\n"] * 3
    assert gate.log.count("Accepted publickey") == 1
    assert [sshd.log.count("Accepted publickey") for sshd in sshds] == [1] * 3
    closed = json.loads(connect(file, "--close", "--json").stdout)["closed"]
    assert closed == ["host-0", "host-1", "host-2", "127.0.0.1"]
    assert wait_for(lambda: not gate.children())


def test_a_cluster_that_fabric_leads_to_has_no_login_to_keep(bench: Bench) -> None:
    done = connect(bench.cluster_file(bench.start("host-1")))
    assert done.returncode == 2
    assert "no host uses the system's ssh" in done.stderr


@pytest.mark.usefixtures("closed")
def test_a_proxy_command_is_followed_by_itself_and_keys_are_compared_behind_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = bench.start("gate")
    host = bench.start("host-1", known=False)
    file = bench.cluster_file(host)
    via = f"{shutil.which('ssh')} -F none -i {bench.identity} -p {gate.port} -l {USER}"
    via += f" -o UserKnownHostsFile={bench.known_hosts} -W %h:%p {gate.address}"
    persons_config(bench, monkeypatch, f"Host host-1\n  ProxyCommand {via}\n")
    with pytest.raises(ToolkitError) as caught:
        outputs(file, "true")
    assert caught.value.context == {"host": "host-1", "reason": "host key unknown"}
    assert host.fingerprint in caught.value.what
    assert "Accepted" not in host.log

    done = trust(file, "--yes")
    assert "1 key recorded, 0 known before, 0 failed" in done.stdout
    assert bench.known_hosts.read_text().endswith(host.known_line)
    assert "Accepted" not in host.log
    assert outputs(file, "echo", "through") == ["through\n"]
    shown = subprocess.run(
        [sys.executable, "-m", "toolkit", "cluster", "show", file], capture_output=True, text=True, check=True
    )
    assert "by ssh (ProxyCommand)" in shown.stdout


def test_a_proxy_command_that_gives_no_connection_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    file = bench.cluster_file(bench.start("host-1"))
    persons_config(bench, monkeypatch, "Host host-1\n  ProxyCommand false\n")
    with pytest.raises(ToolkitError, match="its ProxyCommand failed") as caught:
        outputs(file, "true")
    assert caught.value.context["reason"] == "refused"
    assert caught.value.hint == "see its error: ssh host-1"


def test_a_login_that_the_person_has_open_is_used(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    host = bench.start("host-1")
    persons_config(
        bench,
        monkeypatch,
        f"Host host-1\n  HostName {host.address}\n  Port {host.port}\n  ControlPath {bench.folder}/cm\n"
        f"  User {USER}\n  IdentityFile {bench.identity}\n  UserKnownHostsFile {bench.known_hosts}\n",
    )
    cluster = Cluster("bench", "ssh", "none", Deadlines(60, 10, 600), (Host("host-1"),), Access())
    subprocess.run(["ssh", "-f", "-N", "-M", "host-1"], check=True, stdin=subprocess.DEVNULL, timeout=30)
    try:
        with Hosts(cluster) as hosts:
            assert hosts.shell("host-1").run(["echo", "in"]).output == "in\n"
        assert is_alive(bench.folder / "cm")
        (to,) = destinations(cluster.hosts, cluster.access)
        assert not is_alive(control_path(to))
    finally:
        subprocess.run(["ssh", "-O", "exit", "host-1"], check=True, capture_output=True)
    assert host.log.count("Accepted publickey") == 1


@OPENSSH
def test_a_login_ends_by_itself_when_it_is_idle(bench: Bench) -> None:
    host = bench.start("host-1")
    to = bench.way(host)
    shell = SshShell(to, Masters(times=Times(persist=1)))
    assert shell.run(["sleep", "2"]).status == 0
    assert wait_for(lambda: not control_path(to).exists() and not host.children())
    assert shell.run(["echo", "again"]).output == "again\n"
    assert host.log.count("Accepted publickey") == 2


@OPENSSH
def test_a_port_of_the_host_is_reached_and_one_that_is_closed_is_reported(bench: Bench) -> None:
    host, other = bench.start("host-1"), bench.start("narrow", "AllowTcpForwarding no")
    shell = bench.shell(bench.way(host))
    with shell.forward(host.port) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        assert wire.recv(8) == b"SSH-2.0-"
    with pytest.raises(ToolkitError, match="cannot connect to its own port 1"), shell.forward(1):
        raise AssertionError("nothing listens there")
    shell.close()
    shut = bench.shell(bench.way(other))
    refused = pytest.raises(ToolkitError, match=f"cannot connect to its own port {host.port}")
    with refused as caught, shut.forward(host.port):
        raise AssertionError("it forwards nothing")
    assert "AllowTcpForwarding" in caught.value.hint
    assert not list(control_path(bench.ways[0]).parent.glob("p-*"))


@OPENSSH
def test_forwardings_and_commands_of_the_persons_own_logins_stay_out(bench: Bench) -> None:
    host = bench.start("host-1")
    to = bench.way(host)
    assert to.system is not None

    port = free_port("127.0.0.1")
    options = (
        *("-o", f"LocalForward={port} 127.0.0.1:{host.port}", "-o", "RemoteCommand=false", "-o", "ForwardAgent=yes"),
        *("-o", "PermitLocalCommand=yes", "-o", f"LocalCommand=touch {bench.folder}/made", "-o", "LogLevel=QUIET"),
        *("-o", "ControlMaster=no", "-o", "ControlPersist=no", "-o", "StrictHostKeyChecking=no", "-o", "SendEnv=HOME"),
    )
    to = replace(to, system=replace(to.system, options=(*to.system.options, *options)))
    bench.ways.append(to)
    shell = bench.shell(to)
    assert shell.run(["sh", "-c", "echo ${SSH_AUTH_SOCK-none}"]).output == "none\n"
    assert not (bench.folder / "made").exists()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    shell.close()
