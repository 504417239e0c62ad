"""The guard of this process: compares weights with the other ranks', and aborts the job if they have diverged."""

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

from ddl.engine import Engine, EngineError, RanksDiverged
from ddl.environment import Place
from ddl.exit_status import exit_status
from ddl.guard import names
from ddl.guard.compare import Extremes, extremes, gather, largest_difference, signed, tolerance_for
from ddl.guard.history import Entry, History
from ddl.guard.settings import Settings
from ddl.guard.weights import (
    Final,
    Value,
    Weights,
    combined_digest,
    digest_of_names,
    digest_of_variables,
    digests_of,
    sample_of,
)
from ddl.termination import abort_unsynchronised

_FILE = "DDL_GUARD_FILE"
_MAX_WEIGHTS = 64
"""Optimizers that are compared at exit; for older ones, the result of their last check stands."""
_END_SECONDS = 30
"""Seconds that a rank lets rank 0 abort the job, which gives the reason; also the timeout at exit of a rank that may be
failing.
"""


class Guard:
    """Created once by every rank; see `ddl.guard`."""

    def __init__(self, engine: Engine, here: Place, settings: Settings) -> None:
        self.engine, self.here, self.settings = engine, here, settings
        self.before_exit: list[Callable[[], None]] = []
        self._weights: list[Weights] = []
        self._process, self._lock, self._warned = os.getpid(), threading.Lock(), False
        file = os.environ.get(_FILE) if here.rank == 0 else None
        self._history = History(Path(file)) if file else None

    def is_due(self, step: int) -> bool:
        """Whether ranks compare their weights after this step: also after the first one, before time is lost."""
        return step == 1 or step % self.settings.interval == 0

    def add(self, weights: Weights) -> None:
        """Guard these weights, too."""
        with self._lock:
            self._weights = [*self._weights[1 - _MAX_WEIGHTS :], weights]

    def check(self, weights: Weights, step: int, values: Sequence[Value]) -> None:
        """Compare weights with those of the other ranks after a step that all ranks have taken. Collective.

        Does not return if they have diverged.

        Raises:
            EngineError: a rank has shut down.
        """
        digests = digests_of(values)
        total, name = combined_digest(digests), f"guard: {weights.name}"
        about = digest_of_variables(weights)
        self.engine.report_guard_steps(name, step)
        try:
            found = extremes(self.engine, name, (signed(total), step, about))
        except RanksDiverged as error:
            self.abort(_without_prefix(error), weights, step)
        if found.differing:
            self._check_difference(weights, step, found, Final(step, digests, values), excluded=False)
        self._record(weights, step, total, digests)

    def _record(self, weights: Weights, step: int, total: int, digests: tuple[int, ...], last: bool = False) -> None:
        weights.checked, weights.chain = step, combined_digest((weights.chain, total))
        if self._history:
            if weights.number is None:
                about = [
                    {"name": one.display_name, "shape": one.shape, "dtype": one.dtype} for one in weights.variables
                ]
                weights.number = self._history.begin(self.settings.interval, weights.name, about)
            self._history.add(weights.number, Entry(step, total, weights.chain, digests), last)

    def _check_difference(self, weights: Weights, step: int, found: Extremes, own: Final, excluded: bool) -> None:
        """Digests differ: the largest relative difference decides."""
        if 2 in found.differing:
            self.abort_on_all(
                f"ranks guard different variables of {weights.name}: this rank guards "
                f"{_name_list([one.display_name for one in weights.variables])}; exclude the same ones on every rank",
                weights,
                step,
            )
        if 1 in found.differing:
            counts = self._gather(f"{weights.name}: steps", own.steps)
            steps = ", ".join(f"rank {rank} {count}" for rank, count in enumerate(counts[:16]))
            self.abort_on_all(f"ranks have taken different numbers of steps: {steps}", weights, step)
        name = f"guard: {weights.name}"
        totals = self._gather(f"{weights.name}: digests", 0 if excluded else signed(combined_digest(own.digests)))
        each = extremes(self.engine, f"{name}: digest of each", [signed(one) for one in own.digests], excluded)
        worst = 0.0
        for place in each.differing:
            about = weights.variables[place]
            size = largest_difference(self.engine, f"{name}: {about.name}", own.values[place].numbers(), excluded)
            if not size <= tolerance_for(self.settings.tolerance, about.dtype):
                others = _and_more(len(each.differing) - 1)
                why = f"{about.display_name} {self._describe(size)}{others}{_outliers(totals)}"
                self.abort_on_all(why, weights, step, about.display_name, size)
            worst = max(worst, size)
        self._warn(weights, step, weights.variables[each.differing[0]].display_name, worst)

    def _gather(self, what: str, number: int) -> list[int]:
        return gather(self.engine, f"guard: {what} of every rank", self.here.rank, self.here.size, number)

    def _describe(self, size: float) -> str:
        if math.isinf(size):
            return "is not finite on some ranks only"
        return f"differs by {size:.3g} of its size (tolerance {self.settings.tolerance:g})"

    def _warn(self, weights: Weights, step: int, variable: str, size: float) -> None:
        if self._warned:
            return
        self._warned = True
        if self.here.rank == 0:
            print(
                f"ddl: ranks' weights differ in their last bits since {_interval(weights.checked, step)}: {variable} "
                f"by {size:.2g} of its size; tolerated up to {self.settings.tolerance:g} (DDL_GUARD_TOLERANCE)",
                file=sys.stderr,
                flush=True,
            )

    def abort_on_all(
        self, why: str, weights: Weights | None = None, step: int = 0, variable: str = "", size: float = 0.0
    ) -> NoReturn:
        """Abort the job for a reason that all ranks know: rank 0 reports it."""
        if self.here.rank != 0:
            time.sleep(_END_SECONDS)
        self.abort(why, weights, step, variable, size)

    def abort(
        self, why: str, weights: Weights | None = None, step: int = 0, variable: str = "", size: float = 0.0
    ) -> NoReturn:
        """Abort the job for a reason that this rank knows, and others may not."""
        has_interval = weights is not None and step > 0
        when = f" in {_interval(weights.checked, step)}" if weights is not None and has_interval else ""
        abort_unsynchronised(
            self.engine,
            f"ranks diverged{when}: {why}",
            first_step=weights.checked + 1 if weights is not None and has_interval else None,
            last_step=step if has_interval else None,
            variable=variable or None,
            difference=size if variable and math.isfinite(size) else None,
        )

    def finish(self) -> None:
        """At exit: compare the ranks' final weights. Collective.

        If another rank has shut down, or fails, that is reported elsewhere.
        """
        status = exit_status()
        if os.getpid() != self._process or status:
            return  # this is a forked process; or this one aborts the job, with its status
        try:
            for callback in self.before_exit:
                callback()
            finals = [(weights, final) for weights in self._weights if (final := weights.final()) is not None]
            # A rank that may be failing does not wait long for ranks that continue.
            self._compare_final(finals, math.inf if status == 0 else _END_SECONDS)
        except RanksDiverged as error:
            self.abort(_without_prefix(error))
        except EngineError:
            return

    def _compare_final(self, finals: list[tuple[Weights, Final]], seconds: float) -> None:
        # After training, rank 0 may restore, evaluate and save on its own: then its weights differ legitimately.
        excluded = self.here.rank == 0 and any(weights.changed_by_program() for weights, _ in finals)
        which = digest_of_names(weights.name for weights, _ in finals)
        total = combined_digest([digest for _, final in finals for digest in (final.steps, *final.digests)])
        self.engine.report_guard_steps("guard: end", max((final.steps for _, final in finals), default=0))
        found = extremes(self.engine, "guard: end", (signed(total), which), excluded, seconds)
        if 1 in found.differing:
            own = _name_list([weights.name for weights, _ in finals])
            self.abort_on_all(f"ranks have trained different variables; rank {self.here.rank}: {own}")
        for weights, final in finals:
            if found.differing:
                self._compare_final_weights(weights, final, excluded)
            if final.steps > weights.checked and not excluded:
                self._record(weights, final.steps, combined_digest(final.digests), final.digests, last=True)

    def _compare_final_weights(self, weights: Weights, final: Final, excluded: bool) -> None:
        complete = 1 if final.complete else 0
        numbers = (signed(combined_digest(final.digests)), final.steps, digest_of_variables(weights), complete)
        found = extremes(self.engine, f"guard: end of {weights.name}", numbers, excluded)
        if not found.differing:
            return
        if not found.least[3]:  # a rank has only samples
            final = Final(final.steps, final.digests, [sample_of(value) for value in final.values])
        self._check_difference(weights, final.steps, found, final, excluded)


