"""The options string, ``-mode <c>:<dims>``: the algorithm, and the arrangement of GPUs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ddl.guard import settings

ALGORITHMS = {"b": "hierarchical", "n": "NCCL", "r": "ring", "m": "MPI", "p": "explore and pick"}

_SHAPE = re.compile(rf"([{''.join(ALGORITHMS)}]):([1-9]\d*(?:x[1-9]\d*){{0,3}})")
# Further options of the engine; see engine.h.
_SECONDS = re.compile(r"\d+(\.\d+)?")
_OTHERS = {
    "-wire": re.compile("fp16|bf16"),
    "-stall": _SECONDS,
    "-start": _SECONDS,
    "-explore": _SECONDS,
    "-guard": settings.STEPS,
    "-guard-tolerance": settings.NUMBER,
}


@dataclass(frozen=True)
class Mode:
    """The allreduce mode.

    Attributes:
        algorithm: a key of `ALGORITHMS`.
        dims: GPUs per host, hosts, racks, aisles; at least the first.
    """

    algorithm: str
    dims: tuple[int, ...]

    @property
    def ranks(self) -> int:
        """Number of ranks: the product of the dims."""
        return math.prod(self.dims)

    def __str__(self) -> str:
        return f"-mode {self.algorithm}:{'x'.join(map(str, self.dims))}"


def parse_mode(options: str, ranks: int) -> Mode:
    """Parse an options string such as ``-mode p:1x2``.

    Args:
        options: the whole string; besides ``-mode`` there are ``-wire fp16|bf16`` (32-bit floats are sent between hosts
            in 16 bits), ``-stall SECONDS`` (after which a missing rank is reported), ``-start SECONDS`` (after which
            the job ends if a rank has not started ddl), ``-explore SECONDS`` (time limit of the measurements at start,
            if ``<c>`` is ``p``), ``-guard STEPS`` and ``-guard-tolerance NUMBER`` (see `ddl.guard.settings`).
        ranks: number of ranks of the job.
    Raises:
        ValueError: malformed, or the dims are for another number of ranks.
    """
    words = options.split()
    values = dict(zip(words[::2], words[1::2], strict=False))
    match = _SHAPE.fullmatch(values.pop("-mode", ""))
    others_read = all(name in _OTHERS and _OTHERS[name].fullmatch(value) for name, value in values.items())
    if match is None or len(words) != 2 * (len(values) + 1) or not others_read:
        letters = ", ".join(f"{letter} ({name})" for letter, name in ALGORITHMS.items())
        raise ValueError(
            f"ddl: cannot read the options {options!r}: expected '-mode <c>:<GPUs per host>x<hosts>', "
            f"such as '-mode p:1x2', where <c> is one of {letters}; then -wire fp16|bf16, -stall SECONDS, "
            "-start SECONDS, -explore SECONDS, -guard STEPS (0: off) and -guard-tolerance NUMBER, if any"
        )
    mode = Mode(match[1], tuple(int(dim) for dim in match[2].split("x")))
    if mode.ranks != ranks:
        raise ValueError(f"ddl: '{mode}' is for {mode.ranks} ranks, but this job has {ranks}")
    return mode
