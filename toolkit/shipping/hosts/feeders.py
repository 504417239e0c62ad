"""Schedules the transfer: the operator's uplink carries an archive once, each host that has it serves a few others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

OPERATOR = ""


@dataclass(frozen=True)
class Turn:
    """A host's turn: its source (`OPERATOR` or a host), and whether others wait for it."""

    feeder: str
    keep: bool


class Feeders:
    """Turns for the number of hosts in `hosts`, which all take one archive.

    Args:
        uplink: how many hosts the operator feeds. Default 1.
        serves: how many hosts one host feeds at the same time. Default 2.
    """

    def __init__(self, hosts: int, *, uplink: int = 1, serves: int = 2) -> None:
        self._waiting, self._serves = hosts, serves
        self._free = {OPERATOR: uplink}
        self._widened = False
        self._change = threading.Condition()

    @contextmanager
    def turn(self, host: str, stop: threading.Event) -> Iterator[Turn | None]:
        """The turn of `host`, once a source is free; None if `stop` is set.

        Leaving frees the source; the operator only if `host` does not feed others now, because otherwise nobody would
        feed the rest.
        """
        turn = self._take(stop)
        try:
            yield turn
        finally:
            with self._change:
                if turn and (turn.feeder != OPERATOR or host not in self._free):
                    self._free[turn.feeder] += 1
                self._change.notify_all()

    def offer(self, host: str) -> None:
        """`host` has the complete archive, and feeds others from now on."""
        with self._change:
            self._free[host] = self._serves
            self._change.notify_all()

    def widen(self, by: int) -> None:
        """The operator feeds so many more hosts, because hosts cannot feed each other; once."""
        with self._change:
            if not self._widened:
                self._free[OPERATOR] += by
                self._widened = True
            self._change.notify_all()

    def _take(self, stop: threading.Event) -> Turn | None:
        with self._change:
            while not stop.is_set():
                # Prefer a neighbour to the operator's uplink; of neighbours, the least busy one.
                feeder = max(self._free, key=lambda name: (self._free[name] > 0, name != OPERATOR, self._free[name]))
                if self._free[feeder] > 0:
                    self._waiting -= 1
                    self._free[feeder] -= 1
                    return Turn(feeder, self._waiting > 0)
                self._change.wait(0.2)
            return None
