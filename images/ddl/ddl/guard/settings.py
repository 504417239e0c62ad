"""How the divergence guard is set: by options of ``DDL_OPTIONS``, which come first, and by variables."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

STEPS = re.compile(r"\d{1,9}")
NUMBER = re.compile(r"\d+(\.\d*)?(e[-+]?\d+)?|\.\d+(e[-+]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """How often ranks compare their weights, and what counts as a difference.

    Attributes:
        interval: in optimizer steps; 0: never.
        tolerance: the largest relative difference that is none: hosts whose arithmetic differs in the last bits.
        exclude: patterns, as `fnmatch` has them, of names of variables that are meant to differ.
    """

    interval: int = 100
    tolerance: float = 1e-3
    exclude: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"-guard {self.interval} -guard-tolerance {self.tolerance:g}, excluded: {','.join(self.exclude) or '-'}"


def read_settings(options: str, environ: Mapping[str, str]) -> Settings:
    """Read the guard's settings.

    Args:
        options: all of ``DDL_OPTIONS``; of interest are ``-guard STEPS`` and ``-guard-tolerance NUMBER``.
        environ: ``DDL_GUARD`` and ``DDL_GUARD_TOLERANCE`` hold where those are not in `options`;
            ``DDL_GUARD_EXCLUDE`` has patterns with commas in between. An empty one is as good as none.
    Raises:
        ValueError: one of them is not what it should be.
    """
    words = options.split()
    given = dict(zip(words[::2], words[1::2], strict=False))
    steps = given.get("-guard") or environ.get("DDL_GUARD", "").strip()
    tolerance = given.get("-guard-tolerance") or environ.get("DDL_GUARD_TOLERANCE", "").strip()
    if steps and not STEPS.fullmatch(steps):
        raise ValueError(
            f"ddl: DDL_GUARD (or -guard) must be a whole number of steps after which ranks compare their weights, "
            f"such as {Settings.interval}, or 0 for never, not {steps!r}"
        )
    if tolerance and not (NUMBER.fullmatch(tolerance) and math.isfinite(float(tolerance))):
        raise ValueError(
            f"ddl: DDL_GUARD_TOLERANCE (or -guard-tolerance) must be a relative difference, such as "
            f"{Settings.tolerance}, or 0 for none, not {tolerance!r}"
        )
    patterns = (pattern.strip() for pattern in environ.get("DDL_GUARD_EXCLUDE", "").split(","))
    return Settings(
        int(steps) if steps else Settings.interval,
        float(tolerance) if tolerance else Settings.tolerance,
        tuple(sorted(filter(None, patterns))),
    )
