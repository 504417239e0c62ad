"""Read `images/<name>/recipe.yml`: strict, like a manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field

from toolkit.catalogue.model import (
    DistributionBase,
    FrameworkRow,
    Native,
    Program,
    Recipe,
    RegistryBase,
    SiteBundle,
    Suite,
    Tree,
)
from toolkit.catalogue.suites import SUITES, read_suites
from toolkit.errors import Code, ToolkitError
from toolkit.yaml.source import Path_, Source, read_source
from toolkit.yaml.validate import Section, validate

ENVIRONMENT_TEMPLATE = "environment.Dockerfile.j2"
ADDITIONS_TEMPLATE = "additions.Dockerfile.j2"
"""For the stages that all frameworks' images share."""
NATIVE_TEMPLATE = "native.Dockerfile.j2"


def _absolute(value: str) -> str:
    if not value.startswith("/") or ".." in value:
        raise ValueError("expected an absolute path in the image")
    return value


def _pinned(value: str) -> str:
    if value and "@sha256:" not in value:
        raise ValueError("an image base must be pinned: NAME@sha256:…")
    return value


class TreeSection(Section):
    source: str
    target: Annotated[str, AfterValidator(_absolute)]

    def to_tree(self, folder: Path, python: str) -> Tree:
        """The tree, with `{python}` in its target replaced by the image's Python version."""
        return Tree((folder / self.source).resolve(), self.target.replace("{python}", python))


class NativeSection(Section):
    """Libraries that are compiled for each row: the folder of their `build.py`, their place in the image, and the
    Debian packages needed for compiling, locked per suite in `locks/` next to the sources."""

    source: str
    target: Annotated[str, AfterValidator(_absolute)]
    packages: list[str]

    def to_native(self, folder: Path, suite: Suite, templates: Path) -> Native:
        source = (folder / self.source).resolve()
        compiler = Recipe(
            name=f"toolkit-compiler-{suite.name}",
            title=f"Compilers of {suite.title}, for {source.parent.name}",
            base=DistributionBase(suite, (*suite.packages, *self.packages), suite.variant),
            template=templates / NATIVE_TEMPLATE,
            lock=source.parent / "locks" / f"{suite.name}.lock",
            trees=(),
            facts="nothing of it gets into an image",
        )
        return Native(source, self.target, compiler)


class FlavourSection(Section):
    """One image of a row: its requirements from the package index, the GPUs that it must support, a site's
    bundle, Debian packages in addition to the suite's."""

    requirements: list[str] = Field(default_factory=list)
    gpu: list[str] = Field(default_factory=list)
    bundle: str = ""
    packages: list[str] = Field(default_factory=list)


class RowSection(Section):
    """One version; based on `suite`, or on an `image` from a registry, pinned by digest.

    Its own `trees` replace the framework's. With `compat`, its images always have those trees of the framework's
    `compat`, and the catalogue has none without them.
    """

    version: str
    python: str
    facts: str
    suite: str = ""
    image: Annotated[str, AfterValidator(_pinned)] = ""
    trees: list[TreeSection] | None = None
    compat: str = ""
    flavours: dict[str, FlavourSection]


class FrameworkFile(Section):
    """`images/<framework>/recipe.yml`. With `extends`, every row of that framework with these trees on top.

    `compat` are more trees, by name, for the images of manifests that ask for them.
    """

    framework: str
    title: str
    template: str
    extends: str = ""
    requirements: list[str] = Field(default_factory=list)
    trees: list[TreeSection] = Field(default_factory=list)
    compat: dict[str, list[TreeSection]] = Field(default_factory=dict)
    native: NativeSection | None = None
    rows: list[RowSection] = Field(default_factory=list)


_Read = tuple[Source, FrameworkFile]


class ProgramSection(Section):
    """A binary from a Python package of this environment, pinned by its SHA-256."""

    distribution: str
    file: str
    release: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    target: Annotated[str, AfterValidator(_absolute)]


class ToolFile(Section):
    """`images/<tool image>/recipe.yml`: one of the tool's own images, such as the one that mounts buckets."""

    name: str
    title: str
    template: str
    facts: str
    suite: str
    variant: str
    packages: list[str]
    programs: list[ProgramSection] = Field(default_factory=list)


def read_frameworks(
    images: Path, templates: Path, site: Mapping[str, SiteBundle] = MappingProxyType({})
) -> tuple[FrameworkRow, ...]:
    """Every row of every framework in `images`; raises `ToolkitError` (S103) if a recipe is invalid.

    `site` are this site's bundles, by name; a row that needs a missing bundle is listed all the same, and says so.
    """
    suites = read_suites(images)
    sources = [read_source(file, Code.IMAGE, ours=True) for file in sorted(images.glob("*/recipe.yml"))]
    files = [(one, validate(one, FrameworkFile, Code.IMAGE)) for one in sources if one.has(("framework",))]
    by_name = {file.framework: (source, file) for source, file in files}
    rows: list[FrameworkRow] = []
    for source, file in files:
        if file.extends:
            if file.extends not in by_name:
                raise _wrong(source, f"extends unknown framework `{file.extends}`", ("extends",))
            rows += _rows(by_name[file.extends], (source, file), suites, templates, site)
        rows += _rows((source, file), (source, file), suites, templates, site)
    return tuple(rows)


