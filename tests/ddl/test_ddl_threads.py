"""What a collective without a name is called, by the thread that it comes from."""

from __future__ import annotations

import _thread
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

import pytest
from ddl import threads

_kinds = itertools.count()


@pytest.fixture
def kind() -> str:
    """A kind of collective that no other test has used."""
    return f"kind {next(_kinds)}"


class Worker:
    """A thread that does one thing after the other for others, and ends when it is asked to."""

    def __init__(self, name: str | None = None) -> None:
        self._turn, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._wanted: Callable[[], str] | None = None
        self._result = ""
        self.thread = threading.Thread(target=self._work, name=name)
        self.thread.start()

    def _work(self) -> None:
        while self._turn.acquire() and self._wanted:
            self._result = self._wanted()
            self._done.release()

    def __call__(self, wanted: Callable[[], str]) -> str:
        self._wanted = wanted
        self._turn.release()
        self._done.acquire()
        return self._result

    def end(self) -> None:
        self._wanted = None
        self._turn.release()
        self.thread.join()


def test_the_main_thread_is_not_named_and_a_name_leaves_no_question(kind: str) -> None:
    assert [threads.key(kind), threads.key(kind)] == [f"{kind}\n"] * 2
    assert threads.key(kind, "weights") == f"{kind} weights"


@pytest.mark.parametrize("name", ["", "two\nlines", 3])
def test_what_cannot_be_a_name_is_refused(kind: str, name: str) -> None:
    with pytest.raises(ValueError, match="a non-empty string of one line"):
        threads.key(kind, name)


def test_one_thread_after_another_is_known_by_its_name_without_numbers(kind: str) -> None:
    found = [threads.key(kind)]
    for name in ("Thread-8 (work)", "Thread-21 (work)"):
        worker = Worker(name)
        found += [worker(lambda: threads.key(kind)), worker(lambda: threads.key(kind))]
        worker.end()
    found.append(threads.key(kind))
    of_a_worker = f"{kind}\nthread Thread-# (work), number 1 of its name"
    assert found == [f"{kind}\n", *[of_a_worker] * 4, f"{kind}\n"]


@pytest.mark.parametrize(("first", "second"), [(9, 10), (99, 100), (2, 3)])
def test_threads_of_one_name_are_known_by_their_order_whoever_is_first(kind: str, first: int, second: int) -> None:
    workers = [Worker(f"Thread-{number} (work)") for number in (second, first)]
    found = [worker(lambda at=at: threads.key(f"{kind} {at}")) for at, worker in enumerate(workers)]
    for worker in workers:
        worker.end()
    assert [one.rpartition(", ")[2] for one in found] == ["number 2 of its name", "number 1 of its name"]


def test_two_threads_that_both_go_on_race(kind: str) -> None:
    first, second = Worker("one"), Worker("other")
    assert "!" not in first(lambda: threads.key(kind))
    assert second(lambda: threads.key(kind)) == f"{kind}\n!threads 'one' and 'other'"
    assert second(lambda: threads.key(kind, "named")) == f"{kind} named"
    assert threads.race(f"{kind} of the main thread") is None
    first.end()
    second.end()


def test_a_thread_that_goes_on_races_with_the_one_that_started_it(kind: str) -> None:
    threads.key(kind)
    worker = Worker("started")
    assert "!" not in worker(lambda: threads.key(kind))  # it was started after that
    assert threads.key(kind) == f"{kind}\n!threads 'started' and 'MainThread'"
    worker.end()


def test_a_pools_threads_are_one_and_so_are_those_that_are_not_pythons(kind: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        barrier = threading.Barrier(3)
        found = set(pool.map(lambda _: (barrier.wait(), threads.key(kind))[1], range(3)))
    assert found == {f"{kind}\npool ThreadPoolExecutor"}
    with ThreadPool(2) as old_pool:
        assert old_pool.apply(threads.key, (kind,)) == f"{kind}\npool ThreadPool"
    done, result = threading.Semaphore(0), []

    def foreign() -> None:
        result.append(threads.key(kind))
        done.release()

    _thread.start_new_thread(foreign, ())
    done.acquire()
    assert result == [f"{kind}\na thread not created by Python"]
    assert threads.key(kind) == f"{kind}\n"


def test_gradients_are_called_after_what_they_are_of(kind: str) -> None:
    assert threads.key_of_gradient(f"{kind} named") == f"gradient of {kind} named"
    assert threads.key_of_gradient(f"{kind}\nthread 3") == f"gradient of {kind}\n"
    assert threads.key_of_gradient_in_order(f"{kind}\n") == f"gradient of {kind}\n"
