"""ddlrun over ssh: this machine, and itself by another name behind an sshd of the test's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DDLRUN = Path(__file__).parents[2] / "images" / "ddl" / "bin" / "ddlrun"
CLIENT = """Host neighbour
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/user
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
  LogLevel ERROR
"""
SERVER = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile none
"""


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which `ssh neighbour` leads to this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
    for name, text in (("client", CLIENT), ("server", SERVER)):
        (tmp_path / name).write_text(text.format(port=port, folder=tmp_path))
    # ddlrun and mpirun take the person's own ssh configuration; this ssh has the test's.
    (tmp_path / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {tmp_path}/client "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd, started by root, insists on it
    with subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", tmp_path / "server"]) as server:
        yield {
            **os.environ,
            "PATH": os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        }
        server.terminate()


def ddlrun(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(DDLRUN), *words]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=120, check=False)


def test_a_rank_on_each_of_two_hosts(environ: dict[str, str]) -> None:
    here = socket.gethostname()
    say = "echo $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE, $DDL_OPTIONS, $WORD"
    done = ddlrun(environ, "-v", "-H", f"{here},neighbour", "-m", "b", "-x", "WORD=given", "sh", "-c", say)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(done.stdout.splitlines()) == [f"{rank} of 2, -mode b:1x2, given" for rank in (0, 1)]
    assert f"rank 0={here} slot=" in done.stderr
    assert "rank 1=neighbour slot=" in done.stderr


def test_a_host_that_refuses_is_reported_and_nothing_is_run(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "user.pub").write_text("")
    done = ddlrun(environ, "-H", f"{socket.gethostname()},neighbour", "sh", "-c", "echo ran")
    assert done.returncode == 3
    assert "error: neighbour: " in done.stderr and "Permission denied" in done.stderr
    assert "next: make `ssh neighbour true` work without a prompt: ssh-copy-id neighbour" in done.stderr
    assert done.stdout == ""
