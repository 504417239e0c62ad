"""The catalogue: what is in it, what answers a manifest, and what an image's version depends on."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.catalogue.choose import NotInCatalogue, choose
from toolkit.catalogue.model import DistributionBase, FrameworkRow, Recipe, RegistryBase, Tree
from toolkit.catalogue.reader import read_frameworks, read_tool_recipe
from toolkit.catalogue.version import base_inputs, read_inputs
from toolkit.errors import ToolkitError
from toolkit.manifest.model import Framework
from toolkit.places import house

ROWS = read_frameworks(house() / "images", house() / "templates")


def test_the_catalogues_files_are_all_there() -> None:
    for row in ROWS:
        recipe = row.recipe
        assert recipe.template.is_file()
        assert recipe.lock is not None
        assert recipe.lock.is_file()
        assert all(tree.source.exists() for tree in recipe.trees)
        assert recipe.name == f"{row.framework}-{row.version}-py{row.python}-{row.flavour}"


def test_a_framework_that_is_there_is_found() -> None:
    assert choose(ROWS, Framework("tensorflow-ddl", "2.19", "3.11")) is ROWS[0]


@pytest.mark.parametrize(
    ("wanted", "field", "words"),
    [
        (Framework("tensorflow-dll", "2.19", "3.11"), "name", "did you mean `tensorflow-ddl`?"),
        (Framework("caffe", "1.0", "3.11"), "name", "the catalogue has: tensorflow-ddl"),
        (Framework("tensorflow-ddl", "2.91", "3.11"), "version", "the catalogue has: 2.19"),
        (Framework("tensorflow-ddl", "2.19", "3.5"), "python", "not built for Python `3.5`; the catalogue has: 3.11"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(wanted: Framework, field: str, words: str) -> None:
    with pytest.raises(NotInCatalogue) as caught:
        choose(ROWS, wanted)
    assert caught.value.field == field
    assert words in str(caught.value)


def test_no_catalogue_has_nothing_to_offer() -> None:
    with pytest.raises(NotInCatalogue):
        choose([], Framework("tensorflow", "2.19", "3.11"))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A recipe of small files."""
    for name in ("t.j2", "x.lock", "src/a.py", "src/b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    base = DistributionBase("bookworm", ("python3",), "apt")
    trees = (Tree(tmp_path / "src", "/opt/src"),)
    return Recipe("name", "title", base, tmp_path / "t.j2", tmp_path / "x.lock", trees, "facts")


def write(name: str) -> Callable[[Path, Recipe], Recipe]:
    def change(folder: Path, recipe: Recipe) -> Recipe:
        (folder / name).write_text("other")
        return recipe

    return change


def rename(folder: Path, recipe: Recipe) -> Recipe:
    (folder / "src" / "a.py").rename(folder / "src" / "c.py")
    return recipe


def other_packages(_folder: Path, recipe: Recipe) -> Recipe:
    return replace(recipe, base=DistributionBase("bookworm", ("python3", "less"), "apt"))


def other_target(folder: Path, recipe: Recipe) -> Recipe:
    return replace(recipe, trees=(Tree(folder / "src", "/opt/elsewhere"),))


@pytest.mark.parametrize(
    "change",
    [write("t.j2"), write("x.lock"), write("src/a.py"), write("src/new.py"), rename, other_packages, other_target],
)
def test_every_input_changes_the_version(
    tmp_path: Path, recipe: Recipe, change: Callable[[Path, Recipe], Recipe]
) -> None:
    before = read_inputs(recipe)
    after = read_inputs(change(tmp_path, recipe))
    assert after.digest != before.digest
    assert after.reference == f"name:{after.digest[:12]}"


def test_when_and_where_it_is_built_does_not(tmp_path: Path, recipe: Recipe) -> None:
    before = read_inputs(recipe)
    os.utime(tmp_path / "src" / "a.py", (1, 1))
    (tmp_path / "src" / "__pycache__").mkdir()
    (tmp_path / "src" / "__pycache__" / "a.pyc").write_text("cache")
    assert read_inputs(recipe) == before
    shutil.copytree(tmp_path / "src", tmp_path / "copy")
    assert read_inputs(replace(recipe, trees=(Tree(tmp_path / "copy", "/opt/src"),))) == before


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("{suite: bookworm, image: x}", "give either `suite` or `image`"),
        ("{packages: [python3]}", "give either `suite` or `image`"),
        ("{image: 'debian:12'}", "an image base must be pinned"),
        ("{image: 'd@sha256:0', packages: [less]}", "leave `packages` out"),
        ("{suite: bookworm, pakages: []}", "did you mean `packages`?"),
    ],
)
def test_a_wrong_recipe_is_pointed_at(tmp_path: Path, base: str, words: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "recipe.yml").write_text(
        "framework: x\ntitle: x\ntemplate: t.j2\nversions:\n"
        f"  - {{version: '1', python: '3.11', flavour: cpu, lock: l, facts: f, base: {base}}}\n"
    )
    with pytest.raises(ToolkitError) as caught:
        read_frameworks(tmp_path, tmp_path)
    assert words in str(caught.value)
    assert f"{tmp_path / 'x' / 'recipe.yml'}:5:" in str(caught.value)


