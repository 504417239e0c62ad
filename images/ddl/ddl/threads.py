"""What a collective is called that the program gives no name, and where it comes from: so threads never cross.

The engine finds a collective's partner on the other ranks by its name. Those without a name of their own share their
kind's, and only their order tells them apart. One thread's order is the program's own; that of two threads is a matter
of luck, on each rank another. So such a collective tells the engine its origin, the thread, and ranks compare these as
they compare shapes: ranks whose threads take turns differently get an error, not each other's tensors. Two in flight at
once are seen by the engine itself; see ``engine.h``.

Threads are not the same objects on two ranks. They are told by their names without the numbers, and those of one name
by their order among them: rank 0 may have started threads of its own, but those that all ranks have it starts in the
same order. Threads of a pool count as one: which of them takes a task is luck, and harmless where there is one task at
a time. So do those that are not Python's, such as TensorFlow's.
"""

from __future__ import annotations

import re
import sys
import threading
import weakref
from dataclasses import dataclass


def check_name(name: str | None) -> None:
    """Raise ValueError where `name` cannot be a collective's."""
    if name is not None and (not isinstance(name, str) or not name or "\n" in name):
        raise ValueError(f"ddl: a collective's name is a string of one line, not {name!r}")


def key(kind: str, name: str | None = None) -> str:
    """What the engine calls a collective that runs now, in this thread: by its `name`, or by its origin.

    Raises:
        ValueError: `name` is empty, or has a line feed.
    """
    check_name(name)
    return f"{kind} {name}" if name is not None else f"{kind}\n{_origin(kind)}"


def key_of_gradient(of: str) -> str:
    """What the engine calls the gradient of the collective with the key `of`, where it runs now, in this thread."""
    kind, shared, _ = of.partition("\n")
    kind = f"gradient of {kind}"
    return key(kind) if shared else kind


def key_of_gradient_in_order(of: str) -> str:
    """As `key_of_gradient`, where something else than a thread keeps the order: in a traced function."""
    kind, shared, _ = of.partition("\n")
    return f"gradient of {kind}{shared}"


def key_in_order(kind: str, name: str | None = None) -> str:
    """As `key`, where something else than a thread keeps the order: in a traced function."""
    check_name(name)
    return f"{kind} {name}" if name is not None else f"{kind}\n"


def race(what: str) -> str | None:
    """The two threads that come with `what` in an order that is a matter of luck, this one and another; else None."""
    origin = _origin(what)
    return origin[1:] if origin.startswith("!") else None


def own_name() -> str:
    """What is put behind a name where each thread has an order of its own: nothing in the main thread and in those that
    are not Python's, which work for it.
    """
    thread = threading.current_thread()
    if thread is threading.main_thread() or isinstance(thread, threading._DummyThread):
        return ""
    return f" of {_pool(thread) or thread.name}"


@dataclass
class _Last:
    """The thread whose collective of a kind without a name was the last, and the threads that were alive then."""

    thread: weakref.ref[threading.Thread]
    alive: weakref.WeakSet[threading.Thread]


_last: dict[str, _Last] = {}
_lock = threading.Lock()


def _origin(kind: str) -> str:
    """The origin of this thread's next collective of a kind; one with ``!`` in front where it races with another's."""
    thread = threading.current_thread()
    if isinstance(thread, threading._DummyThread):
        return "a thread that is not Python's"
    pool = _pool(thread)
    if pool is not None:
        return f"the pool {pool}"
    alive = threading.enumerate()
    with _lock:
        last = _last.get(kind)
        _last[kind] = _Last(weakref.ref(thread), weakref.WeakSet(alive))
    before = None if last is None else last.thread()
    # A thread that was started after the other's last collective follows it, and so does one that outlives it.
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
    """The numbers of a name: by them Thread-10 comes after Thread-9."""
    return [int(word) for word in re.findall(r"\d+", name)]


def _pool(thread: threading.Thread) -> str | None:
    """The name of a thread's pool, the same on all ranks; None where it is in none."""
    dummy = sys.modules.get("multiprocessing.dummy")
    if dummy is not None and isinstance(thread, dummy.DummyProcess):
        return "ThreadPool"
    target = getattr(thread, "_target", None)
    if getattr(target, "__module__", None) == "concurrent.futures.thread":
        return re.sub(r"(-\d+)?_\d+$", "", thread.name)
    return None
