"""Which recipe answers a manifest's framework: exactly one, or an error that names the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from toolkit.catalogue.model import FrameworkRow
from toolkit.manifest.model import Framework


class NotInCatalogue(Exception):
    """No recipe answers; `field` is the part of the framework that is to blame: `name`, `version` or `python`."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field = field


def choose(rows: Sequence[FrameworkRow], wanted: Framework) -> FrameworkRow:
    """The row for `wanted`; raises `NotInCatalogue` saying what the catalogue has instead."""
    names = sorted({row.framework for row in rows})
    if wanted.name not in names:
        raise NotInCatalogue("name", f"unknown framework `{wanted.name}`; {_instead(wanted.name, names)}")
    same_name = [row for row in rows if row.framework == wanted.name]
    versions = sorted({row.version for row in same_name})
    if wanted.version not in versions:
        what = f"no recipe for {wanted.name} `{wanted.version}`; {_instead(wanted.version, versions)}"
        raise NotInCatalogue("version", what)
    same_version = [row for row in same_name if row.version == wanted.version]
    found = next((row for row in same_version if row.python == wanted.python), None)
    if found is None:
        pythons = sorted(row.python for row in same_version)
        what = f"{wanted.name} {wanted.version} is not built for Python `{wanted.python}`"
        raise NotInCatalogue("python", f"{what}; {_instead(wanted.python, pythons)}")
    return found


def _instead(asked: str, known: Sequence[str]) -> str:
    near = get_close_matches(asked, known, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    return f"{hint}the catalogue has: {', '.join(known)}"
