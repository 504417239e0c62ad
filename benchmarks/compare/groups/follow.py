"""Following a run: 1,000,000 lines of 4 ranks on a host, as `toolkit launch` prints them; beside `ssh HOST cat`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.compare.case import Case
from benchmarks.compare.lab import Lab, lab_with_store
from benchmarks.compare.store import S3
from benchmarks.compare.workspace import TOOLKIT, Workspace
from benchmarks.launched import write_manifest

_LINES, _FEW, _RANKS = 1_000_000, 1_000, 4
_PASSED = (
    "the program's four ranks print meanwhile, and each line passes mpirun, the supervisor, which writes the log, and "
    "the agent's stream; the peer reads a file that is there."
)
_PRINTS = '''"""Prints LINES lines in all, an equal share on each rank."""

import os, sys
rank, size = (int(os.environ["OMPI_COMM_WORLD_" + name]) for name in ("RANK", "SIZE"))
for number in range(int(sys.argv[1]) // size):
    print(f"line {number:07} of rank {rank}: loss 0.1234 accuracy 0.5678")
'''


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """Time, and memory beside a thousandth of the lines."""
    with lab_with_store(space, 1) as (lab, store):
        follow = Following(space, lab, store)
        title = f"following {_LINES:,} lines of {_RANKS} ranks"
        yield [
            Case("follow-time", title, "ssh HOST cat", 2, follow.seconds, follow.seconds_of_cat, _PASSED, 3),
            Case(
                *("follow-memory", f"most memory of `toolkit launch`, {_LINES:,} lines", f"{_FEW:,} lines", 1.1),
                *(lambda: follow.megabytes(_LINES), lambda: follow.megabytes(_FEW)),
                unit="MB",
                rounds=3,
            ),
        ]


class Following:
    """Launches on the lab's host, whose standard output is a pipe."""

    def __init__(self, space: Workspace, lab: Lab, store: S3) -> None:
        self._space, self._lab, self._store = space, lab, store
        self._cat = [*lab.ssh(lab.hosts[0]), "cat /root/lines"]
        line = "[3] line 0000000 of rank 3: loss 0.1234 accuracy 0.5678"
        space.run([*lab.ssh(lab.hosts[0]), f"yes {shlex.quote(line)} | head -{_LINES} > /root/lines"])

    def seconds(self) -> float:
        """From the first line of a rank to the last one."""
        return self._launch(_LINES)[0]

    def megabytes(self, lines: int) -> float:
        """The command's own resident memory at its most."""
        return self._launch(lines)[1]

    def seconds_of_cat(self) -> float:
        """The same number of bytes from a file on the host, from the first one on."""
        with subprocess.Popen(self._cat, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            start = time.perf_counter()
            count = 1 + sum(1 for _ in process.stdout)
            seconds = time.perf_counter() - start
        if process.returncode or count != _LINES:
            sys.exit(f"{self._cat}: status {process.returncode}, {count} lines")
        return seconds

    def _launch(self, lines: int) -> tuple[float, float]:
        code = self._space.folder / "code"
        code.mkdir(exist_ok=True)
        (code / "prints.py").write_text(_PRINTS)
        steps = {"command": f"python prints.py {lines}"}
        manifest = write_manifest(code, steps, f"cpux{_RANKS}", 1, **self._store.references)
        argv = [str(word) for word in (TOOLKIT, "launch", "--cluster", self._lab.cluster(1), manifest)]
        environment = {**os.environ, **self._space.variables, **self._store.keys}
        process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        first = last = 0.0
        count, rest = 0, b""
        assert process.stdout is not None
        for text in process.stdout:
            if text.startswith(b"[") and b"] line " in text:
                count, last = count + 1, time.perf_counter()
                first = first or last
            else:
                rest = (rest + text)[-3000:]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode or count != lines:
            sys.exit(f"{argv}: status {process.returncode}, {count} lines\n{rest.decode(errors='replace')}")
        return last - first, usage.ru_maxrss / 1000
