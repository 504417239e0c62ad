"""A lab of two hosts for tests; it is named after this process, so it meets no person's own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bench import Bench

NAME = f"lab-test-{os.getpid()}"

NEW_FILES = (
    "find /tmp /var/tmp /root -newer /etc/hostname -type f -not -path '/root/.ssh/*' "
    "-not -name 'containerd.*.stacks.log'; true"
)
"""Prints what is new on a host; the engine of a busy host makes containerd write its stacks to /tmp."""


@dataclass(frozen=True)
class RealLab:
    """A lab that is up: `facts` are those of `toolkit lab up --json`; `bench` has the home that holds its key."""

    name: str
    bench: Bench
    facts: dict[str, Any]

    @property
    def cluster_file(self) -> Path:
        """What `toolkit launch --cluster` takes."""
        return Path(self.facts["cluster_file"])

    @property
    def hosts(self) -> list[str]:
        """Their names."""
        return [host["name"] for host in self.facts["hosts"]]

    def address(self, host: str) -> str:
        """A host's address on the lab's network."""
        return str(next(one["address"] for one in self.facts["hosts"] if one["name"] == host))

    def ssh(
        self, host: str, *words: str, user: str = "root", known_hosts: Path | None = None, data: bytes | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there by OpenSSH's own client, as any person would; its words reach the host's shell."""
        options = [
            *("-F", "none", "-i", self.facts["identity"], "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"),
            *("-o", f"UserKnownHostsFile={known_hosts or self.facts['known_hosts']}"),
            *("-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes"),
        ]
        done = subprocess.run(
            ["ssh", *options, f"{user}@{self.address(host)}", *words],
            input=data,
            capture_output=True,
            timeout=120,
            check=False,
        )
        output, errors = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        return subprocess.CompletedProcess(done.args, done.returncode, output, errors)

    def ok(self, host: str, *words: str, user: str = "root", data: bytes | None = None) -> str:
        """A command that must succeed; what it printed."""
        done = self.ssh(host, *words, user=user, data=data)
        assert done.returncode == 0, f"{host}: {words}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def give(self, host: str, image: str) -> None:
        """Give the host's engine an image of this machine's."""
        saved = subprocess.run(["docker", "save", image], check=True, capture_output=True).stdout
        self.ok(host, "docker load", data=saved)


def bring_up(bench: Bench, name: str = NAME, hosts: int = 2) -> RealLab:
    """`toolkit lab up`."""
    done = bench.ok("lab", "up", "--hosts", hosts, "--name", name, "--json", timeout=580)
    return RealLab(name, bench, json.loads(done.stdout))


@contextmanager
def up(home: Path, name: str) -> Iterator[RealLab]:
    """A lab of two hosts, which are gone afterwards; `home` holds its key."""
    bench = Bench(home)
    try:
        yield bring_up(bench, name)
    finally:
        bench.ok("lab", "down", "--name", name)
