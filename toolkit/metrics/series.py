"""A run's measurements over time: what its ranks reported, and what its hosts did. Values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One measurement.

    Attributes:
        at: seconds since 1970.
        step: the program's own step, None where it named none.
    """

    at: float
    value: float
    step: int | None = None


@dataclass(frozen=True)
class Series:
    """One quantity over time.

    Attributes:
        name: as the program named it, such as `loss`, or a host's quantity, such as `cpu` or `gpu0.memory`.
        source: `rank 0`, or a host's name; `this machine` for a run without hosts.
        unit: such as `bytes`, `bytes/s`, `percent` or `seconds`; empty for a number without one.
        points: in the order of their time.
    """

    name: str
    source: str
    unit: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class RunMetrics:
    """All series of a run, by source and name."""

    ranks: tuple[Series, ...] = ()
    hosts: tuple[Series, ...] = ()
