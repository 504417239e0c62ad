"""Locks: the packages of images, by name, version and hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.api.catalogue import catalogue
from toolkit.api.checked import row_of
from toolkit.api.compatible import refuse_impossible
from toolkit.api.resolve import report_notes
from toolkit.catalogue.choose import CPU
from toolkit.image.tool_images import compiler_recipes, own_recipes
from toolkit.lock.changes import Change, changes_of_additions
from toolkit.lock.entries import ALL, LockEntry, chosen, lock_entries
from toolkit.lock.file import read_lock, write_lock
from toolkit.lock.model import Lock
from toolkit.lock.pool import Pool
from toolkit.lock.renew import Renewal, Renewed, State, state_of
from toolkit.manifest.reader import read_manifest
from toolkit.paths import cache
from toolkit.progress import Progress, Report, silent
from toolkit.user_packages.lock import lock_additions, title
from toolkit.user_packages.question import stale_additions
from toolkit.user_packages.read import image_facts, read_additions


@dataclass(frozen=True)
class UserLock:
    """The lock of a user's own packages, beside their code.

    Attributes:
        file: None if the code needs nothing on top of the image.
        stale: why the existing lock was not usable; empty if it is up to date.
        lock: what is locked now; None if nothing was written.
        changes: compared with the previous lock.
        notes: remarks on the files that request packages.
    """

    image: str
    file: Path | None = None
    stale: str = ""
    lock: Lock | None = None
    packages: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def written(self) -> bool:
        """Whether the lock was resolved and written now."""
        return self.lock is not None


@dataclass(frozen=True)
class Relocked:
    """Locks of the catalogue: how many were checked, and those that were written."""

    count: int
    renewed: tuple[Renewed, ...]


def lock(
    manifest: str | Path, *, flavour: str = CPU, update: bool = False, check: bool = False, report: Report = silent
) -> UserLock:
    """Lock the packages that the code beside `manifest` adds to the image, unless the lock is up to date.

    Args:
        update: resolve again even if the lock is up to date.
        check: write nothing; `stale` says why the lock would be written.

    Raises:
        ToolkitError: C101 for packages that cannot work together, C102 for a requirement that cannot be resolved.

    Example:
        >>> api.lock("manifest.yml").changes
    """
    file = Path(manifest)
    read = read_manifest(file)
    row = row_of(read, file, flavour)
    image = image_facts(row.recipe)
    needs = read_additions(file.parent, read.packages, image, flavour)
    report_notes(needs.notes, report)
    recipe = replace(row.recipe, additions=needs.additions)
    if not recipe.additions:
        return UserLock(recipe.name, notes=tuple(needs.notes))
    refuse_impossible(row, (), read.compute.kind, recipe.additions.requirements)
    old = read_lock(recipe.additions.lock) if recipe.additions.lock.is_file() else None
    stale = stale_additions(recipe, old) if old else "there is no lock yet"
    if check or not (stale or update):
        return UserLock(recipe.name, recipe.additions.lock, stale, notes=tuple(needs.notes))
    warnings: list[str] = []
    pool = Pool(cache() / "pool")
    new = lock_additions(recipe, needs, image, pool, lambda step: report(Progress("lock", step)), warnings.append)
    report_notes(warnings, report)
    write_lock(new, recipe.additions.lock, title(file))
    return UserLock(
        recipe.name,
        recipe.additions.lock,
        stale,
        new,
        tuple(recipe.additions.packages),
        tuple(changes_of_additions(read_lock(recipe.lock), old, new)),
        (*needs.notes, *warnings),
    )


def lock_images(names: Sequence[str] = (), *, update: bool = False, report: Report = silent) -> Relocked:
    """Re-resolve stale locks of the catalogue's images; with `update`, all that are named.

    `names` are images or frameworks; none means all.

    Raises:
        ToolkitError: C101 for an unknown name, S103 if an index or mirror does not answer.

    Example:
        >>> [one.entry.name for one in api.lock_images(["tensorflow-ddl-2.19"]).renewed]
    """
    entries, asked = _entries(names)
    renewed = Renewal(entries, Pool(cache() / "pool"), report).run(asked, update=update)
    return Relocked(len(asked), tuple(renewed))


def lock_states(names: Sequence[str] = ()) -> tuple[State, ...]:
    """Each lock of the catalogue, and why it is stale; nothing is written or downloaded.

    Example:
        >>> {state.entry.name: state.why for state in api.lock_states() if state.why}
    """
    return tuple(map(state_of, _entries(names)[1]))


def _entries(names: Sequence[str]) -> tuple[tuple[LockEntry, ...], tuple[LockEntry, ...]]:
    """All locks of the catalogue, and those selected by `names`."""
    rows = catalogue()
    entries = lock_entries(rows, (*own_recipes(), *compiler_recipes(rows)))
    return entries, tuple(chosen(entries, names or [ALL]))