def _interval(checked: int, step: int) -> str:
    return f"steps {checked + 1} to {step}" if step > checked + 1 else f"step {step}"


def _and_more(count: int) -> str:
    return f", and possibly {count} more" if count else ""


def _name_list(names: Sequence[str], limit: int = 4) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "") or "none"


def _outliers(totals: Sequence[int], limit: int = 8) -> str:
    """The ranks that differ from the majority: `; rank 1 differs from the others`. Empty if there is no majority."""
    common = max(set(totals), key=list(totals).count)
    others = [rank for rank, total in enumerate(totals) if total != common]
    if 2 * len(others) >= len(totals):
        return ""
    ranks = ", ".join(map(str, others[:limit])) + (" …" if len(others) > limit else "")
    verb = "differs" if len(others) == 1 else "differ"
    return f"; {'rank' if len(others) == 1 else 'ranks'} {ranks} {verb} from the others"


def _without_prefix(error: BaseException) -> str:
    return str(error).removeprefix("ddl: ")


_started: list[Guard] = []


def start(engine: Engine, here: Place, settings: Settings) -> None:
    """Start the guard of this process, after checking that all ranks use the same settings. Collective.

    Raises:
        ValueError: they do not.
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
    """This process's guard; None if there is one rank, or the guard is off."""
    return _started[0] if _started else None
