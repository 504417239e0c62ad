"""Which wheel an interpreter takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.lock.wheel_choice import best_wheel, is_foreign, platforms, supported_tags

ANY, MANY = "a-1.0-py3-none-any.whl", "a-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
OLD, ABI3 = "a-1.0-cp311-cp311-manylinux2014_x86_64.whl", "a-1.0-cp38-abi3-manylinux2014_x86_64.whl"


@pytest.mark.parametrize(
    ("python", "glibc", "files", "best"),
    [
        ("3.11", "2.36", [ANY, OLD, MANY], MANY),
        ("3.11", "2.27", [ANY, OLD, MANY], OLD),
        ("3.11", "2.36", [ANY, ABI3], ABI3),
        ("3.11", "2.36", [OLD, ABI3], OLD),
        ("3.13", "2.41", [ANY, OLD, ABI3], ABI3),
        ("3.7", "2.36", [ANY, OLD, ABI3], ANY),
        ("3.11", "2.12", [OLD, MANY], None),
        ("3.11", "2.36", ["a-1.0-cp311-cp311-musllinux_1_2_x86_64.whl"], None),
        ("3.11", "2.36", ["a-1.0-cp311-cp311-manylinux_2_28_aarch64.whl", "a-1.0-cp311-cp311-win_amd64.whl"], None),
        ("3.11", "2.36", ["a-1.0.tar.gz", "not a wheel"], None),
        ("3.11", "2.36", ["a-1.0-1-py3-none-any.whl", ANY, "a-1.0-2-py3-none-any.whl"], "a-1.0-2-py3-none-any.whl"),
        ("3.5", "2.23", ["a-1.0-cp35-cp35m-manylinux1_x86_64.whl"], "a-1.0-cp35-cp35m-manylinux1_x86_64.whl"),
        (
            "2.7",
            "2.31",
            ["a-1.0-cp27-cp27m-manylinux1_x86_64.whl", "a-1.0-cp27-cp27mu-manylinux1_x86_64.whl"],
            "a-1.0-cp27-cp27mu-manylinux1_x86_64.whl",
        ),
        ("2.7", "2.31", [ANY], None),
    ],
)
def test_the_best_of_what_can_be_loaded(python: str, glibc: str, files: list[str], best: str | None) -> None:
    assert best_wheel(files, supported_tags(python, glibc)) == best


@given(st.permutations([ANY, OLD, MANY, ABI3, "a-1.0-1-cp311-cp311-manylinux_2_28_x86_64.whl"]))
def test_the_order_of_the_index_decides_nothing(files: list[str]) -> None:
    assert best_wheel(files, supported_tags("3.11", "2.36")) == "a-1.0-1-cp311-cp311-manylinux_2_28_x86_64.whl"


def test_the_old_names_of_platforms_stand_where_their_glibc_does() -> None:
    assert list(platforms("2.18"))[:4] == [
        "manylinux_2_18_x86_64",
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
        "manylinux_2_16_x86_64",
    ]
    assert list(platforms("2.18"))[-2:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64"]


def test_a_wheel_is_foreign_to_python_2_where_its_name_knows_python_3_alone() -> None:
    assert is_foreign(ANY, "2.7")
    assert not is_foreign("a-1.0-py2.py3-none-any.whl", "2.7")
    assert not is_foreign(ANY, "3.5")
