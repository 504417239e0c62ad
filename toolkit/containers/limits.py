"""What a container may use at most, as the words of `docker run`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

OWN_PROCESSES = 4096
"""Processes and threads of a container of the tool's own: rclone starts a thread for each read that a disk delays."""


@dataclass(frozen=True)
class Limits:
    """Bytes of memory, how many CPUs, which of them, how many processes and threads; 0 or empty: all there is."""

    memory: int = 0
    cpus: float = 0
    cpuset: str = ""
    processes: int = 0

    @property
    def words(self) -> list[str]:
        """The words of `docker run`. No swap on top: a program that takes too much is killed, and not slowed down."""
        memory = ["--memory", str(self.memory), "--memory-swap", str(self.memory)] if self.memory else []
        cpus = ["--cpus", f"{self.cpus:g}"] if self.cpus else []
        processes = ["--pids-limit", str(self.processes)] if self.processes else []
        return [*memory, *cpus, *(["--cpuset-cpus", self.cpuset] if self.cpuset else []), *processes]


NO_LIMITS = Limits()


def confined(processes: int = OWN_PROCESSES) -> list[str]:
    """The words of `docker run` for a container of the tool's own: no program in it gains a privilege that it was not
    started with, and it takes so many processes and threads at most."""
    return ["--security-opt", "no-new-privileges", "--pids-limit", str(processes)]
