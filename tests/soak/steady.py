"""A run that lasts as long as the soak, on a host of its own, and what its long-lived processes use meanwhile."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..faults.lab_hosts import on
from ..faults.shell import Shell
from ..real.bench import Bench

PROGRAM = """
import os, time
from pathlib import Path
number = 0
while True:
    number += 1
    Path(os.environ["RESULT_DIR"], "state-%d" % (number % 10)).write_bytes(os.urandom(50_000))
    print("step", number, "loss 0.1234 accuracy 0.5678", flush=True)
    time.sleep(0.25)
"""
_LOOK = """
for place in /proc/[0-9]*; do
  line=$(tr '\\0' ' ' < $place/cmdline) 2>/dev/null
  case $line in
    *toolkit.agent*) name=agent ;;
    *in_container.supervise*) name=supervisor ;;
    *'rclone '*mount*) name='rclone mount' ;;
    */usr/bin/mpirun*) name=mpirun ;;
    *) continue ;;
  esac
  set -- $(grep VmRSS $place/status)
  echo "$name|$2|$(ls $place/fd | wc -l)"
done
"""


@dataclass(frozen=True)
class Use:
    """What a process used at a moment: resident memory in kB, open descriptors."""

    memory: int
    descriptors: int


@dataclass
class Processes:
    """Samples of each long-lived process, by its name. Two with one name are counted together."""

    samples: dict[str, list[Use]] = field(default_factory=lambda: defaultdict(list))

    def look(self, host: str, follower: int) -> None:
        """Add a sample of each process on `host` and of the process `follower` of this machine."""
        found: dict[str, list[Use]] = defaultdict(list)
        for line in on(host, _LOOK, check=False).splitlines():
            name, memory, descriptors = line.split("|")
            found[name].append(Use(int(memory), int(descriptors)))
        found["toolkit launch"].append(_own(follower))
        for name, uses in found.items():
            self.samples[name].append(Use(sum(one.memory for one in uses), sum(one.descriptors for one in uses)))

    def growth(self) -> Iterator[tuple[str, Use, Use]]:
        """Each process's medians of the second and the last quarter of the time: the first one is its start."""
        for name, uses in sorted(self.samples.items()):
            quarter = max(len(uses) // 4, 1)
            yield name, _median(uses[quarter : 2 * quarter] or uses), _median(uses[-quarter:])


def is_flat(before: Use, after: Use) -> bool:
    """Whether the growth is no more than noise: a tenth or four megabytes of memory, three descriptors."""
    allowed = max(before.memory // 10, 4_000)
    return after.memory <= before.memory + allowed and after.descriptors <= before.descriptors + 3


@contextmanager
def steady_run(bench: Bench, manifest: Path, cluster: Path) -> Iterator[Shell]:
    """A run of `PROGRAM`, followed while the context lasts; then stopped, which must store what it wrote."""
    shell = Shell(bench, "launch", manifest, "--cluster", cluster)
    shell.until("step 4")
    yield shell
    bench.ok("stop", shell.run)
    assert shell.end() == 130, shell.said[-3000:]


def _median(uses: list[Use]) -> Use:
    return Use(
        int(statistics.median(one.memory for one in uses)), int(statistics.median(one.descriptors for one in uses))
    )


def _own(process: int) -> Use:
    place = Path("/proc", str(process))
    memory = next(line for line in (place / "status").read_text().splitlines() if line.startswith("VmRSS"))
    return Use(int(memory.split()[1]), sum(1 for _ in (place / "fd").iterdir()))
