"""The frameworks of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.api.catalogue import catalogue, nearest_of
from toolkit.catalogue.choose import CPU, CUDA
from toolkit.catalogue.model import FrameworkRow
from toolkit.compatibility.check import check
from toolkit.compatibility.combine import combination_of
from toolkit.compatibility.model import Table, version_of
from toolkit.compatibility.reader import read_table
from toolkit.errors import Code, ToolkitError
from toolkit.paths import assets


@dataclass(frozen=True)
class Offered:
    """One framework on one Python: its variants, the CUDA it was built with, the GPU kinds that it supports.

    `needs` is what a site must supply for its GPU image.
    """

    framework: str
    version: str
    python: str
    flavours: tuple[str, ...]
    cuda: str
    gpus: tuple[str, ...]
    needs: str


def list_frameworks(name: str = "") -> tuple[Offered, ...]:
    """The catalogue's frameworks by version and Python; only the framework `name` if given.

    Raises:
        ToolkitError: C101 with the nearest name if the catalogue has no such framework.

    Example:
        >>> [one.version for one in api.list_frameworks("tensorflow-ddl")]
    """
    found = offered(catalogue(), read_table(assets() / "images"))
    if not name:
        return found
    found = tuple(one for one in found if one.framework == name)
    if not found:
        hint = nearest_of(name, sorted({row.framework for row in catalogue()}))
        raise ToolkitError(Code.MANIFEST, f"the catalogue has no framework {name}", hint=hint)
    return found


def offered(rows: Sequence[FrameworkRow], table: Table) -> tuple[Offered, ...]:
    """The catalogue's rows, one for each framework, version and Python. Pure."""
    groups: dict[tuple[str, str, str], list[FrameworkRow]] = {}
    for row in rows:
        groups.setdefault((row.framework, row.version, row.python), []).append(row)
    return tuple(_one(group, table) for group in groups.values())


def _one(rows: list[FrameworkRow], table: Table) -> Offered:
    first, cuda = rows[0], next((row for row in rows if row.flavour == CUDA), None)
    bundle = cuda.recipe.bundle if cuda else None
    return Offered(
        framework=first.framework,
        version=first.version,
        python=first.python,
        flavours=tuple(sorted({row.flavour for row in rows}, key=(CPU, CUDA).index)),
        cuda=_cuda(first, table) if cuda else "",
        gpus=_gpus(cuda, table) if cuda else (),
        needs=bundle.name if bundle else "",
    )


def _cuda(row: FrameworkRow, table: Table) -> str:
    framework, version = table.framework(row.framework), version_of(row.version)
    release = framework.release(version) if framework and version else None
    return release.cuda if release else ""


def _gpus(row: FrameworkRow, table: Table) -> tuple[str, ...]:
    """The GPU kinds that a manifest can name and that the table does not rule out."""
    works = {gpu.architecture for gpu in table.gpus}
    works -= {one for one in works if check(combination_of(row, (), [one]), table)}
    return tuple(gpu.kind for gpu in table.gpus if gpu.architecture in works)
