"""An interrupt that Python drops is asked for again."""

from __future__ import annotations

import os
import signal
import weakref
from collections.abc import Iterator

import pytest

from toolkit import interrupts


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    interrupts.heed()
    yield
    interrupts.answered()
    for number, handler in before.items():
        signal.signal(number, handler)


class Thing:
    """Something to refer to."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_is_lost_in_a_callback_is_raised_when_asked_for() -> None:
    thing = Thing()
    reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del thing
    assert reference() is None
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_way_to_end_a_program_is_an_interrupt_which_is_answered_once(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    interrupts.answered()
    interrupts.check()


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupts.heed()
    signal.raise_signal(signal.SIGHUP)
    interrupts.check()
