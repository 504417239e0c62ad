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

from toolkit.atomic_file import sha256_of
from toolkit.catalogue.choose import NotInCatalogue, choose
from toolkit.catalogue.model import DistributionBase, Framework, FrameworkRow, Recipe, RegistryBase, Tree
from toolkit.catalogue.reader import read_frameworks, read_tool_recipe
from toolkit.catalogue.suites import read_suites
from toolkit.errors import ToolkitError
from toolkit.image.version import base_inputs, environment_inputs, read_inputs
from toolkit.lock.file import write_lock
from toolkit.lock.model import DebPin, Lock, WheelPin
from toolkit.paths import assets

ROWS = read_frameworks(assets() / "images", assets() / "templates")
SUITES = read_suites(assets() / "images")


def test_the_catalogues_files_are_all_there() -> None:
    for row in ROWS:
        recipe = row.recipe
        assert recipe.template.is_file()
        assert recipe.lock.is_file(), recipe.lock
        assert all(tree.source.exists() for tree in recipe.trees)
        compat = f"-{row.compat}" if row.compat and row.version != "1.5" else ""  # 1.5 always has it
        assert recipe.name == f"{row.framework}-{row.version}-py{row.python}{compat}-{row.flavour}"


def test_the_catalogue_has_what_people_were_promised() -> None:
    today = [("2.15", "3.11"), ("2.19", "3.11"), ("2.21", "3.11"), ("2.21", "3.13")]
    promised = {
        (framework, version, python, flavour)
        for framework in ("tensorflow", "tensorflow-ddl")
        for version, python in today
        for flavour in ("cpu", "cuda")
    }
    promised |= {("tensorflow-ddl", "1.5", python, flavour) for python in ("2.7", "3.5") for flavour in ("cpu", "cuda")}
    assert {(row.framework, row.version, row.python, row.flavour) for row in ROWS} == promised


def test_every_ddl_image_can_be_had_for_scripts_of_tensorflow_1() -> None:
    plain, old = (
        {(row.version, row.python, row.flavour) for row in ROWS if row.framework == "tensorflow-ddl" and asked(row)}
        for asked in (lambda row: not row.compat, lambda row: row.compat == "tf1")
    )
    assert old - plain == {("1.5", python, flavour) for python in ("2.7", "3.5") for flavour in ("cpu", "cuda")}
    assert plain < old


def test_what_asks_for_compat_gets_another_image_on_the_same_environment() -> None:
    wanted = Framework("tensorflow-ddl", "2.21", "3.13")
    plain, old = choose(ROWS, wanted).recipe, choose(ROWS, replace(wanted, compat="tf1")).recipe
    assert (plain.name, old.name) == ("tensorflow-ddl-2.21-py3.13-cpu", "tensorflow-ddl-2.21-py3.13-tf1-cpu")
    assert old.trees[: len(plain.trees)] == plain.trees
    assert [tree.target for tree in old.trees[len(plain.trees) :]] == [
        "/opt/compat/tf1_compat",
        "/opt/venv/lib/python3.13/site-packages/tf1.pth",
    ]
    assert old.lock == plain.lock


@pytest.mark.parametrize("compat", ["", "tf1"])
def test_a_row_that_always_has_a_compat_answers_whether_or_not_it_is_asked_for(compat: str) -> None:
    row = choose(ROWS, Framework("tensorflow-ddl", "1.5", "3.5", compat))
    assert (row.recipe.name, row.compat) == ("tensorflow-ddl-1.5-py3.5-cpu", "tf1")
    assert row.spelled == "tensorflow-ddl 1.5 on Python 3.5 (cpu, compat tf1)"


def test_ddl_stands_on_the_same_locks_as_tensorflow() -> None:
    locks = {(row.framework, row.version, row.python, row.flavour): row.recipe.lock for row in ROWS}
    for (framework, *rest), lock in locks.items():
        if framework == "tensorflow":
            assert locks[("tensorflow-ddl", *rest)] == lock


