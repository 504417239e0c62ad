"""Launches over the system's ssh: on hosts behind a ProxyCommand, and on hosts that ask a person for a second factor.

The second factor is a stand-in: a code that each host's PAM asks for by keyboard-interactive, after the key. What asks
and what is asked there is as with any; only where the code comes from differs.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from .bench import MANIFEST
from .lab import RealLab

pytestmark = pytest.mark.timeout(1800)
CODE = "314159"
STAND_IN = f"""
cat > /usr/local/bin/stand-in-second-factor <<'END'
#!/bin/sh
test "$(tr -d '\\0')" = {CODE}
END
chmod 755 /usr/local/bin/stand-in-second-factor
cp /etc/pam.d/sshd /root/pam-of-sshd
printf '%s\\n' 'auth required pam_exec.so expose_authtok /usr/local/bin/stand-in-second-factor' \
    'auth required pam_permit.so' 'account required pam_permit.so' 'session required pam_permit.so' > /etc/pam.d/sshd
printf '%s\\n' 'PasswordAuthentication no' 'UsePAM yes' 'KbdInteractiveAuthentication yes' 'PermitRootLogin yes' \
    'AuthenticationMethods publickey,keyboard-interactive' > /etc/ssh/sshd_config.d/lab.conf
kill -HUP "$(cat /run/sshd.pid)"
"""
UNDO = """
cp /root/pam-of-sshd /etc/pam.d/sshd
echo 'PasswordAuthentication no' > /etc/ssh/sshd_config.d/lab.conf
kill -HUP "$(cat /run/sshd.pid)"
rm /root/pam-of-sshd
"""
BRIDGE = """
import os, socket, sys, threading
with open(sys.argv[3], "a") as log:
    log.write(sys.argv[1] + "\\n")
wire = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def out():
    while piece := wire.recv(1 << 16):
        while piece:
            piece = piece[os.write(1, piece):]
    os._exit(0)
threading.Thread(target=out, daemon=True).start()
while piece := os.read(0, 1 << 16):
    wire.sendall(piece)
"""


@pytest.fixture
def lab(training_lab: RealLab) -> RealLab:
    return training_lab


@pytest.fixture
def behind_a_command(lab: RealLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ssh_config that leads to the lab's hosts by a program; the file in which that notes the address it is given.

    The account's own file cannot be another one, so `ssh` is a program that names this one.
    """
    (tmp_path / "bridge.py").write_text(BRIDGE)
    passed = tmp_path / "passed"
    command = f"{sys.executable} {tmp_path}/bridge.py %h %p {passed}"
    (tmp_path / "config").write_text("".join(f"Host {host}\n  ProxyCommand {command}\n" for host in lab.hosts))
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {tmp_path}/config "$@"\n')
    ssh.chmod(0o700)
    monkeypatch.setenv("PATH", f"{ssh.parent}{os.pathsep}{os.environ['PATH']}")
    return passed


def close(lab: RealLab, file: Path) -> list[str]:
    closed: list[str] = json.loads(lab.bench.ok("cluster", "connect", file, "--close", "--json").stdout)["closed"]
    return closed


