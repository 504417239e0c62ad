"""A lab of the benchmark's own, with a store that its hosts reach."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.compare.store import S3, serving
from benchmarks.compare.workspace import TOOLKIT, Workspace


class Lab:
    """What `toolkit lab up --json` printed."""

    def __init__(self, space: Workspace, facts: dict[str, object]) -> None:
        self.space, self._file = space, Path(str(facts["cluster_file"]))
        self.key = Path(str(facts["identity"]))
        self.hosts = [str(host["address"]) for host in facts["hosts"]]  # type: ignore[attr-defined]
        self.gateway = str(facts["operator"])
        self.network = str(facts["network"])

    def cluster(self, count: int) -> Path:
        """A cluster file with the first `count` hosts, which reach this machine at the gateway."""
        lines, kept = [], 0
        for line in self._file.read_text().splitlines():
            kept += line.lstrip().startswith("- ")
            if not line.lstrip().startswith("- ") or kept <= count:
                lines.append(line)
        file = self.space.folder / f"cluster-{count}.yml"
        file.write_text("\n".join(lines) + "\n")
        return file

    def ssh(self, host: str) -> list[str]:
        """A fresh connection, as a script makes it."""
        known = self.key.with_name("known_hosts")
        return ["ssh", "-F", "none", "-i", str(self.key), "-o", f"UserKnownHostsFile={known}", f"root@{host}"]


@contextmanager
def lab_with_store(space: Workspace, hosts: int) -> Iterator[tuple[Lab, S3]]:
    """A lab of `hosts` hosts and a store, while the context lasts."""
    try:
        lab = Lab(space, json.loads(space.run([TOOLKIT, "lab", "up", "--name", "bench", "--hosts", hosts, "--json"])))
        with serving(space, lab.gateway) as store:
            yield lab, store
    finally:
        space.run([TOOLKIT, "lab", "down", "--name", "bench"])