def test_a_framework_that_is_there_is_found() -> None:
    assert choose(ROWS, Framework("tensorflow-ddl", "2.19", "3.11")).recipe.name == "tensorflow-ddl-2.19-py3.11-cpu"
    row = choose(ROWS, Framework("tensorflow", "2.21", "3.13"), "cuda")
    assert row.recipe.name == "tensorflow-2.21-py3.13-cuda"


@pytest.mark.parametrize(
    ("name", "version", "python", "found"),
    [
        ("tensorflow", "1.5-py3-ddl", "3.5", "tensorflow-ddl-1.5-py3.5-cpu"),
        ("tensorflow", "1.5-py3-ddl", "", "tensorflow-ddl-1.5-py3.5-cpu"),
        ("tensorflow-ddl", "1.5-py2.7", "", "tensorflow-ddl-1.5-py2.7-cpu"),
        ("tensorflow-ddl", "1.5-py3-ddl", "3", "tensorflow-ddl-1.5-py3.5-cpu"),
        ("tensorflow", "2.19-py3", "", "tensorflow-2.19-py3.11-cpu"),
        ("tensorflow", "2.21", "3", "tensorflow-2.21-py3.11-cpu"),
    ],
)
def test_watson_mls_spellings_lead_to_the_same_rows(name: str, version: str, python: str, found: str) -> None:
    assert choose(ROWS, Framework(name, version, python)).recipe.name == found


@pytest.mark.parametrize(
    ("wanted", "field", "words"),
    [
        (Framework("tensorflow-dll", "2.19", "3.11"), "name", "did you mean `tensorflow-ddl`?"),
        (Framework("caffe", "1.0", "3.11"), "name", "the catalogue has: tensorflow, tensorflow-ddl"),
        (Framework("tensorflow-ddl", "2.91", "3.11"), "version", "the catalogue has: 1.5, 2.15, 2.19, 2.21"),
        (Framework("tensorflow-ddl", "2.19", "3.5"), "python", "not built for Python `3.5`; the catalogue has: 3.11"),
        (Framework("tensorflow-ddl", "2.19", "3.11", "tf2"), "compat", "did you mean `tf1`?"),
        (Framework("tensorflow", "2.19", "3.11", "tf1"), "compat", "has no compat `tf1`; it has none"),
    ],
)
def test_what_is_not_there_is_reported_with_what_is(wanted: Framework, field: str, words: str) -> None:
    with pytest.raises(NotInCatalogue) as caught:
        choose(ROWS, wanted)
    assert caught.value.field == field
    assert words in str(caught.value)


def test_a_flavour_that_a_version_lacks_is_reported() -> None:
    cpu_alone = [row for row in ROWS if row.flavour == "cpu"]
    with pytest.raises(NotInCatalogue, match=r"1.5 on Python 3.5 has no cuda image; it has: cpu"):
        choose(cpu_alone, Framework("tensorflow-ddl", "1.5", "3.5"), "cuda")


def test_no_catalogue_has_nothing_to_offer() -> None:
    with pytest.raises(NotInCatalogue):
        choose([], Framework("tensorflow", "2.19", "3.11"))


