"""Hosts of a lab, what can be done to them, and what is left on them; and the fixtures `cluster` and `healed`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..real.bench import EXAMPLE, MANIFEST, Bench
from ..real.lab import NEW_FILES, RealLab
from .local import STOP
from .shell import docker, processes_of

EMPTY = {"containers": "", "volumes": "", "mounts": "", "files": "", "processes": ""}
LOOK = {
    "containers": "docker ps --all --format '{{.Names}}'",
    "volumes": "docker volume ls --format '{{.Name}}'",
    "mounts": "grep rclone /proc/mounts | cut -d' ' -f2; true",
    "files": NEW_FILES,
    "processes": "ps -eo args | grep -E '[r]clone|[t]oolkit.agent|[m]pirun|[o]rted|[p]rogram.py'; true",
}
SWEEP = """
docker rm --force $(docker ps --all --quiet)
grep rclone /proc/mounts | cut -d' ' -f2 | xargs --no-run-if-empty umount --force --lazy
docker volume rm $(docker volume ls --quiet)
rm -rf /var/tmp/toolkit
"""


@pytest.fixture(scope="module")
def cluster(lab: RealLab, bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's cluster file with short deadlines; the digits in its own home; the images on its hosts."""
    folder = tmp_path_factory.mktemp("cluster")
    subprocess.run([sys.executable, EXAMPLE / "make_digits.py", folder / "digits"], check=True, capture_output=True)
    lab.bench.ok("bucket", "put", MANIFEST, folder / "digits")
    file = folder / "lab.yml"
    text = lab.cluster_file.read_text()
    file.write_text(f"{text}deadlines: {{start: 60, stop: {STOP}, store: 15, lost: 15}}\n")
    lab.bench.ok("launch", lab.bench.manifest(folder / "first", "true"), "--cluster", file, timeout=580)
    return file


@pytest.fixture(autouse=True)
def healed(lab: RealLab) -> Iterator[None]:
    """Whatever was done to a host is undone; what a test that failed has left there is no other test's."""
    yield
    for host in lab.hosts:
        heal(host)
        if left_on(host) != EMPTY:
            on(host, SWEEP, check=False)


def container(host: str) -> str:
    """A lab host's container on this machine."""
    return f"toolkit-lab-{host}"


def on(host: str, command: str, *, check: bool = True) -> str:
    """A command on a lab host through this machine's engine: also where its network is cut."""
    return docker("exec", container(host), "sh", "-c", command, check=check)


def cut_network(host: str, run: str) -> None:
    """Nothing comes in or goes out any more."""
    on(host, "iptables -I INPUT -i eth0 -j DROP && iptables -I OUTPUT -o eth0 -j DROP")


def stop_engine(host: str, run: str) -> None:
    """As an operator does, or a package's upgrade."""
    on(host, "service docker stop")


def kill_learner(host: str, run: str) -> None:
    """A learner's container."""
    on(host, f"docker kill $(docker ps --quiet --filter name=toolkit-{run}-learner)")


def kill_agent(host: str, run: str) -> None:
    """The container that mounts, stores and judges."""
    on(host, f"docker kill toolkit-{run}-agent")


def heal(host: str) -> None:
    """The network is there again, and the engine."""
    on(host, "while iptables -D INPUT -i eth0 -j DROP 2>/dev/null; do :; done", check=False)
    on(host, "while iptables -D OUTPUT -o eth0 -j DROP 2>/dev/null; do :; done", check=False)
    if not docker("exec", container(host), "docker", "version", "--format", "{{.Server.Version}}", check=False):
        on(host, "service docker start")
        deadline = time.monotonic() + 60
        while not docker("exec", container(host), "docker", "version", "--format", "{{.Server.Version}}", check=False):
            assert time.monotonic() < deadline, f"the engine of {host} does not start"
            time.sleep(0.5)


def left_on(host: str) -> dict[str, str]:
    """Everything of runs that a host knows of."""
    return {what: on(host, command, check=False) for what, command in LOOK.items()}


def wait_until_empty(host: str, timeout: float = 100) -> None:
    """Nothing of any run is on the host, in the end."""
    deadline = time.monotonic() + timeout
    while (left := left_on(host)) != EMPTY:
        assert time.monotonic() < deadline, f"{host}: {left}"
        time.sleep(1)


def wait_until_gone_here(run: str, timeout: float = 60) -> None:
    """Nor is anything of it on the operator's machine: an embedded store, an ssh."""
    deadline = time.monotonic() + timeout
    while left := docker("ps", "--all", "--quiet", "--filter", f"label=toolkit.run={run}").split() + processes_of(run):
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
