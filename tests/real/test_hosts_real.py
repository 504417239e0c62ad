"""Hosts over ssh, against real sshd processes on this machine's loopback addresses, each with its own key and port."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import pytest

from toolkit.cluster.model import Access, Cluster, Deadlines, Host
from toolkit.errors import ToolkitError
from toolkit.hosts.cluster_hosts import Hosts
from toolkit.hosts.openssh.arguments import Times
from toolkit.hosts.openssh.control import control_path, end
from toolkit.hosts.openssh.masters import Masters
from toolkit.hosts.ssh.connector import Connector
from toolkit.hosts.ssh.destination import Destination, SystemSsh
from toolkit.hosts.ssh.known_hosts import known_as
from toolkit.hosts.ssh.shell import SshShell

USER = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
WAIT_SECONDS = 20
MASTERS = 8

both = pytest.mark.parametrize("bench", ["fabric", "openssh"], indirect=True)
"""Of tests of what holds whichever transport leads to a host."""


@dataclass
class Sshd:
    """An sshd of the test's own, with the defaults of its package but for `extra`."""

    name: str
    folder: Path
    address: str
    port: int
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def known_line(self) -> str:
        kind, blob = (self.folder / "host_key.pub").read_text().split()[:2]
        return f"{known_as(self.address, self.port)} {kind} {blob}\n"

    @property
    def fingerprint(self) -> str:
        done = subprocess.run(["ssh-keygen", "-lf", self.folder / "host_key.pub"], capture_output=True, check=True)
        return done.stdout.decode().split()[1]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def children(self) -> list[int]:
        """The processes that serve its connections."""
        file = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in file.read_text().split()] if file.exists() else []