DEB = DebPin("python3", "3.11", "amd64", "debian", "pool/python3.deb", "a" * 64, 10)
WHEEL = WheelPin("pip", "26.3", "pip-26.3-py3-none-any.whl", "b" * 64, 10)
LOCK = Lock("c" * 64, "d" * 64, (DEB,), (WHEEL,))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A recipe of small files."""
    for name in ("templates/t.j2", "templates/environment.Dockerfile.j2", "src/a.py", "src/b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    write_lock(LOCK, tmp_path / "x.lock", "title")
    base = DistributionBase(SUITES["bookworm"], ("python3",), "apt")
    trees = (Tree(tmp_path / "src", "/opt/src"),)
    template = tmp_path / "templates" / "t.j2"
    return Recipe("name", "title", base, template, tmp_path / "x.lock", trees, "facts", python="3.11")


def write(name: str) -> Callable[[Path, Recipe], Recipe]:
    def change(folder: Path, recipe: Recipe) -> Recipe:
        (folder / name).write_text("other")
        return recipe

    return change


def lock(changed: Lock) -> Callable[[Path, Recipe], Recipe]:
    def change(folder: Path, recipe: Recipe) -> Recipe:
        write_lock(changed, folder / "x.lock", "title")
        return recipe

    return change


def rename(folder: Path, recipe: Recipe) -> Recipe:
    (folder / "src" / "a.py").rename(folder / "src" / "c.py")
    return recipe


def other_packages(_folder: Path, recipe: Recipe) -> Recipe:
    return replace(recipe, base=DistributionBase(SUITES["bookworm"], ("python3", "less"), "apt"))


def other_target(folder: Path, recipe: Recipe) -> Recipe:
    return replace(recipe, trees=(Tree(folder / "src", "/opt/elsewhere"),))


@pytest.mark.parametrize(
    "change",
    [
        write("templates/t.j2"),
        write("templates/environment.Dockerfile.j2"),
        lock(replace(LOCK, debs=(replace(DEB, sha256="e" * 64),))),
        lock(replace(LOCK, wheels=(replace(WHEEL, sha256="e" * 64),))),
        write("src/a.py"),
        write("src/new.py"),
        rename,
        other_packages,
        other_target,
        lambda _, recipe: replace(recipe, python="3.12"),
        lambda _, recipe: replace(recipe, architectures=("sm_60",)),
    ],
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


FRAMEWORK = """framework: x
title: A title
template: t.j2
requirements: [pip==26.3]
trees:
  - {source: ../src, target: /opt/src}
rows:
  - version: "1"
    python: "3.11"
    suite: bookworm
    facts: why
    flavours:
      cpu: {requirements: [x-cpu==1]}
      cuda: {requirements: ["x==1"], gpu: [sm_60]}
