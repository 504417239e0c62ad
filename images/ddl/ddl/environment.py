"""The rank of this process, from the four environment variables that Open MPI's mpirun sets.

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


CPU_BUILD = "the CPU only"


@dataclass
class ScalingState:
    """Whether the program has read the `size` (otherwise it cannot have scaled its learning rate), or had it
    `scaled`.
    """

    size: bool = False
    scaled: bool = False


scaling_state = ScalingState()


@dataclass(frozen=True)
class Place:
    """A process's position among all the ranks of a job; by default, the only one."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def num_hosts(self) -> int:
        """Number of hosts, if each has as many ranks as this one (the last may have fewer)."""
        return -(-self.size // self.local_size)

    @property
    def host(self) -> int:
        """0-based number of this rank's host, if ranks fill one host after the other."""
        return self.rank // self.local_size


def read_place(environ: Mapping[str, str]) -> Place:
    """Read a process's place from its environment.

    Returns:
        The place; ``Place()``, a single process, if none of the four variables is set.
    Raises:
        ValueError: only some of the four are set, or one is not a number. A rank that took itself for the only one
            would silently train by itself.
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
        raise ValueError(f"ddl: mpirun's environment has a value that is not a number: {found}") from None


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
    scaling_state.size = True
    return place().size


def local_rank() -> int:
    """This process's number on its host, from 0; also the number of its GPU. 0 outside MPI."""
    return place().local_rank


def num_hosts() -> int:
    """Number of hosts in the job; 1 outside MPI."""
    return place().num_hosts


def allocated_gpus() -> int:
    """Number of GPUs that ``toolkit launch`` allocated to this learner; 0 if none, or if something else started the
    ranks.
    """
    value = os.environ.get("TOOLKIT_GPUS", "")
    return int(value) if value.isdigit() else 0


def no_gpu_message(given: int, framework: str, version: str, needs: str) -> str:
    """The message for a rank whose framework sees none of its ``given`` GPUs: it would silently train on the CPU."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    why = "a missing CUDA or cuDNN library (named in the warnings above), or a driver that is too old"
    if hidden is not None and hidden.strip() in ("", "-1"):
        why = f"CUDA_VISIBLE_DEVICES={hidden!r} hides them"
    rank = os.environ.get("OMPI_COMM_WORLD_RANK", "?")
    return (
        f"ddl: rank {rank} was given {given} GPU{'s' if given > 1 else ''}, but {framework} {version} sees none and"
        f" would train on the CPU; it is built for {needs}. Likely cause: {why}. Look at the host: toolkit doctor"
    )