@dataclass
class Bench:
    """Keys, a known_hosts file, and the sshds that a test starts; `transport` leads to them."""

    folder: Path
    transport: str = "fabric"
    started: list[Sshd] = field(default_factory=list)
    ways: list[Destination] = field(default_factory=list)

    @property
    def identity(self) -> Path:
        return self.folder / "id"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def start(self, name: str, *extra: str, address: str = "127.0.0.1", known: bool = True) -> Sshd:
        folder = self.folder / name
        folder.mkdir()
        make_key(folder / "host_key")
        port = free_port(address)
        lines = [f"ListenAddress {address}", f"Port {port}", f"HostKey {folder}/host_key", "PidFile none"]
        lines += [f"AuthorizedKeysFile {self.folder}/id.pub", "StrictModes no", "UsePAM no", "LogLevel VERBOSE", *extra]
        (folder / "config").write_text("\n".join(lines) + "\n")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", folder / "config"], stdin=subprocess.DEVNULL, stderr=log
            )
        sshd = Sshd(name, folder, address, port, process)
        self.started.append(sshd)
        wait_for(lambda: "Server listening" in sshd.log or process.poll() is not None)
        assert process.poll() is None, sshd.log
        if known:
            with self.known_hosts.open("a") as stream:
                stream.write(sshd.known_line)
        return sshd

    def way(self, sshd: Sshd, *, identity: Path | None = None, through: Destination | None = None) -> Destination:
        to = Destination(
            host=sshd.name,
            address=sshd.address,
            port=sshd.port,
            user=USER,
            identities=(identity or self.identity,),
            any_key=False,
            known_as=known_as(sshd.address, sshd.port),
            known_hosts=(self.known_hosts,),
            through=through,
        )
        if self.transport == "openssh":
            to = replace(to, transport="openssh", system=SystemSsh("a test", tuple(self.options(to))))
        self.ways.append(to)
        return to

    def options(self, to: Destination) -> list[str]:
        """What ssh is given so that the account's own files have no say."""
        words = ["-F", "none", "-l", to.user, "-p", str(to.port)]
        values = [f"HostName={to.address}", f"IdentityFile={to.identities[0]}", "IdentitiesOnly=yes"]
        values += [f"UserKnownHostsFile={self.known_hosts}", "GlobalKnownHostsFile=none"]
        return [*words, *(word for value in values for word in ("-o", value))]

    def shell(self, to: Destination, *, connect: float = 10, lost: float = 15) -> SshShell:
        if self.transport == "openssh":
            return SshShell(to, Masters(times=Times(connect, lost)))
        return SshShell(to, Connector(connect=connect, lost=lost))

    def cluster(self, *sshds: Sshd, jump: Sshd | None = None, lost: int = 15) -> Cluster:
        hosts = tuple(Host(sshd.name, sshd.address, port=sshd.port) for sshd in sshds)
        gate = f"{USER}@{jump.address}:{jump.port}" if jump else ""
        access = Access(user=USER, identity=self.identity, known_hosts=self.known_hosts, jump=gate, ssh=self.transport)
        return Cluster("bench", "ssh", "none", Deadlines(60, 10, 600, 10, lost), hosts, access, "127.0.0.0/8")

    def cluster_file(self, *sshds: Sshd, jump: Sshd | None = None) -> Path:
        file = self.folder / "cluster.yml"
        lines = ["name: bench", "engine: ssh", f"user: {USER}", "identity: id", "known_hosts: known_hosts"]
        lines += ["ssh: openssh"] if self.transport == "openssh" else []
        lines += [f"jump: {USER}@{jump.address}:{jump.port}"] if jump else []
        lines += [
            "network: 127.0.0.0/8",
            "container_engine: docker",
            "scratch: /var/tmp/toolkit",
            "gpu: none",
            "hosts:",
        ]
        lines += [f"  - {{name: {sshd.name}, address: {sshd.address}, port: {sshd.port}}}" for sshd in sshds]
        file.write_text("\n".join(lines) + "\n")
        return file


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    assert Path(SSHD).exists(), "sshd is needed: apt-get install openssh-server"
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # what sshd's service would have made
    made = Bench(tmp_path, getattr(request, "param", "fabric"))
    make_key(made.identity)
    made.known_hosts.touch()
    yield made
    for to in made.ways:
        for number in range(MASTERS if to.system else 0):
            end(control_path(to, number))
    for sshd in made.started:
        for pid in (*sshd.children(), sshd.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGTERM)
        sshd.process.wait(WAIT_SECONDS)


@pytest.fixture
def host(bench: Bench) -> Sshd:
    return bench.start("host-1")


@pytest.fixture
def shell(bench: Bench, host: Sshd) -> Iterator[SshShell]:
    shell = bench.shell(bench.way(host))
    yield shell
    shell.close()


def make_key(file: Path, passphrase: str = "") -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", file], check=True)


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def wait_for(true: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return False


def running(word: str, program: str = "") -> list[int]:
    """Processes, other than this one, that have `word` in their command line; of `program`, if it is named."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            has_word = word.encode() in (folder / "cmdline").read_bytes().split(b"\0")
            named = (folder / "comm").read_text().strip()
            if has_word and program in ("", named) and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


def once_it_runs(word: str, host: Sshd, number: signal.Signals) -> None:
    """Send a signal to what serves the host's connections, once a command with `word` runs there."""

    def act() -> None:
        assert wait_for(lambda: bool(running(word)))
        for pid in host.children():
            os.kill(pid, number)

    threading.Thread(target=act, daemon=True).start()


def unique_seconds() -> str:
    """A number of seconds that no other process sleeps."""
    return f"600.{time.monotonic_ns()}"


def failure(shell: SshShell) -> ToolkitError:
    with pytest.raises(ToolkitError) as caught:
        shell.run(["true"])
    shell.close()
    assert caught.value.code.label == "S100"
    return caught.value


@both
def test_words_arrive_as_they_are_and_both_streams_come_back_apart(shell: SshShell) -> None:
    words = ["a b", "$HOME", "*", "'\"", "`id`", "", "line\nline", "é", "-n", "\\"]
    done = shell.run(["printf", "<%s>", *words])
    assert done.output == "".join(f"<{word}>" for word in words)
    done = shell.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.status, done.output, done.errors) == (3, "out\n", "err\n")
    assert shell.run(["cat"], data=b"\xff").output == "\ufffd"
    assert shell.run(["cat"]).output == ""
    assert shell.run(["no-such-program"]).status == 127
    assert shell.run(["sh", "-c", "kill -9 $$"]).status == 137


