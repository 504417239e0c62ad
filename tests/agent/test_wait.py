"""An agent on its operator's heartbeat: with its start signal, or alone after a while, whatever the clock does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from toolkit.agent import lifetime
from toolkit.agent.lifetime import wait_for_word

from .jobs import job


class Clock:
    """A stand-in for the time that passes: each pause is one step of it, in which `happens` is done."""

    def __init__(self) -> None:
        self.now, self.happens = 100.0, lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.happens()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lifetime, "time", clock)
    return clock


def test_a_job_that_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "job").write_text(job().to_json())
    assert wait_for_word(tmp_path / "heartbeat", tmp_path / "job") == job()


def test_an_operator_who_stays_silent_is_gone(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "heartbeat").touch()
    assert wait_for_word(tmp_path / "heartbeat", tmp_path / "job", patience=30) is None
    assert clock.now == pytest.approx(130, abs=0.5)


def test_an_operator_who_never_came_is_gone_too(tmp_path: Path, clock: Clock) -> None:
    assert wait_for_word(tmp_path / "none", tmp_path / "job", patience=30) is None


@pytest.mark.parametrize("jump", [-600, 0, 600, 1_000_000])
def test_each_touch_of_the_heartbeat_counts_whatever_its_clock_says(tmp_path: Path, clock: Clock, jump: int) -> None:
    heartbeat = tmp_path / "heartbeat"
    heartbeat.touch()

    def touched() -> None:
        if clock.now > 1000:
            (tmp_path / "job").write_text(job().to_json())
        at = clock.now // 5 * 5  # every 5 s, by a clock that is off, and set once on the way
        os.utime(heartbeat, (at + jump, at + jump) if clock.now > 500 else (at, at))

    clock.happens = touched
    assert wait_for_word(heartbeat, tmp_path / "job", patience=30) == job()


@contextmanager
def meanwhile(act: threading.Thread) -> Iterator[None]:
    act.start()
    yield
    act.join()


def test_the_job_is_taken_when_it_comes(tmp_path: Path) -> None:
    def give() -> None:
        time.sleep(0.2)
        (tmp_path / "new").write_text(job().to_json())
        (tmp_path / "new").rename(tmp_path / "job")

    with meanwhile(threading.Thread(target=give)):
        assert wait_for_word(tmp_path / "heartbeat", tmp_path / "job") == job()
