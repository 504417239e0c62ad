"""What small files cost when they are written through a mount: one option of `rclone mount` changed at a time.

    python -m benchmarks.small_files [--files N] [--rounds N]

Prints medians, and the least and the most, of the rounds (default 5), in which the ways take turns: the wall time of
one process that writes N files of 10 kB (default 3,000) into a bucket of `rclone serve s3`, and the mount's processor
time. "as in a run" is what a launch mounts (`toolkit.storage.sidecar.mount_options`), with its cache in a volume. Needs
Docker Engine and the bucket image (`toolkit build`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.compare.groups.results import CACHE, Amount, Results
from benchmarks.compare.store import serving
from benchmarks.compare.workspace import Workspace
from benchmarks.launched import load

_PLAIN = ("--vfs-cache-mode", "writes", "--cache-dir", CACHE)
_RUN = (
    *("--vfs-cache-mode", "full", "--vfs-write-back", "1s", "--vfs-cache-max-age", "87600h"),
    *("--dir-cache-time", "5s", "--vfs-fast-fingerprint", "--use-server-modtime", "--cache-dir", CACHE),
)
_WAYS = {
    "as in a run": _RUN,
    "--dir-cache-time 5m instead of 5s": (*_RUN, "--dir-cache-time", "5m"),
    "--vfs-write-back 30s instead of 1s": (*_RUN, "--vfs-write-back", "30s"),
    "plain, --vfs-cache-mode writes": _PLAIN,
}


def main() -> None:
    """Measure all ways in turn, after a mount that does not count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    words = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in _WAYS}
    with tempfile.TemporaryDirectory(prefix="toolkit-small-files-") as name:
        space = Workspace(Path(name))
        with serving(space, "127.0.0.1") as store:
            results = Results(space, store, Amount("small", f"{words.files} × 10 kB", words.files, 10_000))
            results.write_to_mount()
            for _ in range(words.rounds):
                for way, options in _WAYS.items():
                    with results.mounted(*options) as write:
                        wall = write()
                        used = processor_seconds(results.in_mount("sh", "-c", "cat /proc/[0-9]*/stat"))
                    found[way].append((wall, used))
    print(f"{'rclone mount':<36}{'wall':>22}{'processor':>22}")
    for way, pairs in found.items():
        print(f"{way:<36}" + "".join(f"{_shown(values):>22}" for values in zip(*pairs, strict=True)))
    print(load())


def _shown(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} s ({min(values):.1f} to {max(values):.1f})"


def processor_seconds(stats: str) -> float:
    """Of the processes called rclone, from the lines of their /proc/PID/stat."""
    lines = [line.rpartition(")")[2].split() for line in stats.splitlines() if "(rclone)" in line]
    return sum(int(words[11]) + int(words[12]) for words in lines) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
