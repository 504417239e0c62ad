"""Which versions bounds admit, and which GPU runs which code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from toolkit.compatibility.bounds import as_requirement, asked_of, exact, newest_admitted, parse, spelled
from toolkit.compatibility.model import runs_on

LANDMARKS = [Version("9.3"), Version("9.11")]
SMALL = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda pair: f"{pair[0]}.{pair[1]}")
BOUNDS = st.lists(st.tuples(st.sampled_from(["<", "<=", "==", ">=", ">", "!=", "~="]), SMALL), max_size=3)
EVERY = [Version(f"{major}.{minor}") for major in range(6) for minor in range(6)]


@given(BOUNDS, st.lists(SMALL, max_size=3))
def test_the_newest_lies_in_the_newest_stretch_that_is_admitted(parts: list[tuple[str, str]], marks: list[str]) -> None:
    bounds = SpecifierSet(",".join(operator + version for operator, version in parts))
    newest = newest_admitted(bounds, map(Version, marks))
    admitted = [version for version in EVERY if bounds.contains(version)]
    assert newest is None or bounds.contains(newest)
    assert not admitted or newest is not None
    # In the same stretch as the newest: no landmark lies between them.
    assert newest is None or not any(newest < Version(mark) <= max(admitted, default=newest) for mark in marks)


@pytest.mark.parametrize(
    ("bounds", "below_9_11"),
    [("", False), ("<9.11", True), ("<=9.11", False), ("==9.*", False), ("==9.10.*", True), ("~=9.3.0", True)],
)
def test_the_newest_lies_on_its_side_of_a_landmark(bounds: str, below_9_11: bool) -> None:
    newest = newest_admitted(SpecifierSet(bounds), LANDMARKS)
    assert newest is not None
    assert (newest < Version("9.11")) is below_9_11


def test_bounds_that_admit_nothing() -> None:
    assert newest_admitted(SpecifierSet(">=9.11,<9.11"), LANDMARKS) is None


def test_a_pin_is_one_version() -> None:
    assert exact(SpecifierSet("==9.3.0.75,<10")) == Version("9.3.0.75")
    assert exact(SpecifierSet("==9.*")) is exact(SpecifierSet(">=9")) is exact(SpecifierSet("")) is None


def test_requirements_count_where_their_markers_say() -> None:
    texts = ("a>=1 ; python_version < '3'", "b ; sys_platform == 'win32'", "c ; extra == 'x'", "A<2", "(")
    assert [str(one) for one in parse(texts, "3.11")] == ["A<2"]
    bounds, by_url = asked_of(parse(texts, "2.7"), "a")
    assert (bounds, by_url) == (SpecifierSet(">=1,<2"), False)


def test_bounds_are_spelled_from_below() -> None:
    assert spelled(SpecifierSet("<10,>=9.3")) == "≥ 9.3, < 10"
    assert as_requirement(SpecifierSet("<10,>=9.3")) == ">=9.3,<10"


@pytest.mark.parametrize(
    ("codes", "architecture", "runs"),
    [
        (("sm_60",), "sm_60", True),
        (("sm_60",), "sm_61", True),
        (("sm_61",), "sm_60", False),
        (("sm_60",), "sm_70", False),
        (("compute_60",), "sm_70", True),
        (("compute_70",), "sm_60", False),
        (("sm_90",), "sm_100", False),
        (("sm_100",), "sm_103", True),
        (("compute_90",), "sm_120", True),
        (("sm_35",), "sm_37", True),
        ((), "sm_60", False),
        (("compute_35",), "p100", False),
    ],
)
def test_machine_code_runs_within_its_major_and_ptx_ever_after(
    codes: tuple[str, ...], architecture: str, runs: bool
) -> None:
    assert runs_on(codes, architecture) is runs
