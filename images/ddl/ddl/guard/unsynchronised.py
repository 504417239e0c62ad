"""Detects a rank that trains without averaging: its weights change, and it has never reduced anything.

Such a rank never reaches a step that the guard could compare: its optimizers were not hooked, or it trains without one.
The other ranks wait for it, or train unsynchronised, too. So, until this rank submits its first reduction, a thread
checks every second whether the variables that were initialised from rank 0 change. If they keep changing, rank 0 is
asked whether another rank waits for this one (``guard: alone``, see engine.h).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from ddl.engine import EngineError, RanksDiverged
from ddl.guard.process import Guard

_POLL_SECONDS = 1.0
_MIN_CHANGES = 3
"""Consecutive changes: a program may well restore a checkpoint, or two."""
_EXIT_SECONDS = 5.0
_NOT_TRAINING = (
    *("bcast", "allreduce_n", "metrics ", "average of ", "moving statistics", "weights of a model"),
    *("variables of an optimizer", "torch.distributed: b", "torch.distributed: allgather"),
)
"""Names of collectives that a program may call apart from training."""

ReadDigests = Callable[[], Mapping[str, int]]
"""Digests of the existing variables, by name."""


class UnsynchronisedDetector:
    """Watches one framework's variables.

    Args:
        read_digests: returns their current digests.
        advice: for frameworks in which programs need not average anything: if no rank does, only this is printed.
    """

    def __init__(self, guard: Guard, read_digests: ReadDigests, advice: str = "") -> None:
        self._guard, self._read_digests, self._advice, self._seen = guard, read_digests, advice, dict[str, int]()
        self._first: dict[str, int] = {}
        self._thread = threading.Thread(target=self._watch, name="ddl-guard", daemon=True)
        guard.before_exit.append(self._check_at_exit)

    def track(self, name: str, digest: int) -> None:
        """A variable has been initialised from rank 0."""
        self._first[name] = digest
        if not self._thread.is_alive() and not self._thread.ident:
            self._thread.start()

    def _watch(self) -> None:
        changes, changed = 0, ""
        while not self._guard.engine.reductions:
            time.sleep(_POLL_SECONDS)
            changed = self._changed_variable() or ""
            changes = changes + 1 if changed else 0
            if changes >= _MIN_CHANGES and not self._query(changed):
                return

    def _changed_variable(self) -> str | None:
        """A variable that has changed since the last call; None if none has."""
        before, self._seen = self._seen, dict(self._read_digests())
        return next((name for name, digest in self._seen.items() if before.get(name, digest) != digest), None)

    def _query(self, changed: str) -> bool:
        """Ask rank 0 who waits; returns whether to continue watching."""
        guard = self._guard
        try:
            guard.engine.start("guard: alone", []).wait()
            reason = "no rank averages its gradients"
            if self._advice:
                self._print_advice()
                return False
        except RanksDiverged as error:
            reason = str(error).removeprefix("ddl: ")
        except EngineError:
            return False
        time.sleep(_POLL_SECONDS)
        if not guard.engine.reductions and self._changed_variable() and _is_training(reason):
            guard.abort(f"{self._reason(changed)}; {reason}")
        return True

    def _print_advice(self) -> None:
        if self._guard.here.rank == 0:
            print(f"ddl: no rank averages its gradients: {self._advice}", file=sys.stderr, flush=True)

    def _reason(self, changed: str) -> str:
        rank = self._guard.here.rank
        return f"rank {rank} trains by itself: {changed} changes, but none of its gradients was averaged"

    def _check_at_exit(self) -> None:
        """At exit: did other ranks wait while this rank trained by itself?"""
        if self._guard.engine.reductions:
            return
        current = self._read_digests()
        changed = next((name for name, digest in current.items() if self._first.get(name, digest) != digest), None)
        if changed is None:
            return
        with suppress(EngineError):
            started = self._guard.engine.start("guard: alone", [])
            deadline = time.monotonic() + _EXIT_SECONDS
            while not started.is_done() and time.monotonic() < deadline:
                time.sleep(0.05)
            if started.is_done():
                try:
                    started.wait()
                except RanksDiverged as error:
                    reason = str(error).removeprefix("ddl: ")
                    if _is_training(reason):
                        self._guard.abort(f"{self._reason(changed)}; {reason}")


def _is_training(reason: str) -> bool:
    """Whether what others wait in is part of training; they may also wait for an object from rank 0."""
    return not reason.startswith(_NOT_TRAINING)
