"""The guard of this process: compares weights with the other ranks', and ends the job where they have diverged."""

from __future__ import annotations

import atexit
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from ddl.ending import end_unsynchronised
from ddl.engine import Engine, EngineError, RanksDiverged
from ddl.environment import Place
from ddl.exit_status import exit_status
from ddl.guard import names
from ddl.guard.compare import Extremes, allowed, extremes, largest_difference, of_every_rank, signed
from ddl.guard.history import Entry, History
from ddl.guard.settings import Settings
from ddl.guard.weights import (
    Final,
    Value,
    Weights,
    digest_of_names,
    digest_of_variables,
    digests_of,
    folded,
    sample_of,
)

_FILE = "DDL_GUARD_FILE"
_MOST_WEIGHTS = 64
"""Optimizers that are compared at the end; of those that were made before them, what their last check said holds."""
_END_SECONDS = 30
"""So long a rank lets rank 0 end the job, which says why; and so long it waits at the end where it may have failed."""


class Guard:
    """Made once by every rank; see `ddl.guard`."""

    def __init__(self, engine: Engine, here: Place, settings: Settings) -> None:
        self.engine, self.here, self.settings = engine, here, settings
        self.before_end: list[Callable[[], None]] = []
        self._weights: list[Weights] = []
        self._process, self._lock, self._warned = os.getpid(), threading.Lock(), False
        file = os.environ.get(_FILE) if here.rank == 0 else None
        self._history = History(Path(file)) if file else None

    def is_due(self, step: int) -> bool:
        """Whether ranks compare their weights after a step: after the first, too, before time is lost."""
        return step == 1 or step % self.settings.interval == 0

    def add(self, weights: Weights) -> None:
        """Guard these, too."""
        with self._lock:
            self._weights = [*self._weights[1 - _MOST_WEIGHTS :], weights]

    def check(self, weights: Weights, step: int, values: Sequence[Value]) -> None:
        """Compare weights with those of the other ranks after a step, which all ranks have taken. Collective.

        Does not return where they have diverged.

        Raises:
            EngineError: a rank has left.
        """
        digests = digests_of(values)
        total, name = folded(digests), f"guard: {weights.name}"
        about = digest_of_variables(weights)
        self.engine.tell_guard_steps(name, step)
        try:
            found = extremes(self.engine, name, (signed(total), step, about))
        except RanksDiverged as error:
            self.end(_without_program(error), weights, step)
        if found.differing:
            self._differ(weights, step, found, Final(step, digests, values), left_out=False)
        self._keep(weights, step, total, digests)

    def _keep(self, weights: Weights, step: int, total: int, digests: tuple[int, ...], last: bool = False) -> None:
        weights.checked, weights.chain = step, folded((weights.chain, total))
        if self._history:
            if weights.number is None:
                about = [{"name": one.shown, "shape": one.shape, "dtype": one.dtype} for one in weights.variables]
                weights.number = self._history.begin(self.settings.interval, weights.name, about)
            self._history.add(weights.number, Entry(step, total, weights.chain, digests), last)

    def _differ(self, weights: Weights, step: int, found: Extremes, mine: Final, left_out: bool) -> None:
        """Digests differ: the largest relative difference decides."""
        if 2 in found.differing:
            self.end_for_all(
                f"ranks guard different variables of {weights.name}: this rank those named "
                f"{_some([one.shown for one in weights.variables])}; what is excluded must be so on every rank",
                weights,
                step,
            )
        if 1 in found.differing:
            counts = self._of_every_rank(f"{weights.name}: steps", mine.steps)
            told = ", ".join(f"rank {rank} {count}" for rank, count in enumerate(counts[:16]))
            self.end_for_all(f"ranks have taken different numbers of steps: {told}", weights, step)
        name = f"guard: {weights.name}"
        totals = self._of_every_rank(f"{weights.name}: digests", 0 if left_out else signed(folded(mine.digests)))
        each = extremes(self.engine, f"{name}: digest of each", [signed(one) for one in mine.digests], left_out)
        worst = 0.0
        for place in each.differing:
            about = weights.variables[place]
            size = largest_difference(self.engine, f"{name}: {about.name}", mine.values[place].numbers(), left_out)
            if not size <= allowed(self.settings.tolerance, about.dtype):
                why = f"{about.shown} {self._in_words(size)}{_and_more(len(each.differing) - 1)}{_who(totals)}"
                self.end_for_all(why, weights, step, about.shown, size)
            worst = max(worst, size)
        self._warn(weights, step, weights.variables[each.differing[0]].shown, worst)

    def _of_every_rank(self, what: str, number: int) -> list[int]:
        return of_every_rank(self.engine, f"guard: {what} of every rank", self.here.rank, self.here.size, number)

    def _in_words(self, size: float) -> str:
        if math.isinf(size):
            return "is not finite on some ranks alone"
        return f"differs by {size:.3g} of its size (tolerance {self.settings.tolerance:g})"

    def _warn(self, weights: Weights, step: int, variable: str, size: float) -> None:
        if self._warned:
            return
        self._warned = True
        if self.here.rank == 0:
            print(
                f"ddl: ranks' weights differ in their last bits since {_interval(weights.checked, step)}: {variable} "
                f"by {size:.2g} of its size; no fault up to {self.settings.tolerance:g} (DDL_GUARD_TOLERANCE)",
                file=sys.stderr,
                flush=True,
            )

    def end_for_all(
        self, why: str, weights: Weights | None = None, step: int = 0, variable: str = "", size: float = 0.0
    ) -> NoReturn:
        """End the job with a reason that all ranks know: rank 0 says it."""
        if self.here.rank != 0:
            time.sleep(_END_SECONDS)
        self.end(why, weights, step, variable, size)

    def end(
        self, why: str, weights: Weights | None = None, step: int = 0, variable: str = "", size: float = 0.0
    ) -> NoReturn:
        """End the job with a reason that this rank knows, others perhaps not."""
        known = weights is not None and step > 0
        when = f" in {_interval(weights.checked, step)}" if weights is not None and known else ""
        end_unsynchronised(
            self.engine,
            f"ranks diverged{when}: {why}",
            first_step=weights.checked + 1 if weights is not None and known else None,
            last_step=step if known else None,
            variable=variable or None,
            difference=size if variable and math.isfinite(size) else None,
        )

    def finish(self) -> None:
        """The program is over: compare what the ranks have ended with. Collective.

        Where another rank has left, or fails, that is said elsewhere.
        """
        status = exit_status()
        if os.getpid() != self._process or status:
            return  # a process that was forked from this one ends; or this one ends the job, with its status
        try:
            for act in self.before_end:
                act()
            finals = [(weights, final) for weights in self._weights if (final := weights.final()) is not None]
            # A rank that may be failing does not wait long for others that go on.
            self._finish(finals, math.inf if status == 0 else _END_SECONDS)
        except RanksDiverged as error:
            self.end(_without_program(error))
        except EngineError:
            return

    def _finish(self, finals: list[tuple[Weights, Final]], seconds: float) -> None:
        # Rank 0 may restore, evaluate and save by itself when all is trained: then it has other weights, rightly.
        left_out = self.here.rank == 0 and any(weights.changed_by_program() for weights, _ in finals)
        which = digest_of_names(weights.name for weights, _ in finals)
        total = folded([digest for _, final in finals for digest in (final.steps, *final.digests)])
        self.engine.tell_guard_steps("guard: end", max((final.steps for _, final in finals), default=0))
        found = extremes(self.engine, "guard: end", (signed(total), which), left_out, seconds)
        if 1 in found.differing:
            mine = _some([weights.name for weights, _ in finals])
            self.end_for_all(f"ranks have not trained the same variables; rank {self.here.rank}: {mine}")
        for weights, final in finals:
            if found.differing:
                self._finish_one(weights, final, left_out)
            if final.steps > weights.checked and not left_out:
                self._keep(weights, final.steps, folded(final.digests), final.digests, last=True)

    def _finish_one(self, weights: Weights, final: Final, left_out: bool) -> None:
        whole = 1 if final.whole else 0
        numbers = (signed(folded(final.digests)), final.steps, digest_of_variables(weights), whole)
        found = extremes(self.engine, f"guard: end of {weights.name}", numbers, left_out)
        if not found.differing:
            return
        if not found.least[3]:  # a rank has samples alone
            final = Final(final.steps, final.digests, [sample_of(value) for value in final.values])
        self._differ(weights, final.steps, found, final, left_out)