@both
def test_much_goes_in_and_comes_out_of_both_streams_at_the_same_time(shell: SshShell) -> None:
    data = b"0123456789abcdef" * (1 << 19)
    done = shell.run(["tee", "/dev/stderr"], data=data, timeout=60)
    assert done.output.encode() == data
    assert done.errors.encode() == data


@both
def test_after_its_time_the_command_and_what_it_started_are_gone_from_the_host(shell: SshShell) -> None:
    seconds = unique_seconds()
    done = shell.run(["sh", "-c", f"echo begun; sleep {seconds} & trap '' TERM; sleep {seconds}"], timeout=1)
    assert (done.status, done.output, done.errors) == (124, "begun\n", "no answer in 1 s")
    assert wait_for(lambda: not running(seconds), 10)
    assert shell.run(["echo", "and", "on"]).output == "and on\n"


@both
def test_lines_come_as_they_are_written(shell: SshShell) -> None:
    lines: list[tuple[float, str]] = []
    script = "echo one; sleep 0.6; echo two >&2; printf 'thr\\303'; sleep 0.6; printf '\\251e'; exit 5"
    assert shell.stream(["sh", "-c", script], lambda line: lines.append((time.monotonic(), line))) == 5
    assert [line for _, line in lines] == ["one", "two", "thr\xe9e"]
    assert lines[1][0] - lines[0][0] > 0.4
    assert lines[2][0] - lines[1][0] > 0.4


@both
def test_an_error_while_lines_are_read_ends_the_command_on_the_host(shell: SshShell) -> None:
    seconds = unique_seconds()

    def fail(line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="go"):
        shell.stream(["sh", "-c", f"echo go; sleep {seconds}"], fail)
    assert not running(seconds)


@both
def test_a_fed_command_may_end_early_and_its_status_is_reported(shell: SshShell) -> None:
    done = shell.feed(["sh", "-c", "head -c 5; echo no >&2; exit 7"], (b"x" * 65536 for _ in range(2000)))
    assert (done.status, done.output, done.errors) == (7, "xxxxx", "no\n")


BYTES_AND_WAY = ["sh", "-c", "wc -c; echo $SSH_CONNECTION"]


def fed(shell: SshShell, pieces: int) -> tuple[int, bool]:
    """How many bytes a command on the host has read, and whether over the connection of all other commands."""
    data = chain([b""], (bytes(1 << 20) for _ in range(pieces)))  # a piece may be empty
    count, _, way = shell.feed(BYTES_AND_WAY, data).output.partition("\n")
    return int(count), way == shell.run(["sh", "-c", "echo $SSH_CONNECTION"]).output


def test_large_amounts_take_the_systems_ssh_which_ends_with_the_shell(bench: Bench, host: Sshd) -> None:
    to = bench.way(host)
    to = replace(to, system=SystemSsh("", tuple(bench.options(to))))
    masters = Masters(owner="this test")
    shell = SshShell(to, None, masters)
    assert fed(shell, 1) == (1 << 20, True)
    assert not control_path(to, owner="this test").exists()
    assert fed(shell, 40) == (40 << 20, False)
    assert control_path(to, owner="this test").exists()
    shell.close()
    masters.close()
    assert not list(control_path(to).parent.glob(f"{control_path(to, owner='this test').name}*"))
    assert wait_for(lambda: not host.children())


