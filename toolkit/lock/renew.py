"""Renews locks: up-to-date ones are kept, packages that another lock has resolved are reused, the rest is resolved."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.catalogue.model import DistributionBase
from toolkit.errors import Code, ToolkitError
from toolkit.lock.debs import solve_debs
from toolkit.lock.entries import LockEntry
from toolkit.lock.file import read_lock, write_lock
from toolkit.lock.model import DebPin, Lock, WheelPin
from toolkit.lock.pool import Pool
from toolkit.lock.staleness import TEMPLATE_CHANGED, deb_question, question, stale, template_digest
from toolkit.lock.wheels import solve_wheels
from toolkit.progress import Progress, Report

MISSING = "there is no lock yet"
UNREADABLE = "the lock cannot be read"
UPDATE = "asked for"


@dataclass(frozen=True)
class State:
    """An existing lock: `why` says why it is stale, empty if it is up to date."""

    entry: LockEntry
    lock: Lock | None
    why: str


@dataclass(frozen=True)
class Renewed:
    """A lock that was written: what was there before, why it was stale, and what is there now."""

    entry: LockEntry
    why: str
    old: Lock | None
    new: Lock


def state_of(entry: LockEntry) -> State:
    """Read the entry's lock and compare it with its recipe."""
    if not entry.recipe.lock.exists():
        return State(entry, None, MISSING)
    try:
        lock = read_lock(entry.recipe.lock)
    except ToolkitError:
        return State(entry, None, UNREADABLE)
    return State(entry, lock, stale(entry.recipe, lock))


def shared_debs(entry: LockEntry, states: Sequence[State]) -> tuple[DebPin, ...] | None:
    """The packages of another lock with the same requirements for them; None if there is none."""
    asked = deb_question(entry.recipe)
    for state in states:
        recipe, lock = state.entry.recipe, state.lock
        if lock and lock.asked == question(recipe) and deb_question(recipe) == asked:
            return lock.debs
    return None


class Renewal:
    """Renews some of the catalogue's locks. `run` does it all."""

    def __init__(
        self, entries: Sequence[LockEntry], pool: Pool, report: Report, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._entries, self._pool, self._report, self._environment = entries, pool, report, environment
        self._solved: dict[str, tuple[DebPin, ...]] = {}

    def run(self, chosen: Sequence[LockEntry], *, update: bool = False) -> tuple[Renewed, ...]:
        """Renew the stale locks among `chosen`, or with `update` all of them; each is written once it is complete.

        Raises `ToolkitError` (S103) at the first that cannot be resolved; locks written before are kept.
        """
        states = [state_of(entry) for entry in chosen]
        if update:
            states = [replace(state, why=state.why or UPDATE) for state in states]
        return tuple(self._renew(state, update) for state in states if state.why)

    def _renew(self, state: State, update: bool) -> Renewed:
        entry, old = state.entry, state.lock
        if old and state.why == TEMPLATE_CHANGED and not update:
            new = replace(old, template=template_digest(entry.recipe))
        else:
            new = Lock(
                asked=question(entry.recipe),
                template=template_digest(entry.recipe),
                debs=self._debs(entry, update),
                wheels=self._wheels(entry, () if update or not old else old.wheels),
            )
        write_lock(new, entry.recipe.lock, entry.title)
        return Renewed(entry, state.why, old, new)

    def _debs(self, entry: LockEntry, update: bool) -> tuple[DebPin, ...]:
        base, asked = entry.recipe.base, deb_question(entry.recipe)
        if not isinstance(base, DistributionBase):
            return ()
        if asked not in self._solved:
            shared = None if update else shared_debs(entry, [state_of(other) for other in self._entries])
            self._solved[asked] = shared or solve_debs(base, self._pool, self._tell(entry), self._environment)
        return self._solved[asked]

    def _wheels(self, entry: LockEntry, keep: Sequence[WheelPin]) -> tuple[WheelPin, ...]:
        recipe, base = entry.recipe, entry.recipe.base
        if not recipe.requirements:
            return ()
        if not isinstance(base, DistributionBase):
            what = f"{recipe.name} is based on a registry image of unknown glibc: its wheels cannot be resolved"
            raise ToolkitError(Code.IMAGE, what, hint="give the row a `suite`")
        self._tell(entry)("solving wheels")
        return solve_wheels(recipe.requirements, recipe.python, base.suite, keep=keep, environment=self._environment)

    def _tell(self, entry: LockEntry) -> Callable[[str], None]:
        return lambda step: self._report(Progress(entry.name, step))
