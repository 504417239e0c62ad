"""Repeats something in a thread of its own while a context lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeating(name: str, act: Callable[[], object], every: float, *, wait: bool = True) -> Iterator[None]:
    """Call `act`, which must not raise, at once and then every `every` seconds.

    Args:
        name: the thread's.
        wait: for a call in progress when the context ends; false for one that may take long.
    """
    over = threading.Event()

    def work() -> None:
        act()
        while not over.wait(every):
            act()

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        if wait:
            thread.join()