def _interval(checked: int, step: int) -> str:
    return f"steps {checked + 1} to {step}" if step > checked + 1 else f"step {step}"


def _and_more(count: int) -> str:
    return f", and so may {count} more" if count else ""


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "none"


def _who(totals: Sequence[int], most: int = 8) -> str:
    """Which ranks are unlike the most: `; rank 1 is unlike ranks 0, 2`. Empty where there is no such party."""
    common = max(set(totals), key=list(totals).count)
    others = [rank for rank, total in enumerate(totals) if total != common]
    if 2 * len(others) >= len(totals):
        return ""
    ranks = ", ".join(map(str, others[:most])) + (" …" if len(others) > most else "")
    return f"; {'rank' if len(others) == 1 else 'ranks'} {ranks} unlike the others"


def _without_program(error: BaseException) -> str:
    return str(error).removeprefix("ddl: ")


_started: list[Guard] = []


def start(engine: Engine, here: Place, settings: Settings) -> None:
    """Start the guard of this process, after making sure that all ranks have set it alike. Collective.

    Raises:
        ValueError: they have not.
    """
    if extremes(engine, "guard: settings", [digest_of_names([str(settings)])]).differing:
        raise ValueError(
            f"ddl: ranks have set the divergence guard differently; rank {here.rank}: {settings}. "
            "DDL_GUARD, DDL_GUARD_TOLERANCE, DDL_GUARD_EXCLUDE and DDL_OPTIONS must be the same on every rank"
        )
    if settings.interval == 0:
        return
    names.exclude(*settings.exclude)
    _started.append(Guard(engine, here, settings))
    atexit.register(_started[0].finish)


def guard() -> Guard | None:
    """This process's guard; None where there is one rank, or the guard is off."""
    return _started[0] if _started else None
