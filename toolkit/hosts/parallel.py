"""Many jobs in parallel, each for one host: bounded threads, results in order, quick cancellation on Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from toolkit.errors import ToolkitError
from toolkit.process import CommandFailed

T = TypeVar("T")
_PATIENCE_SECONDS = 8
_NUDGE_SECONDS = 0.25


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A host's result: a value, or its error."""

    host: str
    value: T | None = None
    error: ToolkitError | CommandFailed | None = None

    def get(self) -> T:
        """The value; raises the error if there is one."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value] # None is a value where T allows it


@dataclass(frozen=True)
class Job(Generic[T]):
    """What to do for `host`."""

    host: str
    act: Callable[[], T]


def do_all(
    jobs: Sequence[Job[T]],
    *,
    at_once: int,
    stop: threading.Event | None = None,
    hurry: Callable[[], None] | None = None,
) -> tuple[Answer[T], ...]:
    """Run `jobs`, at most `at_once` at the same time.

    A `ToolkitError` or `CommandFailed` becomes its host's result, and the others continue; any other exception is a bug
    and is raised.

    Args:
        stop: set on a Ctrl-C, before anything else; jobs that respect it start nothing more.
        hurry: then called repeatedly, for up to 8 s, until all jobs have ended; then `KeyboardInterrupt` is raised.
    """
    return _Round(jobs, stop or threading.Event(), hurry or (lambda: None)).run(at_once)


class _Round(Generic[T]):
    def __init__(self, jobs: Sequence[Job[T]], stop: threading.Event, hurry: Callable[[], None]) -> None:
        self._jobs, self._stop, self._hurry = jobs, stop, hurry
        self._waiting: SimpleQueue[int] = SimpleQueue()
        self._answers: dict[int, Answer[T]] = {}
        self._mistake: BaseException | None = None

    def run(self, at_once: int) -> tuple[Answer[T], ...]:
        for index in range(len(self._jobs)):
            self._waiting.put(index)
        # Daemons: one that waits for a host's answer must not block the exit.
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(at_once, len(self._jobs)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            self._give_up(threads)
            raise
        if self._mistake:
            raise self._mistake
        return tuple(self._answers[index] for index in range(len(self._jobs)))

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                index = self._waiting.get_nowait()
            except Empty:
                return
            job = self._jobs[index]
            try:
                self._answers[index] = Answer(job.host, job.act())
            except (ToolkitError, CommandFailed) as error:
                self._answers[index] = Answer(job.host, error=error)
            except BaseException as error:
                self._mistake = error
                self._stop.set()

    def _give_up(self, threads: Sequence[threading.Thread]) -> None:
        """Repeatedly: a job may just have started something."""
        self._stop.set()
        until = time.monotonic() + _PATIENCE_SECONDS
        while any(thread.is_alive() for thread in threads) and time.monotonic() < until:
            self._hurry()
            time.sleep(_NUDGE_SECONDS)
