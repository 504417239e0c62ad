"""What the kernel says about a host, read from its files: the same inside a container, but for the network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_SECTOR = 512
"""Bytes; what /proc/diskstats counts in, whatever the disk's own sectors are."""
_STACKED = ("loop", "ram", "zram", "dm-", "md", "sr")


@dataclass(frozen=True)
class Counters:
    """A host at one moment.

    Attributes:
        busy, total: ticks of all cores since boot.
        read, written: bytes of its disks since boot.
        memory, memory_free: bytes in use, and bytes that programs could still get.
        disk_free: bytes, on the disk that has the run's files.
    """

    busy: int
    total: int
    read: int
    written: int
    memory: int
    memory_free: int
    disk_free: int


def read_counters(folder: str, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> Counters:
    """The host now; `folder` is on the run's disk. Raises `OSError` or `ValueError` if the kernel does not say."""
    with (proc / "stat").open() as file:  # its first line alone: the rest is long on a large host
        busy, total = cpu_ticks(file.readline())
    memory, free = memory_use((proc / "meminfo").read_text())
    read, written = disk_bytes((proc / "diskstats").read_text(), sys)
    disk = os.statvfs(folder)
    return Counters(busy, total, read, written, memory, free, disk.f_bavail * disk.f_frsize)


def cpu_ticks(line: str) -> tuple[int, int]:
    """Busy and all ticks, from the first line of /proc/stat. Time that another guest had (`steal`) is not idle."""
    user, nice, system, idle, iowait, irq, softirq, steal = map(int, line.split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy, busy + idle + iowait


def memory_use(text: str) -> tuple[int, int]:
    """Bytes in use and still to be had, from /proc/meminfo."""
    sizes = {name: int(rest.split()[0]) << 10 for name, _, rest in (line.partition(":") for line in text.splitlines())}
    return sizes["MemTotal"] - sizes["MemAvailable"], sizes["MemAvailable"]


def disk_bytes(text: str, sys: Path) -> tuple[int, int]:
    """Bytes read and written by all disks, from /proc/diskstats. Partitions, and devices that are made of disks, would
    count twice."""
    read = written = 0
    for line in text.splitlines():
        words = line.split()
        name = words[2]
        if not name.startswith(_STACKED) and (sys / "block" / name.replace("/", "!")).exists():
            read += int(words[5]) * _SECTOR
            written += int(words[9]) * _SECTOR
    return read, written
