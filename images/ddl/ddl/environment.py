"""Which process this is: what Open MPI's mpirun says in four environment variables.

They are read from the environment, not from MPI, so that asking costs nothing: no MPI, no TensorFlow is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

_VARIABLES = (
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_SIZE",
)


CPU_BUILD = "no CUDA: it is a build for the CPU"


@dataclass
class Asked:
    """What the program has asked: `size` (without that it cannot have thought of it), or to have its rate `scaled`."""

    size: bool = False
    scaled: bool = False


asked = Asked()


@dataclass(frozen=True)
class Place:
    """A process's place among all the ranks of a job; as it comes, the only one."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def num_hosts(self) -> int:
        """Number of hosts, where each has as many ranks as this one (the last may have fewer)."""
        return -(-self.size // self.local_size)

    @property
    def host(self) -> int:
        """0-based number of this rank's host, where ranks fill one host after the other."""
        return self.rank // self.local_size


def read_place(environ: Mapping[str, str]) -> Place:
    """Read a process's place from its environment.

    Returns:
        The place; ``Place()``, one process alone, where none of the four variables is set.
    Raises:
        ValueError: only some of the four are set, or one is not a number. A rank that took itself for the only one
            would train by itself and say nothing.
    """
    missing = [name for name in _VARIABLES if name not in environ]
    if len(missing) == len(_VARIABLES):
        return Place()
    if missing:
        raise ValueError(f"ddl: mpirun's environment is incomplete: {', '.join(missing)} not set")
    try:
        return Place(*(int(environ[name]) for name in _VARIABLES))
    except ValueError:
        found = ", ".join(f"{name}={environ[name]!r}" for name in _VARIABLES)
        raise ValueError(f"ddl: mpirun's environment has something that is no number: {found}") from None


def place() -> Place:
    """This process's place. Raises as `read_place` does."""
    return read_place(os.environ)


def under_mpi() -> bool:
    """Whether mpirun started this process (with one rank, too)."""
    return any(name in os.environ for name in _VARIABLES)


def rank() -> int:
    """This process's number, from 0 to ``size() - 1``; 0 outside MPI."""
    return place().rank


def size() -> int:
    """Number of ranks in the job; 1 outside MPI."""
    asked.size = True
    return place().size


def local_rank() -> int:
    """This process's number on its host, from 0; also the number of its GPU. 0 outside MPI."""
    return place().local_rank


def num_hosts() -> int:
    """Number of hosts in the job; 1 outside MPI."""
    return place().num_hosts


def given_gpus() -> int:
    """How many GPUs ``toolkit launch`` gave this learner; 0 where it gave none, or something else started the ranks."""
    value = os.environ.get("TOOLKIT_GPUS", "")
    return int(value) if value.isdigit() else 0


def none_seen(given: int, framework: str, version: str, needs: str) -> str:
    """The message for a rank whose framework sees none of the ``given`` GPUs: it would train on the CPU unnoticed."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    why = "a library of CUDA or cuDNN that is missing (its warnings above name it), or a driver that is too old"
    if hidden is not None and hidden.strip() in ("", "-1"):
        why = f"CUDA_VISIBLE_DEVICES={hidden!r} hides them"
    rank = os.environ.get("OMPI_COMM_WORLD_RANK", "?")
    return (
        f"ddl: rank {rank} was given {given} GPU{'s' if given > 1 else ''}, but {framework} {version} sees none and"
        f" would train on the CPU; it is built for {needs}. Likely cause: {why}. Look at the host: toolkit doctor"
    )
