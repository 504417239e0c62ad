"""What a person's code needs, read from the files that people already have, and held against the image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.catalogue.model import Additions
from toolkit.errors import ToolkitError
from toolkit.user_packages.model import Needs
from toolkit.user_packages.question import additions_question
from toolkit.user_packages.read import read_additions

from ..lock.recipes import row
from .images import IMAGE, KERAS_SHA256, write

HASH = "0" * 63 + "1"


def test_code_that_asks_for_nothing_adds_nothing(tmp_path: Path) -> None:
    assert read_additions(tmp_path, (), IMAGE) == Needs(None)


def test_requirements_are_those_of_the_file_and_packages_the_manifests(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "# plots\nmatplotlib>=3.8  # newest\n\nFire[x] == 0.7; python_version<'4'\n"})
    assert read_additions(tmp_path, ("graphviz", "bc"), IMAGE, "cuda").additions == Additions(
        ("matplotlib>=3.8", "Fire[x]==0.7"), ("bc", "graphviz"), tmp_path / "toolkit-cuda.lock"
    )


def test_constraints_and_hashes_go_with_the_requirements(tmp_path: Path) -> None:
    files = {"requirements.txt": f"six==1.17 --hash=sha256:{HASH}\n-c limits.txt\n", "limits.txt": "idna<4\n"}
    found = read_additions(write(tmp_path, files), (), IMAGE).additions
    assert found == Additions(("six==1.17",), (), tmp_path / "toolkit.lock", ("idna<4",), (("six", (HASH,)),))


def test_hashes_that_several_lines_give_must_all_let_a_file_serve(tmp_path: Path) -> None:
    other = "2" * 64
    lines = f"six --hash=sha256:{HASH} --hash=sha256:{other}\nsix==1.17 --hash=sha256:{other}\n"
    found = read_additions(write(tmp_path, {"requirements.txt": lines}), (), IMAGE).additions
    assert found is not None
    assert found.hashes == (("six", (other,)),)


def test_what_has_no_hash_beside_others_is_reported(tmp_path: Path) -> None:
    lines = f"six==1.17 --hash=sha256:{HASH}\nfire\n"
    needs = read_additions(write(tmp_path, {"requirements.txt": lines}), (), IMAGE)
    assert needs.notes == ("no hashes given for fire: the index's are locked",)


@pytest.mark.parametrize(
    "name",
    ["tensorflow", "tensorflow-gpu", "Tensorflow_CPU", "intel-tensorflow", "tf-nightly", "tensorflow[and-cuda]"],
)
def test_the_images_framework_is_not_installed_again(tmp_path: Path, name: str) -> None:
    needs = read_additions(write(tmp_path, {"requirements.txt": f"{name}>=2.10\nsix\n"}), (), IMAGE)
    assert needs.additions == Additions(("six",), (), tmp_path / "toolkit.lock")
    (note,) = needs.notes
    assert f"requirements.txt:1: {name}>=2.10 is satisfied by the image's tensorflow-cpu 2.19.1" in note
    assert ("its extras (and-cuda) are skipped" in note) is ("[" in name)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("keras==2.1.0", "requires keras==2.1.0; the image's tensorflow-cpu 2.19.1 pins keras at 3.15.1"),
        ("numpy<2", "requires numpy<2; the image's tensorflow-cpu 2.19.1 pins numpy at 2.1.3"),
        ("mpi4py==3.1.4", "requires mpi4py==3.1.4; the image's tensorflow-cpu 2.19.1 pins mpi4py at 4.1.2"),
        ("tensorflow-gpu==1.15", "requires tensorflow-gpu==1.15; the image has tensorflow-cpu 2.19.1"),
        ("tf-nightly==2.20.0.dev20250101", "the image has tensorflow-cpu 2.19.1"),
        ("tensorflow==2.19.1+nv25", "the image has tensorflow-cpu 2.19.1"),
        (f"keras==3.15.1 --hash=sha256:{HASH}", "from a file whose SHA-256 matches none of the given hashes"),
    ],
)
def test_a_version_that_the_image_has_not_is_refused_with_who_asks(tmp_path: Path, line: str, words: str) -> None:
    write(tmp_path, {"requirements.txt": f"six\n{line}\n"})
    with pytest.raises(ToolkitError) as caught:
        read_additions(tmp_path, (), IMAGE)
    assert caught.value.code.label == "C102"
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{tmp_path / 'requirements.txt'}:2:1: ")
    assert words in str(problem)
    assert "toolkit frameworks" in caught.value.hint


def test_what_the_image_has_already_is_reported_and_not_asked_for(tmp_path: Path) -> None:
    lines = f"numpy>=1.20\nkeras==3.15.1 --hash=sha256:{KERAS_SHA256}\n"
    needs = read_additions(write(tmp_path, {"requirements.txt": lines}), (), IMAGE)
    assert needs == Needs(None, ("already in the image: numpy 2.1.3, keras 3.15.1",))


def test_extras_of_what_the_image_has_are_asked_for(tmp_path: Path) -> None:
    needs = read_additions(write(tmp_path, {"requirements.txt": "keras[extra]\n"}), (), IMAGE)
    assert needs.additions == Additions(("keras[extra]",), (), tmp_path / "toolkit.lock")


def test_pins_of_another_lock_give_way_to_the_image_and_are_reported(tmp_path: Path) -> None:
    lock = '[[package]]\nname = "{}"\nversion = "{}"\nsource = {{ registry = "https://pypi.org/simple" }}\n'
    files = {
        "pyproject.toml": '[project]\nname = "leaf"\ndependencies = ["six", "numpy"]\n',
        "uv.lock": "version = 1\n" + lock.format("numpy", "1.26.4") + lock.format("six", "1.16.0"),
    }
    needs = read_additions(write(tmp_path, files), (), IMAGE)
    assert needs.additions == Additions(("six",), (), tmp_path / "toolkit.lock", ("six==1.16.0",))
    assert "uv.lock yields to the image's versions: numpy==1.26.4 (2.1.3)" in needs.notes


def test_every_part_of_the_additions_is_part_of_what_their_lock_answers(tmp_path: Path) -> None:
    recipe = row(tmp_path).recipe
    recipe.lock.parent.mkdir(parents=True)
    recipe.lock.write_text("")
    plain = Additions(("six",), ("bc",), tmp_path / "toolkit.lock")
    others = (
        plain,
        replace(plain, requirements=("six==1",)),
        replace(plain, packages=()),
        replace(plain, constraints=("idna<4",)),
        replace(plain, hashes=(("six", (HASH,)),)),
    )
    assert len({additions_question(replace(recipe, additions=one)) for one in others}) == len(others)
