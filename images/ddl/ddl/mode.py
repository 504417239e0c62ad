"""The options string, ``-mode <c>:<dims>``: how to reduce, and over which arrangement of GPUs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

ALGORITHMS = {"b": "hierarchical", "n": "NCCL", "r": "ring", "m": "MPI", "p": "explore and pick"}

_SHAPE = re.compile(rf"-mode\s+([{''.join(ALGORITHMS)}]):([1-9]\d*(?:x[1-9]\d*){{0,3}})")


@dataclass(frozen=True)
class Mode:
    """How to reduce.

    Attributes:
        algorithm: a key of `ALGORITHMS`. This version always uses MPI's own allreduce, whatever is asked for.
        dims: GPUs per host, hosts, racks, aisles; at least the first.
    """

    algorithm: str
    dims: tuple[int, ...]

    @property
    def ranks(self) -> int:
        """Number of ranks that the dims stand for: their product."""
        return math.prod(self.dims)

    def __str__(self) -> str:
        return f"-mode {self.algorithm}:{'x'.join(map(str, self.dims))}"


def parse_mode(options: str, ranks: int) -> Mode:
    """Read an options string such as ``-mode p:1x2``.

    Args:
        options: the whole string; ``-mode`` is the only option there is.
        ranks: how many ranks the job has.
    Raises:
        ValueError: the string has another form, or its dims stand for another number of ranks.
    """
    match = _SHAPE.fullmatch(options.strip())
    if match is None:
        letters = ", ".join(f"{letter} ({name})" for letter, name in ALGORITHMS.items())
        raise ValueError(
            f"ddl: cannot read the options {options!r}: expected '-mode <c>:<GPUs per host>x<hosts>', "
            f"such as '-mode p:1x2', where <c> is one of {letters}"
        )
    mode = Mode(match[1], tuple(int(dim) for dim in match[2].split("x")))
    if mode.ranks != ranks:
        raise ValueError(f"ddl: '{mode}' is for {mode.ranks} ranks, but this job has {ranks}")
    return mode
