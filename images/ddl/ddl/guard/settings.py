"""Settings of the divergence guard: from ``DDL_OPTIONS``, which takes precedence, and from environment variables."""

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
        tolerance: the largest relative difference that is ignored, for hosts whose arithmetic differs in the last bits.
        exclude: `fnmatch` patterns of names of variables that are meant to differ.
    """

    interval: int = 100
    tolerance: float = 1e-3
    exclude: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"-guard {self.interval} -guard-tolerance {self.tolerance:g}, excluded: {','.join(self.exclude) or '-'}"


def read_settings(options: str, environ: Mapping[str, str]) -> Settings:
    """Read the guard's settings.

    Args:
        options: all of ``DDL_OPTIONS``; used are ``-guard STEPS`` and ``-guard-tolerance NUMBER``.
        environ: ``DDL_GUARD`` and ``DDL_GUARD_TOLERANCE`` apply if those are not in `options`; ``DDL_GUARD_EXCLUDE``
            has patterns separated by commas. An empty value counts as unset.
    Raises:
        ValueError: an invalid value.
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
