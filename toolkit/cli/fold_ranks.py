"""Fold identical lines of many ranks into one: `[0-7] epoch 1/8`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from toolkit.plural import ranges

HOLD_SECONDS = 0.25
"""How long a line waits for the same line of other ranks."""
MOST_HELD = 64
"""How many different lines wait at most; a flood is shown as it comes, in bounded memory and time."""
_RANK = re.compile(r"^\[(\d+)\] ")


@dataclass
class _Group:
    text: str
    since: float
    ranks: set[int] = field(default_factory=set)

    def __str__(self) -> str:
        return f"[{ranges(self.ranks)}] {self.text}"


class Fold:
    """Lines in, fewer lines out. Each rank's own lines keep their order, and nothing waits longer than `hold` seconds.

    Args:
        ranks: how many there are; a line that all of them have printed waits no longer.
    """

    def __init__(self, ranks: int, hold: float = HOLD_SECONDS) -> None:
        self._ranks, self._hold = ranks, hold
        self._groups: list[_Group] = []
        self._last: dict[int, _Group] = {}

    def line(self, text: str, now: float) -> Iterator[str]:
        """Take one line, `[rank] text`; returns what to show now. A line without a rank keeps its place."""
        match = _RANK.match(text)
        if not match or self._ranks < 2:
            yield from self.rest()
            yield text
            return
        self._join(int(match[1]), text[match.end() :], now)
        yield from self.due(now)

    def due(self, now: float) -> Iterator[str]:
        """Lines that have waited long enough, or for no one."""
        while self._groups:
            first = self._groups[0]
            waits = len(first.ranks) < self._ranks and now - first.since < self._hold
            if waits and len(self._groups) <= MOST_HELD:
                return
            yield self._shown()

    def rest(self) -> Iterator[str]:
        """All waiting lines."""
        while self._groups:
            yield self._shown()

    def _join(self, rank: int, text: str, now: float) -> None:
        """Add to the first group with the same text after this rank's last one; else to a new one."""
        last = self._last.get(rank)
        start = next((index + 1 for index, group in enumerate(self._groups) if group is last), 0)
        group = next((one for one in self._groups[start:] if one.text == text), None)
        if group is None:
            group = _Group(text, now)
            self._groups.append(group)
        group.ranks.add(rank)
        self._last[rank] = group

    def _shown(self) -> str:
        group = self._groups.pop(0)
        for rank in group.ranks:
            if self._last.get(rank) is group:
                del self._last[rank]
        return str(group)