def read_tool_recipe(
    folder: Path, templates: Path, trees: tuple[Tree, ...] = (), locate: Callable[[Program], Path] | None = None
) -> Recipe:
    """The recipe of one of the tool's own images; `trees` depend on this machine, such as a folder of the tool.

    `locate` returns the path of a program on this machine; it is called only if the recipe has programs.
    """
    source = read_source(folder / "recipe.yml", Code.IMAGE, ours=True)
    tool = validate(source, ToolFile, Code.IMAGE)
    suite = _suite(tool.suite, read_suites(folder.parent), source, ("suite",))
    programs = (Program(**section.model_dump()) for section in tool.programs)
    found = [Tree(locate(one), one.target, one.sha256, one.release) for one in programs if locate]
    return Recipe(
        name=tool.name,
        title=tool.title,
        base=DistributionBase(suite, tuple(tool.packages), tool.variant),
        template=templates / tool.template,
        lock=folder / f"{tool.name}.lock",
        trees=(*found, *trees),
        facts=tool.facts,
    )


def _rows(
    own: _Read, on_top: _Read, suites: dict[str, Suite], templates: Path, site: Mapping[str, SiteBundle]
) -> list[FrameworkRow]:
    """The rows of the file `own`, with the names and trees of `on_top`."""
    (source, file), (top_source, top) = own, on_top
    folder, top_folder = Path(source.file).parent, Path(top_source.file).parent
    return [
        FrameworkRow(
            framework=top.framework,
            version=row.version,
            python=row.python,
            flavour=flavour,
            recipe=Recipe(
                name=_name(row, top, compat, flavour),
                title=top.title,
                base=_base(row, suites, source, index, section.packages),
                template=templates / top.template,
                lock=folder / "locks" / f"{row.version}-py{row.python}-{flavour}.lock",
                trees=tuple(
                    tree.to_tree(top_folder, row.python)
                    for tree in (*(top.trees if row.trees is None else row.trees), *top.compat.get(compat, []))
                ),
                facts=row.facts,
                python=row.python,
                requirements=(*section.requirements, *file.requirements),
                architectures=tuple(section.gpu),
                bundle=site.get(section.bundle, SiteBundle(section.bundle)) if section.bundle else None,
                # None for a registry's image: what would compile for it is unknown.
                native=top.native.to_native(top_folder, suites[row.suite], templates)
                if top.native and row.suite in suites
                else None,
            ),
            compat=compat,
        )
        for index, row in enumerate(file.rows)
        for compat in _compats(row, top, source, index)
        for flavour, section in row.flavours.items()
    ]


def _compats(row: RowSection, top: FrameworkFile, source: Source, index: int) -> tuple[str, ...]:
    """The images of a row: one without and one with each `compat`; or only that with its own."""
    if row.compat and row.compat not in top.compat:
        known = ", ".join(top.compat) or "none"
        raise _wrong(source, f"unknown compat `{row.compat}`; {top.framework} has: {known}", ("rows", index, "compat"))
    return (row.compat,) if row.compat else ("", *top.compat)


def _name(row: RowSection, top: FrameworkFile, compat: str, flavour: str) -> str:
    """What all images of a row have in common is not in their names."""
    parts = (top.framework, row.version, f"py{row.python}", "" if compat == row.compat else compat, flavour)
    return "-".join(filter(None, parts))


def _base(
    row: RowSection, suites: dict[str, Suite], source: Source, index: int, packages: list[str]
) -> DistributionBase | RegistryBase:
    if bool(row.suite) == bool(row.image):
        raise _wrong(source, "give either `suite` or `image`", ("rows", index))
    if row.image:
        return RegistryBase(row.image)
    suite = _suite(row.suite, suites, source, ("rows", index, "suite"))
    return DistributionBase(suite, (*suite.packages, *packages), suite.variant)


def _suite(name: str, suites: dict[str, Suite], source: Source, path: Path_) -> Suite:
    if name not in suites:
        raise _wrong(source, f"unknown suite `{name}`; {SUITES} has: {', '.join(suites)}", path)
    return suites[name]


def _wrong(source: Source, what: str, path: Path_) -> ToolkitError:
    return ToolkitError(Code.IMAGE, f"{source.file} has 1 problem", (source.problem(what, path),))
