"""The tree: one host is fed by the operator, the others by hosts, each of which feeds two at the same time."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from toolkit.shipping.hosts.feeders import OPERATOR, Feeders, Turn


class Watch:
    """Runs hosts through their turns, and counts who feeds how many at the same time."""

    def __init__(self, count: int) -> None:
        self.feeders = Feeders(count)
        self.turns: dict[str, Turn] = {}
        self.most: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    def host(self, name: str) -> None:
        with self.feeders.turn(name, threading.Event()) as turn:
            assert turn is not None
            with self._lock:
                self.turns[name] = turn
                self._now[turn.feeder] += 1
                self.most[turn.feeder] = max(self.most[turn.feeder], self._now[turn.feeder])
            threading.Event().wait(0.005)
            with self._lock:
                self._now[turn.feeder] -= 1
            if turn.keep:
                self.feeders.offer(name)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 40])
def test_the_operator_feeds_one_and_no_host_more_than_two_at_once(count: int) -> None:
    watch = Watch(count)
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(watch.host, [f"h{number}" for number in range(count)]))
    fed = Counter(turn.feeder for turn in watch.turns.values())
    assert fed[OPERATOR] == 1
    assert sum(fed.values()) == count
    assert all(watch.turns[name].keep for name in fed if name != OPERATOR)
    assert all(most <= 2 for most in watch.most.values())


def test_the_last_host_keeps_nothing_as_no_one_waits() -> None:
    feeders, never = Feeders(2), threading.Event()
    with feeders.turn("a", never) as first:
        feeders.offer("a")
    with feeders.turn("b", never) as second:
        pass
    assert (first, second) == (Turn(OPERATOR, keep=True), Turn("a", keep=False))


def test_after_a_host_that_failed_the_operator_feeds_another() -> None:
    feeders, never = Feeders(3), threading.Event()
    with suppress(OSError), feeders.turn("a", never):
        raise OSError
    with feeders.turn("b", never) as turn:
        assert turn == Turn(OPERATOR, keep=True)


def test_where_hosts_cannot_feed_each_other_the_operator_feeds_more_at_once() -> None:
    feeders, never = Feeders(9), threading.Event()
    feeders.widen(2)
    feeders.widen(2)
    with feeders.turn("a", never), feeders.turn("b", never), feeders.turn("c", never):
        never_comes = threading.Event()
        threading.Timer(0.05, never_comes.set).start()
        with feeders.turn("d", never_comes) as turn:
            assert turn is None


def test_a_stop_ends_the_waiting() -> None:
    stop = threading.Event()
    stop.set()
    with Feeders(1).turn("a", stop) as turn:
        assert turn is None
