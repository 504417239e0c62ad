"""How fast a link is, and what is compressed for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from toolkit.process import Result
from toolkit.shipping.hosts import link


class Wire:
    """A host that takes so many bytes per second, by a clock of its own."""

    def __init__(self, rate: float) -> None:
        self._rate, self.taken, self.now = rate, 0, 0.0

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        for piece in pieces:
            self.taken += len(piece)
            self.now += len(piece) / self._rate
        return Result(tuple(argv), 0, "", "")


@pytest.mark.parametrize(
    ("rate", "pieces"),
    [(1e9, 17 + 128), (100e6, 17 + 128), (20e6, 17 + 31), (1e5, 17 + 1)],
    ids=["fast", "1 Gbit/s", "160 Mbit/s", "slow"],
)
def test_a_link_is_measured_with_a_bounded_number_of_bytes_and_seconds(
    monkeypatch: pytest.MonkeyPatch, rate: float, pieces: int
) -> None:
    wire = Wire(rate)
    monkeypatch.setattr(link.time, "monotonic", lambda: wire.now)
    assert link.measure(wire) == pytest.approx(rate)  # type: ignore[arg-type]
    assert wire.taken == pieces << 18


@pytest.mark.parametrize(
    ("rate", "cores", "packed"),
    [(1e6, 8, True), (12e6, 1, True), (50e6, 8, True), (50e6, 1, False), (117e6, 8, False), (400e6, 64, False)],
    ids=["DSL", "100 Mbit/s", "400 Mbit/s", "400 Mbit/s and no core to spare", "1 Gbit/s", "loopback"],
)
def test_what_is_slower_than_gzip_gets_less(rate: float, cores: int, packed: bool) -> None:
    assert link.is_worth_packing(rate, cores) is packed
