"""Finding a rank that trains by itself: its weights change, and it has never reduced anything.

Such a rank comes to no step that the guard could compare: its optimizers were not hooked, or it trains without one. The
other ranks wait for it, or train by themselves, too. So, until this rank asks for its first reduction, a thread looks
every second whether the variables that got rank 0's values change. When they keep changing, rank 0 is asked who waits
for this rank (``guard: alone``, see engine.h).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from ddl.engine import EngineError, RanksDiverged
from ddl.guard.process import Guard

_LOOK_SECONDS = 1.0
_CHANGES = 3
"""So many times in a row: a program may well restore a checkpoint, or two."""
_END_SECONDS = 5.0
_OTHER = (
    *("bcast", "allreduce_n", "metrics ", "average of ", "moving statistics", "weights of a model"),
    *("variables of an optimizer", "torch.distributed: b", "torch.distributed: allgather"),
)
"""What collectives are called that a program asks for by itself."""

Look = Callable[[], Mapping[str, int]]
"""Digests of the variables there are, by name."""


class Alone:
    """Looks after one framework's variables.

    Args:
        look: tells what they are now.
        advice: for programs that are free not to average anything: where no rank does, this is all that is said.
    """

    def __init__(self, guard: Guard, look: Look, advice: str = "") -> None:
        self._guard, self._look, self._advice, self._seen = guard, look, advice, dict[str, int]()
        self._first: dict[str, int] = {}
        self._thread = threading.Thread(target=self._watch, name="ddl-guard", daemon=True)
        guard.before_end.append(self._at_end)

    def began(self, name: str, digest: int) -> None:
        """A variable has got rank 0's value."""
        self._first[name] = digest
        if not self._thread.is_alive() and not self._thread.ident:
            self._thread.start()

    def _watch(self) -> None:
        changes, changed = 0, ""
        while not self._guard.engine.reductions:
            time.sleep(_LOOK_SECONDS)
            changed = self._changed() or ""
            changes = changes + 1 if changed else 0
            if changes >= _CHANGES and not self._ask(changed):
                return

    def _changed(self) -> str | None:
        """A variable that has changed since the last time; None where none has."""
        before, self._seen = self._seen, dict(self._look())
        return next((name for name, digest in self._seen.items() if before.get(name, digest) != digest), None)

    def _ask(self, changed: str) -> bool:
        """Ask who waits; whether to look on."""
        guard = self._guard
        try:
            guard.engine.start("guard: alone", []).wait()
            said = "no rank averages its gradients"
            if self._advice:
                self._advise()
                return False
        except RanksDiverged as error:
            said = str(error).removeprefix("ddl: ")
        except EngineError:
            return False
        time.sleep(_LOOK_SECONDS)
        if not guard.engine.reductions and self._changed() and _is_training(said):
            guard.end(f"{self._words(changed)}; {said}")
        return True

    def _advise(self) -> None:
        if self._guard.here.rank == 0:
            print(f"ddl: no rank averages its gradients: {self._advice}", file=sys.stderr, flush=True)

    def _words(self, changed: str) -> str:
        rank = self._guard.here.rank
        return f"rank {rank} trains by itself: {changed} changes there, and no gradient of rank {rank}'s was averaged"

    def _at_end(self) -> None:
        """The program is over: have others waited for what this rank has done by itself?"""
        if self._guard.engine.reductions:
            return
        now = self._look()
        changed = next((name for name, digest in now.items() if self._first.get(name, digest) != digest), None)
        if changed is None:
            return
        with suppress(EngineError):
            started = self._guard.engine.start("guard: alone", [])
            until = time.monotonic() + _END_SECONDS
            while not started.is_done() and time.monotonic() < until:
                time.sleep(0.05)
            if started.is_done():
                try:
                    started.wait()
                except RanksDiverged as error:
                    said = str(error).removeprefix("ddl: ")
                    if _is_training(said):
                        self._guard.end(f"{self._words(changed)}; {said}")


def _is_training(said: str) -> bool:
    """Whether what others wait for is part of a training; they may well wait for an object that rank 0 makes."""
    return not said.startswith(_OTHER)
