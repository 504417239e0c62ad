"""Reading `images/<name>/recipe.yml`: strict, like a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from toolkit.catalogue.model import Base, DistributionBase, FrameworkRow, Recipe, RegistryBase, Tree
from toolkit.errors import Code
from toolkit.yaml_source import read_source, validate


def _absolute(value: str) -> str:
    if not value.startswith("/") or ".." in value:
        raise PydanticCustomError("recipe", "expected an absolute path in the image")
    return value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class BaseSection(_Section):
    """Either `suite` (made by mmdebstrap) or `image` (pulled, pinned by digest)."""

    suite: str = ""
    variant: str = "apt"
    image: str = ""
    packages: list[str] = []

    @model_validator(mode="after")
    def _one_of_two(self) -> BaseSection:
        if bool(self.suite) == bool(self.image):
            raise PydanticCustomError("recipe", "give either `suite` or `image`")
        if self.image and "@sha256:" not in self.image:
            raise PydanticCustomError("recipe", "an image base must be pinned: NAME@sha256:…")
        if self.image and self.packages:
            raise PydanticCustomError("recipe", "an image base has its packages already: leave `packages` out")
        return self

    def to_base(self) -> Base:
        if self.image:
            return RegistryBase(self.image)
        return DistributionBase(self.suite, tuple(self.packages), self.variant)


class TreeSection(_Section):
    source: str
    target: Annotated[str, AfterValidator(_absolute)]

    def to_tree(self, folder: Path) -> Tree:
        return Tree((folder / self.source).resolve(), self.target)


class VersionSection(_Section):
    version: str
    python: str
    flavour: str
    lock: str
    facts: str
    base: BaseSection
    trees: list[TreeSection] = []


class FrameworkFile(_Section):
    """`images/<framework>/recipe.yml`."""

    framework: str
    title: str
    template: str
    versions: list[VersionSection]


class ToolFile(_Section):
    """`images/<tool image>/recipe.yml`: an image of the tool's own, such as the one that mounts buckets."""

    name: str
    title: str
    template: str
    facts: str
    base: BaseSection


def read_frameworks(images: Path, templates: Path) -> tuple[FrameworkRow, ...]:
    """Every row of every framework in `images`; raises `ToolkitError` (S103) where a recipe is wrong."""
    rows: list[FrameworkRow] = []
    for file in sorted(images.glob("*/recipe.yml")):
        source = read_source(file, Code.IMAGE)
        if any(key.value == "versions" for key, _ in source.root.value):
            rows += _rows(validate(source, FrameworkFile, Code.IMAGE), file.parent, templates)
    return tuple(rows)


def read_tool_recipe(file: Path, templates: Path, trees: tuple[Tree, ...]) -> Recipe:
    """The recipe of an image of the tool's own; `trees` are what only this machine knows, such as a binary's path."""
    tool = validate(read_source(file, Code.IMAGE), ToolFile, Code.IMAGE)
    return Recipe(tool.name, tool.title, tool.base.to_base(), templates / tool.template, None, trees, tool.facts)


def _rows(file: FrameworkFile, folder: Path, templates: Path) -> list[FrameworkRow]:
    return [
        FrameworkRow(
            framework=file.framework,
            version=row.version,
            python=row.python,
            flavour=row.flavour,
            recipe=Recipe(
                name=f"{file.framework}-{row.version}-py{row.python}-{row.flavour}",
                title=file.title,
                base=row.base.to_base(),
                template=templates / file.template,
                lock=folder / row.lock,
                trees=tuple(tree.to_tree(folder) for tree in row.trees),
                facts=row.facts,
            ),
        )
        for row in file.versions
    ]
