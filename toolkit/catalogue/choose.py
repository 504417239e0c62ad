"""Which recipe matches a manifest's framework: exactly one, or an error that names the nearest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from toolkit.catalogue.model import Framework, FrameworkRow

CPU, CUDA = "cpu", "cuda"
_WATSON_VERSION = re.compile(r"(?P<version>\d+(?:\.\d+)*)(?:-py(?P<python>\d(?:\.\d+)?))?(?:-(?P<extension>[a-z]+))?")


class NotInCatalogue(Exception):
    """No recipe matches because of the framework's `field`: `name`, `version`, `python` or `compat`."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field = field


def canonical(wanted: Framework) -> Framework:
    """Watson ML's other spelling normalized: `tensorflow` `1.5-py3-ddl` is `tensorflow-ddl` `1.5` on Python 3."""
    match = _WATSON_VERSION.fullmatch(wanted.version)
    if not match:
        return wanted
    extension = match["extension"]
    name = f"{wanted.name}-{extension}" if extension and not wanted.name.endswith(f"-{extension}") else wanted.name
    return replace(wanted, name=name, version=match["version"], python=wanted.python or match["python"] or "3")


def choose(rows: Sequence[FrameworkRow], wanted: Framework, flavour: str = CPU) -> FrameworkRow:
    """The row for `wanted`; raises `NotInCatalogue` with what the catalogue has instead.

    Python `3` means any Python 3, the catalogue's first for that version. A framework without `compat` gets a row
    without it, or one that always has it.
    """
    wanted = canonical(wanted)
    names = sorted({row.framework for row in rows})
    if wanted.name not in names:
        raise NotInCatalogue("name", f"unknown framework `{wanted.name}`; {_instead(wanted.name, names)}")
    same_name = [row for row in rows if row.framework == wanted.name]
    versions = sorted({row.version for row in same_name}, key=_numbers)
    if wanted.version not in versions:
        what = f"no recipe for {wanted.name} `{wanted.version}`; {_instead(wanted.version, versions)}"
        raise NotInCatalogue("version", f"{what}{_elsewhere(rows, wanted)}")
    same_version = [row for row in same_name if row.version == wanted.version]
    same_python = [
        row for row in same_version if row.python == wanted.python or row.python.startswith(f"{wanted.python}.")
    ]
    if not same_python:
        pythons = sorted({row.python for row in same_version}, key=_numbers)
        what = f"{wanted.name} {wanted.version} is not built for Python `{wanted.python}`"
        raise NotInCatalogue("python", f"{what}; {_instead(wanted.python, pythons)}")
    same_compat = _with_compat(same_python, wanted)
    found = next((row for row in same_compat if row.flavour == flavour), None)
    if found is None:
        flavours = ", ".join(sorted(row.flavour for row in same_compat))
        what = f"{wanted.name} {wanted.version} on Python {wanted.python} has no {flavour} image; it has: {flavours}"
        raise NotInCatalogue("version", what)
    return found


def _with_compat(rows: Sequence[FrameworkRow], wanted: Framework) -> Sequence[FrameworkRow]:
    known = sorted({row.compat for row in rows if row.compat})
    if wanted.compat and wanted.compat not in known:
        what = f"{wanted.name} {wanted.version} has no compat `{wanted.compat}`"
        raise NotInCatalogue("compat", f"{what}; {_instead(wanted.compat, known) if known else 'it has none'}")
    return [row for row in rows if row.compat == wanted.compat] or rows


def _elsewhere(rows: Sequence[FrameworkRow], wanted: Framework) -> str:
    """Where a script for that major version can run if `wanted` itself is missing; empty if nowhere."""
    major = wanted.version.partition(".")[0]
    kin = [row for row in rows if row.framework == wanted.name or row.framework.startswith(f"{wanted.name}-")]
    same = dict.fromkeys(f"`{row.framework}` has {row.version}" for row in kin if row.version.split(".")[0] == major)
    newer = dict.fromkeys(
        f"`{row.framework}` of today runs a script for {major}.x with `compat: {row.compat}`"
        for row in kin
        if row.compat.endswith(major) and row.version.split(".")[0] != major
    )
    return f"; {', and '.join([*same, *newer])} (docs/old-scripts.md)" if newer else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _instead(asked: str, known: Sequence[str]) -> str:
    near = get_close_matches(asked, known, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    return f"{hint}the catalogue has: {', '.join(known)}"
