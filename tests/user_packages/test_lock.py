"""Additions locked beside the image: no framework a second time, and the resolver's words with those who ask named."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.atomic_file import sha256_of
from toolkit.catalogue.model import Recipe
from toolkit.errors import ToolkitError
from toolkit.lock.file import write_lock
from toolkit.lock.model import Lock
from toolkit.lock.pool import Pool
from toolkit.lock.wheels import ignored
from toolkit.user_packages.explain import explain, hints
from toolkit.user_packages.frameworks import framework_of
from toolkit.user_packages.lock import lock_additions
from toolkit.user_packages.model import ImageFacts
from toolkit.user_packages.read import image_facts, read_additions
from toolkit.user_packages.stand_ins import constraints_of, write_stand_ins

from ..lock.recipes import deb, row
from .images import IMAGE, wheel, write


def test_the_framework_stands_in_for_its_other_names(tmp_path: Path) -> None:
    names = write_stand_ins(IMAGE.holds, tmp_path)
    assert "tensorflow" in names
    assert "tensorflow-cpu" not in names
    with zipfile.ZipFile(tmp_path / "tensorflow-2.19.1+of.the.image-py3-none-any.whl") as archive:
        metadata = archive.read("tensorflow-2.19.1+of.the.image.dist-info/METADATA").decode()
    assert "\nRequires-Dist: tensorflow-cpu==2.19.1\n" in metadata
    assert {"keras==3.15.1", "tensorflow==2.19.1+of.the.image"} <= set(constraints_of(IMAGE.holds))


def test_an_image_without_a_framework_stands_in_for_nothing(tmp_path: Path) -> None:
    holds = {"six": wheel("six", "1.17.0")}
    assert (framework_of(holds), write_stand_ins(holds, tmp_path), constraints_of(holds)) == (None, (), ["six==1.17.0"])


SAID = """error: No solution found when resolving dependencies
  cause: Because tensorflow-text==2.15.0 depends on tensorflow{sys_platform != 'darwin'}>=2.15.0,<2.16 and \
tensorflow{sys_platform != 'darwin'}==2.19.1+of.the.image, we can conclude that tensorflow-text==2.15.0 cannot be used.
         And because you require tensorflow-text==2.15.0, we can conclude that your requirements are unsatisfiable."""


def test_a_requirement_of_a_requirement_that_the_image_excludes_is_reported_in_its_words(tmp_path: Path) -> None:
    needs = read_additions(write(tmp_path, {"requirements.txt": "six\ntensorflow-text==2.15.0\n"}), (), IMAGE)
    assert explain(SAID, IMAGE, needs.wanted, needs.constraints).splitlines()[1:] == [
        "  cause: Because tensorflow-text==2.15.0 depends on tensorflow>=2.15.0,<2.16 and the image has tensorflow-cpu"
        " 2.19.1, we can conclude that tensorflow-text==2.15.0 cannot be used.",
        "         And because requirements.txt:2 requires tensorflow-text==2.15.0, we can conclude that your"
        " requirements are unsatisfiable.",
    ]


@pytest.mark.parametrize(
    ("required", "words"),
    [
        (
            "numba==0.58 and numpy==2.1.3",
            "requirements.txt:1 requires numba==0.58 and the image's tensorflow-cpu 2.19.1",
        ),
        ("idna<3", "limits.txt:1 allows only idna<3"),
        ("strange thing", "you require strange thing"),
    ],
)
def test_who_requires_is_named(tmp_path: Path, required: str, words: str) -> None:
    files = {"requirements.txt": "numba==0.58\n-c limits.txt\n", "limits.txt": "idna<3\n"}
    needs = read_additions(write(tmp_path, files), (), IMAGE)
    said = f"Because you require {required}, we can conclude that your requirements are unsatisfiable."
    assert explain(said, IMAGE, needs.wanted, needs.constraints).startswith(f"Because {words}")


def test_the_hint_follows_from_the_error() -> None:
    assert "`pip wheel`" in hints("Because all versions of horovod have no usable wheels and you require horovod, we")
    assert "UV_DEFAULT_INDEX" in hints("Because there is no version of torch==2.1.0+cu118 and you require it")
    assert hints("Because you require six==1 and six==2") == ""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A framework whose lock is there, as is the template of additions."""
    found = row(tmp_path).recipe
    (tmp_path / "additions.Dockerfile.j2").write_text("FROM x\n")
    wheels = (wheel("flow", "1.0"), wheel("numpy", "2.1.3"))
    write_lock(Lock("a" * 64, "b" * 64, (deb("python3.11", "3.11.2-6+deb12u6"),), wheels), found.lock, "flow")
    return found