def test_large_amounts_take_fabrics_connection_where_the_systems_ssh_cannot_log_in(bench: Bench, host: Sshd) -> None:
    to = bench.way(host)
    shell = SshShell(replace(to, system=SystemSsh("", ("-F", "/no/such/file"))), None, Masters(owner="this test"))
    assert fed(shell, 40) == (40 << 20, True)
    shell.close()


def test_a_large_transfer_that_is_interrupted_is_ended_on_its_host(bench: Bench, host: Sshd) -> None:
    to = bench.way(host)
    masters = Masters(owner="this test")
    shell = SshShell(replace(to, system=SystemSsh("", tuple(bench.options(to)))), None, masters)
    seconds = unique_seconds()

    def pieces() -> Iterator[bytes]:
        yield bytes(8 << 20)
        assert wait_for(lambda: running(seconds))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shell.feed(["sh", "-c", f"sleep {seconds} & cat >/dev/null; wait"], pieces())
    assert not running(seconds)
    shell.close()
    masters.close()


def test_hundreds_of_megabytes_pass_and_memory_stays_flat(bench: Bench, host: Sshd) -> None:
    program = textwrap.dedent(
        """
        import resource, sys, time
        from pathlib import Path
        from toolkit.hosts.ssh.destination import Destination
        from toolkit.hosts.ssh.shell import SshShell
        host, port, user, identity, known_as, known_hosts = sys.argv[1:]
        way = Destination(host, host, int(port), user, (Path(identity),), False, known_as, (Path(known_hosts),))
        shell = SshShell(way)
        shell.run(["true"])
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before, start = peak(), time.monotonic()
        fed = shell.feed(["wc", "-c"], (bytes(1 << 16) for _ in range(4800))).output.strip()
        print(fed, peak() - before, round(time.monotonic() - start, 1))
        """
    )
    way = bench.way(host)
    words = [way.address, str(way.port), way.user, str(bench.identity), way.known_as, str(bench.known_hosts)]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=300, check=True
    )
    fed, kilobytes, seconds = done.stdout.split()
    print(f"300 MiB fed in {seconds} s; {kilobytes} KiB of memory more")
    assert fed == str(300 << 20)
    assert int(kilobytes) < 32 << 10


