"""Which recipe answers a manifest's framework: exactly one, or an error that names the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from toolkit.catalogue.model import FrameworkRow
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import Framework


def choose(rows: Sequence[FrameworkRow], wanted: Framework) -> FrameworkRow:
    """The row for `wanted`; raises `ToolkitError` (C101) naming what the catalogue has instead."""
    for row in rows:
        if (row.framework, row.version, row.python) == (wanted.name, wanted.version, wanted.python):
            return row
    names = sorted({row.framework for row in rows})
    if wanted.name not in names:
        near = get_close_matches(wanted.name, names, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        raise _unknown(f"unknown framework `{wanted.name}`", f"{hint}the catalogue has: {', '.join(names)}")
    have = "; ".join(row.spelled for row in rows if row.framework == wanted.name)
    asked = f"{wanted.name} {wanted.version} on Python {wanted.python}"
    raise _unknown(f"{asked} is not in the catalogue", f"the catalogue has: {have}")


def _unknown(what: str, mend: str) -> ToolkitError:
    return ToolkitError(Code.MANIFEST, what, mend=mend)
