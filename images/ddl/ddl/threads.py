"""Keys of collectives that the program does not name, and their origin: so that threads never get each other's results.

The engine matches collectives across ranks by name. Those without a name of their own share a key with all of their
kind, and only their order distinguishes them. One thread's order is deterministic; that of two threads depends on
scheduling, and may differ between ranks. So such a collective tells the engine its origin, the thread, which is
compared like its shapes: ranks whose threads are scheduled differently get an error, not each other's tensors. The
engine itself detects two in flight at once; see ``engine.h``.

Thread objects cannot be compared between ranks. Threads are identified by their names without the numbers, and those of
the same name by their order: rank 0 may have threads of its own, but those that all ranks have are started in the same
order. The threads of a pool count as one: which of them takes a task depends on scheduling, and is harmless if there is
one task at a time. So do threads that Python did not create, such as TensorFlow's.
"""

from __future__ import annotations

import re
import sys
import threading
import weakref
from dataclasses import dataclass


def check_name(name: str | None) -> None:
    """Raise ValueError if `name` is not valid for a collective."""
    if name is not None and (not isinstance(name, str) or not name or "\n" in name):
        raise ValueError(f"ddl: a collective's name must be a non-empty string of one line, not {name!r}")


def key(kind: str, name: str | None = None) -> str:
    """The engine's key for a collective that runs now, in this thread: from its `name`, or its origin.

    Raises:
        ValueError: `name` is empty, or contains a line feed.
    """
    check_name(name)
    return f"{kind} {name}" if name is not None else f"{kind}\n{_origin(kind)}"


def key_of_gradient(of: str) -> str:
    """The key of the gradient of the collective with the key `of`, if it runs now, in this thread."""
    kind, shared, _ = of.partition("\n")
    kind = f"gradient of {kind}"
    return key(kind) if shared else kind


def key_of_gradient_in_order(of: str) -> str:
    """As `key_of_gradient`, if the order is kept by something other than a thread: in a traced function."""
    kind, shared, _ = of.partition("\n")
    return f"gradient of {kind}{shared}"


def key_in_order(kind: str, name: str | None = None) -> str:
    """As `key`, if the order is kept by something other than a thread: in a traced function."""
    check_name(name)
    return f"{kind} {name}" if name is not None else f"{kind}\n"


def race(what: str) -> str | None:
    """This thread and another one that submit `what` in an order that depends on scheduling; None if there is none."""
    origin = _origin(what)
    return origin[1:] if origin.startswith("!") else None


def own_name() -> str:
    """A suffix for names that each thread numbers for itself: empty in the main thread and in threads that Python did
    not create, which work for it.
    """
    thread = threading.current_thread()
    if thread is threading.main_thread() or isinstance(thread, threading._DummyThread):
        return ""
    return f" of {_pool(thread) or thread.name}"


@dataclass
class _Last:
    """The thread of the last collective of a kind without a name, and the threads that were alive then."""

    thread: weakref.ref[threading.Thread]
    alive: weakref.WeakSet[threading.Thread]


_last: dict[str, _Last] = {}
_lock = threading.Lock()


def _origin(kind: str) -> str:
    """The origin of this thread's next collective of a kind; prefixed with ``!`` if it races with another's."""
    thread = threading.current_thread()
    if isinstance(thread, threading._DummyThread):
        return "a thread not created by Python"
    pool = _pool(thread)
    if pool is not None:
        return f"pool {pool}"
    alive = threading.enumerate()
    with _lock:
        last = _last.get(kind)
        _last[kind] = _Last(weakref.ref(thread), weakref.WeakSet(alive))
    before = None if last is None else last.thread()
    # A thread started after the other's last collective is ordered after it, and so is one that outlives it.
    if before not in (None, thread) and before.is_alive() and thread in last.alive:  # type: ignore[union-attr]
        return f"!threads {before.name!r} and {thread.name!r}"  # type: ignore[union-attr]
    return "" if thread is threading.main_thread() else _among(thread, alive)


def _among(thread: threading.Thread, alive: list[threading.Thread]) -> str:
    name = _without_numbers(thread.name)
    alike = sorted((one for one in alive if _without_numbers(one.name) == name), key=lambda one: _sortable(one.name))
    return f"thread {name}, number {alike.index(thread) + 1} of its name"


def _without_numbers(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _sortable(name: str) -> list[int]:
    """The numbers in a name: with them Thread-10 sorts after Thread-9."""
    return [int(word) for word in re.findall(r"\d+", name)]


def _pool(thread: threading.Thread) -> str | None:
    """The name of a thread's pool, the same on all ranks; None if it is not in a pool."""
    dummy = sys.modules.get("multiprocessing.dummy")
    if dummy is not None and isinstance(thread, dummy.DummyProcess):
        return "ThreadPool"
    target = getattr(thread, "_target", None)
    if getattr(target, "__module__", None) == "concurrent.futures.thread":
        return re.sub(r"(-\d+)?_\d+$", "", thread.name)
    return None
