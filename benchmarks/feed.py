"""A gigabyte to a command on a host over ssh: by the system's `ssh`, as images go, and by Fabric's connection.

    python -m benchmarks.feed

Prints the time and the processor time of the tool's own process for each, in turn, three times. The host is an sshd on
this machine's loopback, so the wall time is mostly sshd's.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

from benchmarks.compare.sshds import Sshds
from toolkit.cluster.reader import read_cluster
from toolkit.hosts.cluster_hosts import Hosts

_PIECES = 1000


def fed(cluster: Path) -> tuple[float, float]:
    """Seconds, and seconds of this process's processor time."""
    with Hosts(read_cluster(cluster)) as hosts:
        hosts.each(lambda shell: shell.run(["true"]))  # connects
        start, before = time.perf_counter(), os.times()
        assert hosts.shells[0].feed(["sh", "-c", "cat >/dev/null"], (bytes(1 << 20) for _ in range(_PIECES))).ok
        after = os.times()
        return time.perf_counter() - start, after.user + after.system - before.user - before.system


def main() -> None:
    """Start an sshd, measure, end it."""
    with tempfile.TemporaryDirectory() as folder:
        sshds = Sshds(Path(folder))
        sshds.start(1)
        try:
            file = sshds.cluster_file(1)
            cluster = json.loads(file.read_text())
            for _ in range(3):
                for kind, title in (("auto", "the system's ssh"), ("fabric", "Fabric")):
                    file.write_text(json.dumps(cluster | {"ssh": kind}))
                    seconds, processor = fed(file)
                    print(f"{title:<18} {seconds:5.2f} s, of its own processor time {processor:5.2f} s", flush=True)
        finally:
            sshds.stop()


if __name__ == "__main__":
    main()
