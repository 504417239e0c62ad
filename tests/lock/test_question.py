"""What a lock answers, and when it no longer does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.catalogue.model import Archive, RegistryBase
from toolkit.lock.model import Lock
from toolkit.lock.staleness import deb_question, question, stale, template_digest

from .recipes import BASE, DEBIAN, SECURITY, SUITE, row

OTHER_ARCHIVE = replace(SUITE, archives=(DEBIAN, replace(SECURITY, components=("main",))))


@pytest.mark.parametrize(
    ("change", "debs_too"),
    [
        ({"requirements": ("flow-cpu==1.1",)}, False),
        ({"python": "3.12"}, False),
        ({"base": replace(BASE, packages=("python3",))}, True),
        ({"base": replace(BASE, variant="extract")}, True),
        ({"base": replace(BASE, suite=replace(SUITE, name="thirteen"))}, True),
        ({"base": replace(BASE, suite=OTHER_ARCHIVE)}, True),
        ({"base": replace(BASE, suite=replace(SUITE, glibc="2.41"))}, False),
        ({"base": RegistryBase("x@sha256:1")}, True),
    ],
)
def test_what_decides_the_files_is_part_of_the_question(
    tmp_path: Path, change: dict[str, object], debs_too: bool
) -> None:
    before, now = row(tmp_path).recipe, row(tmp_path, **change).recipe
    assert question(before) != question(now)
    assert (deb_question(before) != deb_question(now)) is debs_too


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Another"},
        {"facts": "others"},
        {"architectures": ("sm_60",)},
        {"base": replace(BASE, packages=BASE.packages[::-1])},
        {"base": replace(BASE, suite=replace(SUITE, archives=(SECURITY, DEBIAN)))},
        {"base": replace(BASE, suite=replace(SUITE, title="A dozen", open_mpi="5"))},
    ],
)
def test_what_decides_nothing_is_not(tmp_path: Path, change: dict[str, object]) -> None:
    assert question(row(tmp_path).recipe) == question(row(tmp_path, **change).recipe)


def test_a_sites_mirror_asks_for_the_same_files(tmp_path: Path) -> None:
    moved = replace(SUITE, archives=(Archive("debian", "http://mine", DEBIAN.suites, DEBIAN.components), SECURITY))
    assert question(row(tmp_path).recipe) == question(row(tmp_path, base=replace(BASE, suite=moved)).recipe)


def test_a_lock_says_in_words_why_it_is_stale(tmp_path: Path) -> None:
    recipe = row(tmp_path).recipe
    lock = Lock(question(recipe), template_digest(recipe), (), ())
    assert stale(recipe, lock) == ""
    assert stale(replace(recipe, python="3.12"), lock) == "the recipe changed"
    recipe.template.write_text("FROM {{ parent }} AS other\n")
    assert stale(recipe, lock) == "the template changed"