@both
def test_twenty_sessions_at_once_where_sshd_allows_ten(shell: SshShell, host: Sshd) -> None:
    shell.run(["true"])
    outputs: list[str] = []
    meeting = shell.run(["mktemp", "-d"]).output.strip()
    script = f'touch {meeting}/$1; while [ "$(ls {meeting} | wc -l)" -lt 20 ]; do sleep 0.1; done; echo met'
    act = lambda index: outputs.append(shell.run(["sh", "-c", script, "x", str(index)], timeout=30).output)  # noqa: E731
    threads = [threading.Thread(target=act, args=(index,)) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shell.run(["rm", "-r", meeting])
    assert outputs == ["met\n"] * 20
    assert host.log.count("Accepted publickey") == 3
    assert "no more sessions" not in host.log


@both
def test_a_host_that_allows_fewer_sessions_gets_more_connections(bench: Bench) -> None:
    host = bench.start("narrow", "MaxSessions 2")
    shell = bench.shell(bench.way(host))
    threads = [threading.Thread(target=shell.run, args=(["sleep", "1"],)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shell.run(["echo", "fine"]).output == "fine\n"
    shell.close()
    assert 2 < host.log.count("Accepted publickey") <= 5


def test_a_key_that_the_host_does_not_take(bench: Bench, host: Sshd) -> None:
    make_key(bench.folder / "other")
    error = failure(SshShell(bench.way(host, identity=bench.folder / "other")))
    assert error.context == {"host": "host-1", "reason": "authentication"}
    assert f"host host-1 (127.0.0.1:{host.port}): authentication failed for {USER}" in str(error)
    assert f"{bench.folder}/other: not accepted" in str(error)


def test_a_key_with_a_passphrase_opens_only_through_an_agent(
    bench: Bench, host: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    locked = bench.folder / "locked"
    make_key(locked, "words that only a person knows")
    (bench.folder / "id.pub").write_text(Path(f"{locked}.pub").read_text())
    Path(f"{locked}.pub").unlink()  # found by what stands in the private key's own file
    error = failure(SshShell(bench.way(host, identity=locked)))
    assert f"{locked}: has a passphrase and is not in the agent (ssh-add {locked})" in str(error)

    sock = bench.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        assert wait_for(sock.exists)
        asker = bench.folder / "ask"
        asker.write_text("#!/bin/sh\necho words that only a person knows\n")
        asker.chmod(0o700)
        asking = {**os.environ, "SSH_AUTH_SOCK": str(sock), "SSH_ASKPASS": str(asker), "SSH_ASKPASS_REQUIRE": "force"}
        subprocess.run(["ssh-add", "-q", locked], env=asking, check=True, stdin=subprocess.DEVNULL)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        shell = SshShell(bench.way(host, identity=locked))
        assert shell.run(["echo", "in"]).output == "in\n"
        shell.close()
    finally:
        agent.terminate()
        agent.wait()


@both
def test_an_unknown_host_key_is_reported_with_its_fingerprint_and_nothing_is_recorded(bench: Bench) -> None:
    host = bench.start("new", known=False)
    error = failure(bench.shell(bench.way(host)))
    assert error.context["reason"] == "host key unknown"
    assert host.fingerprint in error.what
    assert str(bench.known_hosts) in str(error)
    assert "toolkit cluster trust FILE" in error.hint
    assert bench.known_hosts.read_text() == ""
    assert "Accepted" not in host.log


@both
def test_a_changed_host_key_is_reported_with_the_line_on_record(bench: Bench, host: Sshd) -> None:
    make_key(bench.folder / "other")
    kind, blob = (bench.folder / "other.pub").read_text().split()[:2]
    bench.known_hosts.write_text(f"# a comment\n{known_as(host.address, host.port)} {kind} {blob}\n")
    error = failure(bench.shell(bench.way(host)))
    assert error.context["reason"] == "host key changed"
    assert host.fingerprint in error.what
    assert f"{bench.known_hosts}:2:1" in str(error)


@both
def test_a_revoked_host_key_is_reported_with_its_line(bench: Bench, host: Sshd) -> None:
    kind, blob = host.known_line.split()[1:]
    bench.known_hosts.write_text(f"{host.known_line}@revoked * {kind} {blob}\n")
    error = failure(bench.shell(bench.way(host)))
    assert error.context["reason"] == "host key changed"
    assert f"{bench.known_hosts}:2:1: marked @revoked" in str(error)
    assert "Accepted" not in host.log


@both
def test_a_jump_host_whose_key_is_unknown_is_not_passed(bench: Bench, host: Sshd) -> None:
    gate = bench.start("gate", known=False)
    error = failure(bench.shell(bench.way(host, through=bench.way(gate))))
    assert error.context == {"host": "gate", "reason": "host key unknown"}
    assert gate.fingerprint in error.what
    assert "Accepted" not in gate.log
    assert "Connection from" not in host.log


def test_what_a_person_has_for_fabric_leads_nowhere_else(
    bench: Bench, host: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = bench.folder / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".fabric.yml").write_text("gateway: gate\nuser: mallory\nport: 1\nrun: {echo: true}\n")
    (home / ".ssh" / "config").write_text("Host *\n  User mallory\n  ProxyJump gate\n  ProxyCommand false\n")
    for name, value in {"HOME": str(home), "FABRIC_RUN_ECHO": "1", "FABRIC_GATEWAY": "gate"}.items():
        monkeypatch.setenv(name, value)
    shell = bench.shell(bench.way(host))
    assert shell.run(["echo", "$HOME is a word"]).output == "$HOME is a word\n"
    shell.close()
    assert f"Accepted publickey for {USER}" in host.log


@both
def test_nobody_listens(bench: Bench, host: Sshd) -> None:
    host.process.terminate()
    host.process.wait()
    error = failure(bench.shell(bench.way(host)))
    assert re.search(
        rf"host host-1 \(127.0.0.1:{host.port}\): refused the connection: .*Connection refused", error.what
    )


@both
def test_a_host_that_accepts_and_says_nothing(bench: Bench, host: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        way = bench.way(replace(host, port=mute.getsockname()[1]))
        error = failure(bench.shell(way, connect=2))
    assert error.context["reason"] == "unreachable"
    assert re.search("(no SSH banner|login not completed) within 2 s|Connection timed out", error.what)


@both
def test_an_address_that_no_one_knows(bench: Bench, host: Sshd) -> None:
    error = failure(bench.shell(bench.way(replace(host, address="no-such-host.invalid"))))
    assert error.context["reason"] == "unreachable"
    assert "no-such-host.invalid" in error.what


@both
def test_a_connection_that_is_cut_in_the_middle_is_reported_and_the_next_command_connects_anew(
    shell: SshShell, host: Sshd
) -> None:
    seconds = unique_seconds()
    once_it_runs(seconds, host, signal.SIGKILL)
    with pytest.raises(ToolkitError) as caught:
        shell.run(["sleep", seconds])
    assert caught.value.context == {"host": "host-1", "reason": "cut"}
    assert f"connection lost while `sleep {seconds}` was running" in caught.value.what
    assert shell.run(["echo", "again"]).output == "again\n"
    for pid in running(seconds):
        os.kill(pid, signal.SIGKILL)


@both
@pytest.mark.parametrize("jumped", [False, True])
def test_a_host_that_falls_silent_is_noticed(bench: Bench, host: Sshd, jumped: bool) -> None:
    gate = bench.start("gate") if jumped else None
    way = bench.way(host, through=bench.way(gate) if gate else None)
    shell = bench.shell(way, lost=3)
    seconds = unique_seconds()
    once_it_runs(seconds, host, signal.SIGSTOP)
    with pytest.raises(ToolkitError) as caught:
        shell.run(["sleep", seconds])
    assert caught.value.context["reason"] == "cut"
    assert "no response" in caught.value.what
    shell.close()
    for pid in running(seconds):
        os.kill(pid, signal.SIGKILL)


@both
def test_a_silent_command_outlives_the_deadline_of_a_lost_host(bench: Bench, host: Sshd) -> None:
    shell = bench.shell(bench.way(host), lost=3)
    assert shell.run(["sh", "-c", "sleep 5; echo still here"]).output == "still here\n"
    shell.close()


@both
@pytest.mark.slow
def test_sixty_four_hosts_behind_one_default_sshd_without_a_refusal(bench: Bench) -> None:
    gate = bench.start("gate", address="127.0.1.1")
    sshds = [bench.start(f"host-{index:02}", address=f"127.0.2.{index}") for index in range(1, 65)]
    start = time.monotonic()
    with Hosts(bench.cluster(*sshds, jump=gate)) as hosts:
        first = hosts.each(lambda shell: shell.run(["echo", shell.name]).output.strip())
        opened = time.monotonic() - start
        again = hosts.each(lambda shell: shell.run(["true"]).status)
        warm = time.monotonic() - start - opened
    print(f"64 hosts through one jump host: first command {opened:.1f} s, second {warm:.1f} s")
    assert [answer.get() for answer in first] == [sshd.name for sshd in sshds]
    assert [answer.get() for answer in again] == [0] * 64
    assert gate.log.count("Accepted publickey") == 1
    assert [sshd.log.count("Connection from") for sshd in sshds] == [1] * 64
    assert "MaxStartups" not in gate.log + "".join(sshd.log for sshd in sshds)


def test_thirty_two_connections_to_one_default_sshd_without_a_refusal(bench: Bench, host: Sshd) -> None:
    access = Access(user=USER, identity=bench.identity, known_hosts=bench.known_hosts)
    names = tuple(Host(f"name-{index}", host.address, port=host.port) for index in range(32))
    with Hosts(Cluster("bench", "ssh", "none", Deadlines(60, 10, 600), names, access)) as hosts:
        answers = hosts.each(lambda shell: shell.run(["true"]).status)
    assert [answer.get() for answer in answers] == [0] * 32
    assert "MaxStartups" not in host.log


@both
def test_one_host_that_is_down_stops_no_other(bench: Bench) -> None:
    sshds = [bench.start(f"host-{index}") for index in range(3)]
    sshds[1].process.terminate()
    sshds[1].process.wait()
    with Hosts(bench.cluster(*sshds)) as hosts:
        answers = hosts.each(lambda shell: shell.run(["echo", shell.name]).output)
    assert [(answer.host, answer.value) for answer in answers] == [
        ("host-0", "host-0\n"),
        ("host-1", None),
        ("host-2", "host-2\n"),
    ]
    assert isinstance(answers[1].error, ToolkitError)
    assert answers[1].error.context == {"host": "host-1", "reason": "refused"}


@both
def test_a_ctrl_c_ends_the_commands_on_all_hosts_and_leaves_the_wires_for_cleaning_up(bench: Bench) -> None:
    file = bench.cluster_file(*[bench.start(f"host-{index}") for index in range(4)])
    seconds = unique_seconds()
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from toolkit.cluster.reader import read_cluster
        from toolkit.hosts.cluster_hosts import Hosts
        with Hosts(read_cluster(Path(sys.argv[1]))) as hosts:
            try:
                hosts.each(lambda shell: [shell.run(["sleep", sys.argv[2]]) for _ in range(9)])
            except KeyboardInterrupt:
                answers = hosts.each(lambda shell: shell.run(["echo", "clean"]).output)
                print(*(answer.get() for answer in answers))
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, file, seconds],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert wait_for(lambda: len(running(seconds, "sleep")) == 4)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=WAIT_SECONDS)
    assert output.split() == ["clean"] * 4
    assert not running(seconds)


def persons_config(bench: Bench, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """An ssh that reads `text` in place of the account's own file, which no HOME can change."""
    (bench.folder / "config").write_text(text)
    (bench.folder / "bin").mkdir()
    ssh = bench.folder / "bin" / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {bench.folder}/config "$@"\n')
    ssh.chmod(0o700)
    monkeypatch.setenv("PATH", f"{ssh.parent}{os.pathsep}{os.environ['PATH']}")


def test_proxy_jump_and_names_of_the_persons_ssh_config_are_followed(
    bench: Bench, host: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = bench.start("gate")
    persons_config(
        bench,
        monkeypatch,
        f"Host gate\n  HostName {gate.address}\n  Port {gate.port}\n"
        f"Host lab-*\n  HostName {host.address}\n  Port {host.port}\n  ProxyJump gate\n"
        f"Host *\n  User {USER}\n  IdentityFile {bench.identity}\n  UserKnownHostsFile {bench.known_hosts}\n",
    )
    with Hosts(Cluster("bench", "ssh", "none", Deadlines(60, 10, 600), (Host("lab-1"),))) as hosts:
        (answer,) = hosts.each(lambda shell: shell.run(["echo", "through"]).output)
    assert answer.get() == "through\n"
    assert gate.log.count("Accepted publickey") == 1


def test_an_agents_key_opens_where_ssh_config_names_its_public_half(
    bench: Bench, host: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    sock = bench.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        assert wait_for(sock.exists)
        subprocess.run(["ssh-add", "-q", bench.identity], env={**os.environ, "SSH_AUTH_SOCK": str(sock)}, check=True)
        bench.identity.unlink()
        persons_config(
            bench,
            monkeypatch,
            f"Host host-1\n  HostName {host.address}\n  Port {host.port}\n  IdentityAgent {sock}\n"
            f"  IdentityFile {bench.identity}.pub\n  IdentitiesOnly yes\n  UserKnownHostsFile {bench.known_hosts}\n",
        )
        with Hosts(Cluster("bench", "ssh", "none", Deadlines(60, 10, 600), (Host("host-1"),))) as hosts:
            (answer,) = hosts.each(lambda shell: shell.run(["echo", "in"]).output)
        assert answer.get() == "in\n"
    finally:
        agent.terminate()
        agent.wait()


def test_trust_records_nothing_in_a_file_that_keeps_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    host = bench.start("new", known=False)
    persons_config(bench, monkeypatch, "Host *\n  UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no\n")
    file = bench.cluster_file(host)
    file.write_text(file.read_text().replace("known_hosts: known_hosts\n", ""))
    done = trust(file, "--yes")
    assert done.returncode == 2
    assert "recorded" not in done.stdout
    assert "set `known_hosts` in the cluster file" in done.stderr


def trust(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "toolkit", "cluster", "trust", str(file), *words]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def test_trust_records_keys_once_through_a_jump_host_and_then_the_hosts_are_reached(bench: Bench) -> None:
    gate = bench.start("gate", known=False)
    sshds = [bench.start(f"host-{index}", known=False) for index in range(2)]
    bench.known_hosts.unlink()
    file = bench.cluster_file(*sshds, jump=gate)

    refused = trust(file)
    assert refused.returncode == 2
    assert "no terminal to confirm on" in refused.stderr
    assert not bench.known_hosts.exists()

    done = trust(file, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    shown = {one["host"]: one["fingerprint"] for one in json.loads(done.stdout)["recorded"]}
    assert list(shown.values()) == [gate.fingerprint, *(sshd.fingerprint for sshd in sshds)]
    assert bench.known_hosts.read_text() == "".join(sshd.known_line for sshd in (gate, *sshds))
    assert bench.known_hosts.stat().st_mode & 0o777 == 0o600

    with Hosts(bench.cluster(*sshds, jump=gate)) as hosts:
        assert [answer.get().status for answer in hosts.each(lambda shell: shell.run(["true"]))] == [0, 0]
    assert json.loads(trust(file, "--yes", "--json").stdout)["recorded"] == []


def test_trust_never_replaces_a_key_and_names_the_line(bench: Bench) -> None:
    changed, new = bench.start("changed", known=False), bench.start("new", known=False)
    make_key(bench.folder / "other")
    kind, blob = (bench.folder / "other.pub").read_text().split()[:2]
    before = f"{known_as(changed.address, changed.port)} {kind} {blob}\n"
    bench.known_hosts.write_text(before)
    done = trust(bench.cluster_file(changed, new), "--yes")
    assert done.returncode == 3
    assert f"{bench.known_hosts}:1:1" in done.stderr
    assert changed.fingerprint in done.stderr
    assert bench.known_hosts.read_text() == before


@pytest.mark.parametrize(("answer", "status", "lines"), [("y\n", 0, 1), ("n\n", 2, 0), ("\n", 2, 0)])
def test_trust_asks_once_on_a_terminal(bench: Bench, answer: str, status: int, lines: int) -> None:
    host = bench.start("new", known=False)
    file = bench.cluster_file(host)
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    argv = [sys.executable, "-m", "toolkit", "cluster", "trust", str(file)]
    done = subprocess.run(argv, stdin=theirs, capture_output=True, text=True, timeout=60, check=False)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == status, done.stderr
    assert host.fingerprint in done.stdout
    assert done.stderr.count("[y/N]") == 1
    assert len(bench.known_hosts.read_text().splitlines()) == lines