def test_the_images_python_is_that_of_its_package(recipe: Recipe) -> None:
    facts = image_facts(recipe)
    assert (facts.python, facts.full_python) == ("3.11", "3.11.2")
    assert image_facts(replace(recipe, python="3.12")).full_python == "3.12.0"


def put(folder: Path, name: str, version: str, *requires: str) -> None:
    """A wheel in the folder that is the index."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {one}" for one in requires]
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", "\n".join(metadata) + "\n")
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All the index that uv has: a folder."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in {"UV_OFFLINE": "1", "UV_FIND_LINKS": str(folder), "UV_NO_CACHE": "1"}.items():
        monkeypatch.setenv(name, value)
    return folder


def lock_of(
    folder: Path, recipe: Recipe, facts: ImageFacts, lines: str, on_warning: Callable[[str], None] = ignored
) -> Lock:
    """The lock of code with these requirements."""
    needs = read_additions(write(folder / "code", {"requirements.txt": lines}), (), facts)
    asking = replace(recipe, additions=needs.additions)
    return lock_additions(asking, needs, facts, Pool(folder / "pool"), lambda _: None, on_warning)


FLOW = wheel("tensorflow-cpu", "2.19.1")


def test_what_asks_for_the_framework_under_another_name_gets_no_second_one(
    tmp_path: Path, recipe: Recipe, index: Path
) -> None:
    put(index, "tensorflow-cpu", "2.19.1")
    put(index, "tensorflow", "2.19.1")
    put(index, "leaf", "1.0", "tensorflow[and-cuda]>=2.18,<2.20")
    lock = lock_of(tmp_path, recipe, replace(image_facts(recipe), wheels=(FLOW,)), "leaf\n")
    assert [(one.name, one.version) for one in lock.wheels] == [("leaf", "1.0")]


def test_what_needs_another_framework_than_the_images_is_reported_with_the_line_that_asks(
    tmp_path: Path, recipe: Recipe, index: Path
) -> None:
    put(index, "tensorflow-cpu", "2.19.1")
    put(index, "tensorflow", "2.15.0")
    put(index, "leaf", "1.0", "tensorflow<2.16")
    with pytest.raises(ToolkitError) as caught:
        lock_of(tmp_path, recipe, replace(image_facts(recipe), wheels=(FLOW,)), "# leaves\nleaf\n")
    assert (
        caught.value.what == "no wheels satisfy requirements.txt for Python 3.11 on Twelve, beside flow-1.0-py3.11-cpu"
    )
    assert "leaf depend on tensorflow<2.16 and the image has tensorflow-cpu 2.19.1" in caught.value.evidence
    assert "requirements.txt:2 requires leaf" in caught.value.evidence
    assert "of.the.image" not in str(caught.value)


def test_constraints_and_another_tools_pins_choose_the_version(tmp_path: Path, recipe: Recipe, index: Path) -> None:
    for version in ("1.0", "1.5", "2.0"):
        put(index, "leaf", version)
    write(tmp_path / "code", {"limits.txt": "leaf<2\n"})
    lock = lock_of(tmp_path, recipe, image_facts(recipe), "leaf\n-c limits.txt\n")
    assert [(one.name, one.version) for one in lock.wheels] == [("leaf", "1.5")]


def test_a_wheel_must_have_one_of_the_hashes_that_are_given(tmp_path: Path, recipe: Recipe, index: Path) -> None:
    put(index, "leaf", "1.0")
    digest = sha256_of(index / "leaf-1.0-py3-none-any.whl")
    facts = image_facts(recipe)
    good = lock_of(tmp_path, recipe, facts, f"leaf==1.0 --hash=sha256:{'1' * 64} --hash=sha256:{digest}\n")
    assert [one.sha256 for one in good.wheels] == [digest]
    with pytest.raises(ToolkitError, match="none of the hashes given for leaf") as caught:
        lock_of(tmp_path, recipe, facts, f"leaf==1.0 --hash=sha256:{'1' * 64}\n")
    assert caught.value.code.label == "C102"
    assert f"{digest[:12]}…  leaf-1.0-py3-none-any.whl" in caught.value.evidence


def test_an_extra_that_a_package_has_not_is_reported(tmp_path: Path, recipe: Recipe, index: Path) -> None:
    put(index, "leaf", "1.0")
    said: list[str] = []
    lock = lock_of(tmp_path, recipe, image_facts(recipe), "leaf[plots]\n", said.append)
    assert [(one.name, one.version) for one in lock.wheels] == [("leaf", "1.0")]
    assert said == ["The package `leaf==1.0` does not have an extra named `plots`"]
