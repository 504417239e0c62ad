"""One stream, read by several hosts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from toolkit.shipping.hosts.shared_stream import DroppedReaderError, SharedStream

PIECES = [b"%d" % number for number in range(500)]


class Reading(threading.Thread):
    """A reader in a thread of its own; `most` pieces (default all), `pause` seconds between two."""

    def __init__(self, stream: SharedStream, name: str, most: int = 1 << 30, pause: float = 0) -> None:
        super().__init__(name=name, daemon=True)
        self.got: list[bytes] = []
        self.error: Exception | None = None
        self._stream, self._most, self._pause = stream, most, pause
        self.start()

    def run(self) -> None:
        try:
            with self._stream.reader(self.name) as pieces:
                for piece in pieces:
                    self.got.append(piece)
                    time.sleep(self._pause)
                    if len(self.got) == self._most:
                        return
        except (DroppedReaderError, OSError) as error:
            self.error = error


def read(stream: SharedStream, *names: str) -> list[Reading]:
    readings = [Reading(stream, name) for name in names]
    for reading in readings:
        reading.join(10)
    return readings


def test_each_reader_gets_everything_and_it_is_made_once() -> None:
    made = []

    def pieces() -> Iterator[bytes]:
        for piece in PIECES:
            made.append(piece)
            yield piece

    readings = read(SharedStream(pieces(), ["a", "b", "c"], threading.Event()), "a", "b", "c")
    assert [(one.got, one.error) for one in readings] == [(PIECES, None)] * 3
    assert made == PIECES


def test_one_that_stops_reading_holds_nobody_up() -> None:
    stream = SharedStream(iter(PIECES), ["a", "b"], threading.Event())
    first, second = Reading(stream, "a", most=3), Reading(stream, "b")
    second.join(10)
    assert (first.got, second.got) == (PIECES[:3], PIECES)


def test_one_that_is_too_slow_is_dropped_with_an_error_and_the_others_go_on() -> None:
    stream = SharedStream(iter(PIECES), ["slow", "fast"], threading.Event(), patience=0.3)
    slow, fast = Reading(stream, "slow", pause=0.02), Reading(stream, "fast")
    fast.join(60)
    assert (fast.got, fast.error) == (PIECES, None)
    slow.join(60)
    assert isinstance(slow.error, DroppedReaderError)
    assert slow.got == PIECES[: len(slow.got)] != PIECES


def test_only_time_for_which_all_others_have_nothing_to_read_counts_against_one() -> None:
    stream = SharedStream(iter(()), ["a", "b", "c"], threading.Event(), patience=20)
    stream._queues["b"].put(b"still to read")
    stream._count("a", 1000)
    assert stream._gone == set()
    stream._queues["b"].get()
    stream._count("a", 15)
    assert stream._gone == set()
    stream._count("a", 15)
    assert stream._gone == {"a"}


def test_a_single_reader_may_be_as_slow_as_it_is() -> None:
    stream = SharedStream(iter(()), ["a"], threading.Event(), patience=20)
    stream._count("a", 1000)
    assert stream._gone == set()


def test_what_goes_wrong_goes_wrong_for_each() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise OSError("the engine is gone")

    readings = read(SharedStream(pieces(), ["a", "b"], threading.Event()), "a", "b")
    assert [(one.got, str(one.error)) for one in readings] == [([b"one"], "the engine is gone")] * 2


def test_a_ctrl_c_ends_a_reader_that_waits() -> None:
    stop, blocked = threading.Event(), threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"one"
        blocked.wait(10)

    reading = Reading(SharedStream(pieces(), ["a"], stop), "a")
    stop.set()
    reading.join(5)
    blocked.set()
    assert isinstance(reading.error, DroppedReaderError)


def test_nobody_reads_of_what_was_never_asked_for() -> None:
    stream = SharedStream(iter(PIECES), ["a", "b"], threading.Event(), patience=0.2)
    with stream.reader("b"):
        pass  # its command did not start
    (reading,) = read(stream, "a")
    assert reading.got == PIECES


@pytest.mark.parametrize("count", [1, 4])
def test_an_empty_stream_ends(count: int) -> None:
    names = [str(number) for number in range(count)]
    assert [one.got for one in read(SharedStream(iter(()), names, threading.Event()), *names)] == [[]] * count
