"""The locks of the catalogue: which file belongs to which recipes, and by what names. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from toolkit.catalogue.model import FrameworkRow, Recipe
from toolkit.errors import Code, ToolkitError

ALL = "all"


@dataclass(frozen=True)
class LockEntry:
    """One lock file (`recipe.lock`): its recipe, and the names that select it.

    Frameworks that extend another use its locks, so one file may have several names.
    """

    recipe: Recipe
    title: str
    words: frozenset[str]

    @property
    def name(self) -> str:
        """The target that owns the file, such as `tensorflow-2.19-py3.11-cpu`."""
        return self.recipe.name


def lock_entries(rows: Iterable[FrameworkRow], tools: Iterable[Recipe]) -> tuple[LockEntry, ...]:
    """Every lock file once, in the catalogue's order, the tool's own images last."""
    by_file: dict[object, list[FrameworkRow]] = {}
    for row in rows:
        by_file.setdefault(row.recipe.lock, []).append(row)
    entries = [_entry(sharing) for sharing in by_file.values()]
    entries += [LockEntry(tool, tool.title, frozenset({tool.name, ALL})) for tool in tools]
    return tuple(entries)


def chosen(entries: Sequence[LockEntry], words: Iterable[str]) -> tuple[LockEntry, ...]:
    """The entries for `words`, in their own order; raises `ToolkitError` (C101) for an unknown word."""
    asked = set(words)
    known = frozenset[str]().union(*(entry.words for entry in entries))
    for word in sorted(asked - known):
        near = get_close_matches(word, sorted(known), n=1)
        raise ToolkitError(
            Code.MANIFEST,
            f"the catalogue has no `{word}`" + (f"; did you mean `{near[0]}`?" if near else ""),
            hint="an image (tensorflow-2.19-py3.11-cpu), a framework (tensorflow) or `all`",
        )
    return tuple(entry for entry in entries if entry.words & asked)


def _entry(sharing: Sequence[FrameworkRow]) -> LockEntry:
    """The entries of one file; its owner is the framework in whose folder it is."""
    folder = sharing[0].recipe.lock.parent.parent.name
    owner = next((row for row in sharing if row.framework == folder), sharing[0])
    words = {word for row in sharing for word in (row.recipe.name, row.framework)}
    return LockEntry(owner.recipe, owner.spelled, frozenset(words | {ALL}))
