"""Refuse impossible combinations before any download, with the fact, its source and the nearest one that works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from toolkit.catalogue.choose import CUDA, canonical
from toolkit.catalogue.model import Framework, FrameworkRow
from toolkit.compatibility.check import as_error, check, gpu_architecture, notes
from toolkit.compatibility.combine import combination_of
from toolkit.compatibility.model import Combination
from toolkit.compatibility.reader import read_table
from toolkit.errors import Code
from toolkit.lock.model import WheelPin
from toolkit.manifest.compute import CPU as NO_GPU_ASKED
from toolkit.paths import assets


def refuse_impossible(
    row: FrameworkRow, wheels: Sequence[WheelPin], kind: str, requirements: Sequence[str] = ()
) -> None:
    """Raise `ToolkitError` (C101) if `row` with these wheels or requirements cannot work on `kind`.

    A CPU image runs wherever it starts, and a manifest may ask for no GPU (`cpu`): then GPUs are not checked.
    """
    table = read_table(assets() / "images")
    architectures = [gpu_architecture(kind, table)] if row.flavour == CUDA and kind != NO_GPU_ASKED else []
    conflicts = check(combination_of(row, wheels, architectures, requirements), table)
    if conflicts:
        on = f" on {kind}" if architectures else ""
        raise as_error(f"{row.spelled}{on}", conflicts, Code.MANIFEST)


def facts_against(wanted: Framework) -> str:
    """Known incompatibilities of a framework that the catalogue lacks, to append to that error; may be empty."""
    wanted = canonical(wanted)
    python = wanted.python if "." in wanted.python else ""
    conflicts = check(Combination(wanted.name, wanted.version, python), read_table(assets() / "images"))
    return "".join(f"\n      {one.what}: {one.fact} (source: {one.source})" for one in conflicts)


def why_cpu_alone(row: FrameworkRow, rows: Sequence[FrameworkRow]) -> str:
    """A note if only a CPU image is available; empty otherwise."""
    wanted = (row.framework, row.version, row.python)
    same = [other for other in rows if (other.framework, other.version, other.python) == wanted]
    if row.flavour == CUDA or any(other.flavour == CUDA and not other.recipe.lacks_bundle for other in same):
        return ""
    table = read_table(assets() / "images")
    asked = combination_of(row, ())
    known_anyway = notes(asked, table)
    found = [note for note in notes(replace(asked, flavour=CUDA), table) if note not in known_anyway]
    return "; ".join(f"{note.fact} ({note.source})" for note in found)