FRAMEWORK = """framework: x
title: A title
template: t.j2
versions:
  - version: "1"
    python: "3.11"
    flavour: cpu
    lock: one.lock
    facts: why
    base:
      image: debian@sha256:0
    trees:
      - {source: ../src, target: /opt/src}
"""


def read(folder: Path, text: str) -> tuple[FrameworkRow, ...]:
    (folder / "images" / "x").mkdir(parents=True)
    (folder / "images" / "x" / "recipe.yml").write_text(text)
    return read_frameworks(folder / "images", folder / "templates")


def test_a_recipes_files_lie_beside_it(tmp_path: Path) -> None:
    (row,) = read(tmp_path, FRAMEWORK)
    assert row == FrameworkRow(
        *("x", "1", "3.11", "cpu"),
        Recipe(
            name="x-1-py3.11-cpu",
            title="A title",
            base=RegistryBase("debian@sha256:0"),
            template=tmp_path / "templates" / "t.j2",
            lock=tmp_path / "images" / "x" / "one.lock",
            trees=(Tree(tmp_path / "images" / "src", "/opt/src"),),
            facts="why",
        ),
    )
    assert row.spelled == "x 1 on Python 3.11 (cpu)"


@pytest.mark.parametrize("target", ["opt/src", "/opt/../etc", ""])
def test_a_tree_has_an_absolute_place_in_the_image(tmp_path: Path, target: str) -> None:
    with pytest.raises(ToolkitError, match="expected an absolute path in the image"):
        read(tmp_path, FRAMEWORK.replace("target: /opt/src", f"target: '{target}'"))


def test_a_tools_own_image_is_no_framework(tmp_path: Path) -> None:
    rows = read(tmp_path, "name: tool\ntitle: t\ntemplate: t.j2\nfacts: f\nbase: {suite: bookworm, packages: [less]}\n")
    assert rows == ()
    tree = Tree(tmp_path / "binary", "/usr/bin/binary")
    file = tmp_path / "images" / "x" / "recipe.yml"
    assert read_tool_recipe(file, tmp_path, (tree,)) == Recipe(
        "tool", "t", DistributionBase("bookworm", ("less",), "apt"), tmp_path / "t.j2", None, (tree,), "f"
    )


def test_the_nearest_version_is_named_among_several(tmp_path: Path) -> None:
    (row,) = read(tmp_path, FRAMEWORK)
    rows = [replace(row, version=version, python=python) for version in ("2.19", "3.0") for python in ("3.12", "3.11")]
    assert choose(rows, Framework("x", "3.0", "3.11")) is rows[3]
    with pytest.raises(NotInCatalogue) as caught:
        choose(rows, Framework("x", "2.91", "3.11"))
    assert str(caught.value) == "no recipe for x `2.91`; did you mean `2.19`? the catalogue has: 2.19, 3.0"
    with pytest.raises(NotInCatalogue, match=r"not built for Python `2.7`.*the catalogue has: 3.11, 3.12"):
        choose(rows, Framework("x", "3.0", "2.7"))


def test_each_input_is_hashed_under_its_name(recipe: Recipe, tmp_path: Path) -> None:
    alone = Tree(tmp_path / "src" / "b.py", "/usr/bin/b")
    found = dict(read_inputs(replace(recipe, trees=(*recipe.trees, alone))).digests)
    sums = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("t.j2", "x.lock", "src/a.py", "src/b.py")}
    expected = {
        "base": base_inputs(recipe.base).digest,
        "template": sums["t.j2"],
        "lock": sums["x.lock"],
        "/opt/src/a.py": sums["src/a.py"],
        "/opt/src/b.py": sums["src/b.py"],
        "/usr/bin/b": sums["src/b.py"],
    }
    assert {name: found.get(name) for name in expected} == expected
    assert not {"lock", "/usr/bin/b"} & dict(read_inputs(replace(recipe, lock=None)).digests).keys()


def test_equal_bases_are_one_base_and_others_are_not() -> None:
    bases = [
        DistributionBase("bookworm", ("a", "b"), "apt"),
        DistributionBase("bookworm", ("a", "b"), "extract"),
        DistributionBase("bookworm", ("a",), "apt"),
        DistributionBase("trixie", ("a", "b"), "apt"),
        RegistryBase("debian@sha256:0"),
        RegistryBase("debian@sha256:1"),
    ]
    references = [base_inputs(base).reference for base in bases]
    assert len(set(references)) == len(bases)
    assert references[0] == base_inputs(DistributionBase("bookworm", ("a", "b"), "apt")).reference
    assert all(re.fullmatch(r"toolkit-base:[0-9a-f]{12}", reference) for reference in references)
