"""How fast a link is, and what is compressed for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import pytest

from toolkit.process import Result
from toolkit.shipping.hosts import link


class Wire:
    """A host that takes so many bytes per second (0: at once)."""

    def __init__(self, rate: float) -> None:
        self._rate, self.taken = rate, 0

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        for piece in pieces:
            self.taken += len(piece)
            time.sleep(len(piece) / self._rate if self._rate else 0)
        return Result(tuple(argv), 0, "", "")


def test_a_link_is_measured_with_a_bounded_number_of_bytes() -> None:
    wire = Wire(0)
    assert link.measure(wire) > 1e9  # type: ignore[arg-type]
    assert wire.taken == (17 + 128) << 18


def test_a_slow_link_is_measured_for_a_moment() -> None:
    wire = Wire(20e6)
    assert 5e6 < link.measure(wire) <= 20e6  # type: ignore[arg-type]
    assert wire.taken < 20 << 20


@pytest.mark.parametrize(
    ("rate", "cores", "packed"),
    [(1e6, 8, True), (12e6, 1, True), (50e6, 8, True), (50e6, 1, False), (117e6, 8, False), (400e6, 64, False)],
    ids=["DSL", "100 Mbit/s", "400 Mbit/s", "400 Mbit/s and no core to spare", "1 Gbit/s", "loopback"],
)
def test_what_is_slower_than_gzip_gets_less(rate: float, cores: int, packed: bool) -> None:
    assert link.is_worth_packing(rate, cores) is packed
