"""Bytes that a host's network and the run's mounts have moved, as the container with the keys sees them: it has the
host's network, and rclone's own process."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from toolkit.agent import rc

_VIRTUAL = ("lo", "docker", "br-", "veth", "virbr", "ifb", "cni", "tun", "tap", "dummy")
_SECONDS = 2.0


class Traffic(TypedDict):
    """Bytes so far: of the host's network, and between the mounts and the store, in both directions."""

    received: int
    sent: int
    mounts: int


def traffic(proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> Traffic | None:
    """What has been moved so far; None if the kernel does not say."""
    try:
        received, sent = network(proc, sys)
    except (OSError, ValueError, IndexError):
        return None
    moved = rc.ask("core/stats", {}, seconds=_SECONDS).get("bytes")
    return {"received": received, "sent": sent, "mounts": moved if type(moved) is int else 0}


def network(proc: Path, sys: Path) -> tuple[int, int]:
    """Bytes received and sent by the host's adapters; where there is none (a host in a container), by what is not
    known to be virtual. A bridge's bytes pass an adapter, too, and would count twice."""
    counts: dict[str, tuple[int, int]] = {}
    for line in (proc / "net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        words = numbers.split()
        counts[name.strip()] = int(words[0]), int(words[8])
    adapters = [name for name in counts if (sys / "class/net" / name / "device").exists()]
    chosen = adapters or [name for name in counts if not name.startswith(_VIRTUAL)]
    return sum(counts[name][0] for name in chosen), sum(counts[name][1] for name in chosen)