"""


def read(folder: Path, text: str, name: str = "x") -> tuple[FrameworkRow, ...]:
    (folder / "images" / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(assets() / "images" / "suites.yml", folder / "images")
    (folder / "images" / name / "recipe.yml").write_text(text)
    return read_frameworks(folder / "images", folder / "templates")


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("suite: bookworm", "facts2: x", 10, "unknown field; did you mean `facts`?"),
        ("suite: bookworm", "suite: bookwrm", 10, "unknown suite `bookwrm`; suites.yml has: bookworm"),
        ("    suite: bookworm\n", "", 8, "give either `suite` or `image`"),
        ("suite: bookworm", "image: 'debian:12'", 10, "an image base must be pinned"),
        ("facts: why", "facts: why\n    compat: tf0", 12, "unknown compat `tf0`; x has: none"),
        ("title: A title", "extends: y\ntitle: A title", 2, "extends unknown framework `y`"),
    ],
)
def test_a_wrong_recipe_is_pointed_at(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        read(tmp_path, FRAMEWORK.replace(old, new))
    assert words in str(caught.value)
    assert f"{tmp_path / 'images' / 'x' / 'recipe.yml'}:{line}:" in str(caught.value)


def test_a_row_is_one_image_for_each_flavour(tmp_path: Path) -> None:
    cpu, cuda = read(tmp_path, FRAMEWORK)
    suite = SUITES["bookworm"]
    assert cpu == FrameworkRow(
        *("x", "1", "3.11", "cpu"),
        Recipe(
            name="x-1-py3.11-cpu",
            title="A title",
            base=DistributionBase(suite, suite.packages, suite.variant),
            template=tmp_path / "templates" / "t.j2",
            lock=tmp_path / "images" / "x" / "locks" / "1-py3.11-cpu.lock",
            trees=(Tree(tmp_path / "images" / "src", "/opt/src"),),
            facts="why",
            python="3.11",
            requirements=("x-cpu==1", "pip==26.3"),
        ),
    )
    assert (cuda.recipe.architectures, cuda.recipe.requirements) == (("sm_60",), ("x==1", "pip==26.3"))
    assert cpu.spelled == "x 1 on Python 3.11 (cpu)"


def test_a_row_may_stand_on_a_registrys_image(tmp_path: Path) -> None:
    rows = read(tmp_path, FRAMEWORK.replace("suite: bookworm", "image: debian@sha256:0"))
    assert {row.recipe.base for row in rows} == {RegistryBase("debian@sha256:0")}


def test_a_framework_that_extends_another_has_its_rows_with_its_own_trees(tmp_path: Path) -> None:
    read(tmp_path, FRAMEWORK)
    more = "framework: x-more\ntitle: More\ntemplate: u.j2\nextends: x\ntrees: [{source: lib, target: /opt/lib}]\n"
    rows = [row for row in read(tmp_path, more, "x-more") if row.framework == "x-more"]
    assert [row.recipe.name for row in rows] == ["x-more-1-py3.11-cpu", "x-more-1-py3.11-cuda"]
    recipe = rows[0].recipe
    assert recipe.lock == tmp_path / "images" / "x" / "locks" / "1-py3.11-cpu.lock"
    assert recipe.trees == (Tree(tmp_path / "images" / "x-more" / "lib", "/opt/lib"),)
    assert (recipe.title, recipe.template.name) == ("More", "u.j2")


@pytest.mark.parametrize("target", ["opt/src", "/opt/../etc", ""])
def test_a_tree_has_an_absolute_place_in_the_image(tmp_path: Path, target: str) -> None:
    with pytest.raises(ToolkitError, match="expected an absolute path in the image"):
        read(tmp_path, FRAMEWORK.replace("target: /opt/src", f"target: '{target}'"))


def test_a_tools_own_image_is_no_framework(tmp_path: Path) -> None:
    text = "name: tool\ntitle: t\ntemplate: t.j2\nfacts: f\nsuite: bookworm\nvariant: extract\npackages: [less]\n"
    assert read(tmp_path, text) == ()
    tree, folder = Tree(tmp_path / "binary", "/usr/bin/binary"), tmp_path / "images" / "x"
    base = DistributionBase(SUITES["bookworm"], ("less",), "extract")
    assert read_tool_recipe(folder, tmp_path, (tree,)) == Recipe(
        "tool", "t", base, tmp_path / "t.j2", folder / "tool.lock", (tree,), "f"
    )


def test_each_input_is_hashed_under_its_name(recipe: Recipe, tmp_path: Path) -> None:
    alone = Tree(tmp_path / "src" / "b.py", "/usr/bin/b")
    found = dict(read_inputs(replace(recipe, trees=(*recipe.trees, alone))).digests)
    sums = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("src/a.py", "src/b.py")}
    expected = {
        "below": environment_inputs(recipe, LOCK).digest,
        "lock": sha256_of(recipe.lock),
        "/opt/src/a.py": sums["src/a.py"],
        "/opt/src/b.py": sums["src/b.py"],
        "/usr/bin/b": sums["src/b.py"],
    }
    assert {name: found.get(name) for name in expected} == expected


def test_an_environment_is_shared_by_what_stands_on_the_same_lock(recipe: Recipe) -> None:
    other = replace(recipe, name="other", title="Other", trees=(), facts="other", requirements=("x",))
    assert environment_inputs(other, LOCK) == environment_inputs(recipe, LOCK)
    assert read_inputs(other).digest != read_inputs(recipe).digest


def test_equal_bases_are_one_base_and_others_are_not() -> None:
    bookworm, trixie = SUITES["bookworm"], SUITES["trixie"]
    bases = [
        (DistributionBase(bookworm, ("a", "b"), "apt"), (DEB,)),
        (DistributionBase(bookworm, ("a", "b"), "extract"), (DEB,)),
        (DistributionBase(bookworm, ("a",), "apt"), (DEB,)),
        (DistributionBase(trixie, ("a", "b"), "apt"), (DEB,)),
        (DistributionBase(bookworm, ("a", "b"), "apt"), (replace(DEB, sha256="f" * 64),)),
    ]
    references = [base_inputs(base, debs).reference for base, debs in bases]
    assert len(set(references)) == len(bases)
    assert references[0] == base_inputs(DistributionBase(bookworm, ("b", "a"), "apt"), (DEB,)).reference
    assert all(re.fullmatch(r"toolkit-base:[0-9a-f]{12}", reference) for reference in references)
