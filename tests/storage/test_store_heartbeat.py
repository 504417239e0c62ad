"""A sign of life that is given while something lasts."""

from __future__ import annotations

import threading

import pytest

from toolkit.errors import Code, ToolkitError
from toolkit.storage.store_server import with_heartbeat


def test_it_is_given_at_once_then_again_and_again_and_no_more_once_it_is_over() -> None:
    given, thrice = [], threading.Event()

    def act() -> None:
        given.append(1)
        if len(given) == 3:
            thrice.set()

    with with_heartbeat(act, every=0.001):
        assert thrice.wait(10)
    count = len(given)
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())
    assert len(given) == count


def test_what_it_is_given_to_may_not_answer_now_and_then() -> None:
    tries, later = [], threading.Event()

    def act() -> None:
        tries.append(1)
        if len(tries) > 2:
            later.set()
        raise ToolkitError(Code.RESOURCES, "the host does not answer")

    with with_heartbeat(act, every=0.001):
        assert later.wait(10)


def test_it_ends_with_what_it_is_for_also_where_that_fails() -> None:
    with pytest.raises(ValueError, match="mount"), with_heartbeat(lambda: None):
        raise ValueError("mount")
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())
