"""The names of compute configurations: a GPU kind and the number per node, or ranks without a GPU. Pure.

Watson ML had `k80 k80x2 k80x4 p100 p100x2 v100 v100x2`. Here any kind of the compatibility table is allowed, with
any count; which of them can be placed depends on the cluster.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

CPU = "cpu"
MAX_GPUS = 16
"""Per node: as many as the largest machines have (NVIDIA's DGX-2)."""
MAX_CPU_RANKS = 256
"""Per node: as many as the largest hosts have cores; a larger count is a mistake."""
_COUNTED = re.compile(r"(.+)x(\d{1,3})")


@dataclass(frozen=True)
class Configuration:
    """What a node has: `count` GPUs of `kind`, one rank for each; or, if the kind is `cpu`, `count` ranks."""

    kind: str
    count: int

    @property
    def name(self) -> str:
        """As written in a manifest: `p100x2`, `p100`, `cpux4`."""
        return self.kind if self.count == 1 else f"{self.kind}x{self.count}"

    @property
    def gpus(self) -> int:
        """GPUs per node."""
        return 0 if self.kind == CPU else self.count


def split(name: str) -> Configuration:
    """The parts of `name`, which has been checked."""
    counted = _COUNTED.fullmatch(name)
    return Configuration(counted[1], int(counted[2])) if counted else Configuration(name, 1)


def read_configuration(name: str, kinds: Sequence[str]) -> Configuration:
    """What `name` asks for, of the GPUs `kinds`; raises `ValueError` with the reason and the nearest valid name."""
    kind, count = _parts(name, kinds)
    if kind is None:
        near = _nearest(name, kinds)
        hint = f"did you mean `{near}`? " if near else ""
        raise ValueError(
            f"unknown compute configuration `{name}`; {hint}known: {', '.join(kinds)}, {CPU}; "
            f"several in a node: `{kinds[0]}x2`, `{CPU}x4`"
        )
    most, noun = (MAX_CPU_RANKS, "ranks") if kind == CPU else (MAX_GPUS, "GPUs")
    if not 1 <= count <= most:
        instead = f"`{CPU}` asks for no GPU" if not count and kind != CPU else "`nodes` says how many nodes"
        raise ValueError(f"`{name}`: a node has 1 to {most} {noun}; {instead}")
    return Configuration(kind, count)


def name_pattern(kinds: Sequence[str]) -> str:
    """A regular expression for valid names, for both Python and JSON Schema."""
    gpus = "|".join(sorted(kinds))
    return f"(?:{gpus})(?:x(?:{_up_to(MAX_GPUS)}))?|{CPU}(?:x(?:{_up_to(MAX_CPU_RANKS)}))?"


def _up_to(most: int) -> str:
    return "|".join(str(number) for number in range(most, 0, -1))


def _parts(name: str, kinds: Sequence[str]) -> tuple[str | None, int]:
    """Kind and count; the kind is None if the name is invalid. A known kind is never split."""
    known = (*kinds, CPU)
    if name in known:
        return name, 1
    kind, _, count = name.rpartition("x")
    if kind in known and re.fullmatch(r"0|[1-9][0-9]{0,8}", count):
        return kind, int(count)
    return None, 0


def _nearest(name: str, kinds: Sequence[str]) -> str:
    """The name that was probably meant: in capitals, the count in front or after another sign, one letter wrong."""
    plain = re.sub(r"[\s_-]", "", name.lower()).replace("*", "x").replace("×", "x").replace(":", "x")
    turned = re.sub(r"^(\d{1,2})x(.+)$", r"\2x\1", plain).removeprefix("nvidia").removeprefix("tesla")
    kind, count = _parts(turned, kinds)
    if kind is None:
        counted = re.fullmatch(r"(.+?)x([0-9]{1,3})", turned)
        meant, count = (counted[1], int(counted[2])) if counted else (turned.rstrip("x"), 1)
        known = (CPU,) if meant.startswith(CPU) else kinds  # `gpu` is similar to `cpu`, and means the opposite
        kind = next(iter(get_close_matches(meant, known, n=1)), None)
    most = MAX_CPU_RANKS if kind == CPU else MAX_GPUS
    return Configuration(kind, count).name if kind and 1 <= count <= most else ""
