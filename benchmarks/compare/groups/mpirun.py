"""Starting a command on the ranks of a run: over the connections that the run holds open, beside a fresh ssh to each.

Each learner is a container of this machine with an sshd of its own. Both start the very command line of the run's first
step, from learner 1, in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.compare.case import Case
from benchmarks.compare.workspace import Workspace
from benchmarks.launched import Bench

_LEARNERS = 32
_ROUNDS = 5
_REASON = (
    "without the key exchanges, what is left is the same for both: a session and Open MPI's daemon on each learner, "
    "all of them on this machine's processors."
)
_PROGRAM = '''"""Starts step 1 again and again, in turn as the run does and with a fresh ssh; prints both times."""

import json, subprocess, sys, time

with open("/run/learner/run.json") as file:
    ours = json.load(file)["steps"][0]["argv"]
fresh = [word + " -o ControlPath=none" if word.startswith("ssh -F") else word for word in ours]
assert fresh != ours
for _ in range(int(sys.argv[1])):
    seconds = []
    for argv in (ours, fresh):
        began = time.perf_counter()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    print("SECONDS", *seconds, flush=True)
'''


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """One, with as many learners as sshds."""
    starts = Starts(space.folder)
    title = f"mpirun, from its call to its end, {_LEARNERS} sshds"
    peer = "mpirun with a fresh ssh to each"
    yield [Case("mpirun-32", title, peer, 0.3, starts.ours, starts.theirs, _REASON, _ROUNDS)]


class Starts:
    """Pairs of measurements, all of one run."""

    def __init__(self, folder: Path) -> None:
        self._bench, self._folder = Bench(folder), folder
        self._pairs = list[tuple[float, float]]()
        self._theirs = 0.0

    def ours(self) -> float:
        """Seconds over connections that are open."""
        if not self._pairs:
            self._pairs = self._run()
        ours, self._theirs = self._pairs.pop(0)
        return ours

    def theirs(self) -> float:
        """Seconds with a fresh ssh, measured just after `ours`."""
        return self._theirs

    def _run(self) -> list[tuple[float, float]]:
        program = self._folder / "starts.py"
        program.write_text(_PROGRAM)
        self._bench.make([program])
        self._bench.build()
        printed = self._bench.launch(["true", f"python starts.py {_ROUNDS + 1}"], "cpu", _LEARNERS, last="one")
        return [(float(words[1]), float(words[2])) for words in printed if words[:1] == ["SECONDS"]]