def launched(lab: RealLab, manifest: Path, file: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(
        lab.bench.ok("launch", "--json", manifest, "--cluster", file, timeout=500).stdout
    )
    return record


def test_a_training_runs_on_hosts_behind_a_proxy_command(lab: RealLab, behind_a_command: Path, tmp_path: Path) -> None:
    shown = json.loads(lab.bench.ok("cluster", "show", lab.cluster_file, "--json").stdout)
    assert [host["ssh"] for host in shown["hosts"]] == ["openssh", "openssh"]
    try:
        record = launched(lab, lab.bench.manifest(tmp_path / "job", "echo trained"), lab.cluster_file)
        assert (record["state"], record["learners"], record["ranks"]) == ("COMPLETED", 2, 2)
        assert "[1] trained" in lab.bench.ok("logs", record["training_id"]).stdout
        addresses = sorted(lab.address(host) for host in lab.hosts)
        assert sorted(set(behind_a_command.read_text().split())) == addresses
    finally:
        close(lab, lab.cluster_file)


@pytest.fixture
def second_factor(lab: RealLab, tmp_path: Path) -> Iterator[Path]:
    """A cluster file for the lab's hosts, each of which asks for the stand-in's code after the key."""
    file = lab.cluster_file.with_name(f"{lab.cluster_file.stem}-asking.yml")
    text = lab.cluster_file.read_text().replace("engine: ssh\n", "engine: ssh\nssh: openssh\n")
    file.write_text(text)
    for host in lab.hosts:
        inside(host, "sh", "-c", STAND_IN)
    try:
        yield file
    finally:
        close(lab, file)
        file.unlink()
        for host in lab.hosts:
            inside(host, "sh", "-c", UNDO)


def inside(host: str, *argv: str) -> str:
    """A command on a host by this machine's engine, as sshd there lets no test in."""
    argv = ("docker", "exec", f"toolkit-lab-{host}", *argv)
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def logins(host: str) -> int:
    """How often the second factor was given there."""
    done = subprocess.run(["docker", "logs", f"toolkit-lab-{host}"], capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).count("Accepted keyboard-interactive/pam for root")


def at_a_terminal(lab: RealLab, *words: object, answer: str) -> tuple[int, str]:
    """Run a command with a terminal of its own, and type `answer` at each prompt; its status and what is seen there."""
    argv = lab.bench.argv(*words)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(argv[0], argv, lab.bench.environment)  # noqa: S606  no shell is wanted
    seen, answered, until = "", 0, time.monotonic() + 120
    with suppress(OSError):  # the terminal's other side is closed
        while time.monotonic() < until:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            piece = os.read(terminal, 1 << 12).decode(errors="replace")
            if not piece:
                break
            seen += piece
            if len(re.findall(r"Password: ", seen)) > answered:
                answered += 1
                os.write(terminal, f"{answer}\n".encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen


def test_one_login_with_a_second_factor_serves_all_commands_and_a_launch(
    lab: RealLab, second_factor: Path, tmp_path: Path
) -> None:
    before = {host: logins(host) for host in lab.hosts}
    kept_out = lab.bench.run("launch", MANIFEST, "--cluster", second_factor)
    assert kept_out.returncode != 0
    assert "authentication failed for root" in kept_out.stderr
    assert "toolkit cluster connect FILE" in kept_out.stderr

    without = lab.bench.run("cluster", "connect", second_factor)
    assert "run this in a terminal" in without.stderr
    status, seen = at_a_terminal(lab, "cluster", "connect", second_factor, answer="000000")
    assert (status != 0, "0 logins open, 2 failed" in seen) == (True, True), seen
    assert CODE not in seen

    status, seen = at_a_terminal(lab, "cluster", "connect", second_factor, answer=CODE)
    assert status == 0, seen
    assert all(f"{host}: logged in" in seen for host in lab.hosts)
    assert {host: logins(host) - before[host] for host in lab.hosts} == dict.fromkeys(lab.hosts, 1)

    record = launched(lab, lab.bench.manifest(tmp_path / "job", "echo trained"), second_factor)
    assert (record["state"], record["learners"], record["ranks"]) == ("COMPLETED", 2, 2)
    doctor = lab.bench.run("doctor", "--cluster", second_factor, "--json", timeout=300)
    reached = [one["verdict"] for one in json.loads(doctor.stdout)["findings"] if one["check"] == "reach"]
    assert reached == ["ok", "ok"]
    again = json.loads(lab.bench.ok("cluster", "connect", second_factor, "--json").stdout)
    assert again == {"open": [{"host": host, "new": False} for host in lab.hosts], "failed": []}
    assert {host: logins(host) - before[host] for host in lab.hosts} == dict.fromkeys(lab.hosts, 1)

    assert sorted(close(lab, second_factor)) == sorted(lab.hosts)
    assert "authentication failed for root" in lab.bench.run("doctor", "--cluster", second_factor).stdout
