"""Read `images/compatibility.yml`: strict; a cell without a source is refused."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version
from pydantic import AfterValidator, Field, model_validator

from toolkit.compatibility.gpus import read_gpus
from toolkit.compatibility.model import (
    DriverMinimum,
    Framework,
    Generation,
    Line,
    MpiNote,
    MpiWheel,
    Release,
    Table,
    version_of,
)
from toolkit.errors import Code
from toolkit.yaml.source import read_source
from toolkit.yaml.validate import Section, validate

FILE = "compatibility.yml"
_NO_CELLS = {"first", "last", "source"}


def _version(value: str) -> str:
    if version_of(value) is None:
        raise ValueError(f"expected a version, found {value!r}")
    return value


def _bounds(value: str) -> str:
    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        raise ValueError(f'expected bounds such as ">=9.3,<10", found {value!r}') from None
    return value


VersionText = Annotated[str, AfterValidator(_version)]
BoundsText = Annotated[str, AfterValidator(_bounds)]


class ReleaseSection(Section):
    first: VersionText
    last: VersionText
    python: list[VersionText] = Field(default_factory=list)
    glibc: VersionText | None = None
    numpy: BoundsText = ""
    cuda: VersionText | None = None
    cudnn: BoundsText = ""
    nccl: BoundsText = ""
    architectures: list[str] = Field(default_factory=list)
    site_bundle: bool = False
    source: dict[str, list[str]]

    @model_validator(mode="after")
    def every_cell_has_its_source(self) -> ReleaseSection:
        cells = {name for name in type(self).model_fields if name not in _NO_CELLS and getattr(self, name)}
        named = [cell for names in self.source.values() for cell in names]
        if bare := sorted(cells - set(named)):
            raise ValueError(f"no source is named for: {', '.join(bare)}")
        if wrong := sorted({cell for cell in named if cell not in cells or named.count(cell) > 1}):
            raise ValueError(f"a source is named for what is not there, or twice: {', '.join(wrong)}")
        return self

    def to_release(self, sources: dict[str, str]) -> Release:
        return Release(
            first=Version(self.first),
            last=Version(self.last),
            python=tuple(self.python),
            glibc=self.glibc or "",
            numpy=self.numpy,
            cuda=self.cuda or "",
            cudnn=self.cudnn,
            nccl=self.nccl,
            architectures=tuple(self.architectures),
            site_bundle=self.site_bundle,
            sources=tuple((cell, sources[key]) for key, cells in self.source.items() for cell in cells),
        )


class FrameworkSection(Section):
    title: str
    names: list[str]
    packages: list[str]
    releases: list[ReleaseSection]

    @model_validator(mode="after")
    def releases_are_in_order(self) -> FrameworkSection:
        for earlier, later in pairwise(Version(row.first) for row in self.releases):
            if later <= earlier:
                raise ValueError(f"the releases must stand oldest first: {later} stands after {earlier}")
        return self


class LineSection(Section):
    library: str = "cuda"
    title: str = "CUDA"
    package: str = ""
    first: VersionText
    last: VersionText | None = None
    architectures: list[str]
    source: str

    def to_line(self, sources: dict[str, str]) -> Line:
        return Line(
            library=self.library,
            title=self.title,
            package=self.package,
            first=Version(self.first),
            last=Version(self.last) if self.last else None,
            architectures=tuple(self.architectures),
            source=sources[self.source],
        )


class DriverSection(Section):
    cuda: BoundsText
    at_least: VersionText
    source: str


class GenerationSection(Section):
    title: str
    architectures: list[str]
    last_driver: int = 0
    source: str


class MpiWheelSection(Section):
    package: str
    versions: BoundsText
    needs: BoundsText
    source: str


class MpiNoteSection(Section):
    versions: BoundsText
    fact: str
    source: str


class OpenMpiSection(Section):
    wheels: list[MpiWheelSection]
    notes: list[MpiNoteSection]


class TableFile(Section):
    """`images/compatibility.yml`; `sources` are the texts for the short names that the rows use."""

    sources: dict[str, str]
    frameworks: list[FrameworkSection]
    libraries: list[LineSection]
    cuda: list[LineSection]
    drivers: list[DriverSection]
    generations: list[GenerationSection]
    open_mpi: OpenMpiSection

    @model_validator(mode="after")
    def every_source_is_known(self) -> TableFile:
        used = {row.source for row in (*self.libraries, *self.cuda)}
        used |= {row.source for row in self.drivers} | {row.source for row in self.generations}
        used |= {row.source for row in self.open_mpi.wheels} | {row.source for row in self.open_mpi.notes}
        used |= {key for framework in self.frameworks for row in framework.releases for key in row.source}
        if unknown := sorted(used - set(self.sources)):
            raise ValueError(f"unknown sources: {', '.join(unknown)}; known: {', '.join(self.sources)}")
        return self


@cache
def read_table(images: Path) -> Table:
    """The table in the folder `images`, read once; raises `ToolkitError` (S103) if a file is missing or invalid."""
    file = validate(read_source(images / FILE, Code.IMAGE, ours=True), TableFile, Code.IMAGE)
    words = {key: " ".join(text.split()) for key, text in file.sources.items()}
    return Table(
        frameworks=tuple(
            Framework(
                title=framework.title,
                names=tuple(framework.names),
                packages=tuple(framework.packages),
                releases=tuple(row.to_release(words) for row in framework.releases),
            )
            for framework in file.frameworks
        ),
        lines=tuple(line.to_line(words) for line in (*file.libraries, *file.cuda)),
        drivers=tuple(
            DriverMinimum(SpecifierSet(row.cuda), Version(row.at_least), words[row.source]) for row in file.drivers
        ),
        generations=tuple(
            Generation(row.title, tuple(row.architectures), row.last_driver, words[row.source])
            for row in file.generations
        ),
        gpus=read_gpus(images),
        mpi_wheels=tuple(
            MpiWheel(row.package, SpecifierSet(row.versions), SpecifierSet(row.needs), words[row.source])
            for row in file.open_mpi.wheels
        ),
        mpi_notes=tuple(
            MpiNote(SpecifierSet(row.versions), row.fact, words[row.source]) for row in file.open_mpi.notes
        ),
    )
