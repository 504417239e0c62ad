"""What is proposed keeps the rule that was broken: the words are read back and tried."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from toolkit.compatibility.check import NOTHING, check
from toolkit.compatibility.model import Combination
from toolkit.compatibility.reader import read_table
from toolkit.paths import assets

TABLE = read_table(assets() / "images")
VERSIONS = [str(end) for release in TABLE.frameworks[0].releases for end in (release.first, release.last)]
LIBRARY = st.sampled_from(["cudnn", "nccl"])
LIBRARY_VERSIONS = ["8.7.0.84", "8.9.4.25", "9.3.0.75", "9.10.2.21", "9.11", "9.28.0.42", "2.16.5", "2.27.7", "2.32.3"]
REQUIREMENTS = st.builds(
    "nvidia-{}-cu{}{}{}".format,
    LIBRARY,
    st.sampled_from(["11", "12"]),
    st.sampled_from(["<", "<=", "==", ">=", ">"]),
    st.sampled_from(LIBRARY_VERSIONS),
)
COMBINATIONS = st.builds(
    Combination,
    framework=st.just("tensorflow"),
    version=st.sampled_from([*VERSIONS, "1.4", "2.22", "3.0"]),
    python=st.sampled_from(["", "2.7", "3.5", "3.9", "3.11", "3.13", "3.14"]),
    suite=st.just("xenial"),
    glibc=st.sampled_from(["", "2.4", "2.12", "2.23", "2.41"]),
    flavour=st.sampled_from(["cpu", "cuda"]),
    requirements=st.lists(REQUIREMENTS, max_size=2).map(tuple),
    architectures=st.lists(st.sampled_from([gpu.architecture for gpu in TABLE.gpus]), max_size=2).map(tuple),
    driver=st.sampled_from(["", "384.81", "470.82.01", "525.60.13", "580.65.06", "590.44.01"]),
    open_mpi=st.sampled_from(["", "4.1.4"]),
)


def applied(combination: Combination, proposal: str) -> Combination:
    """The combination with what one proposal says."""
    if match := re.fullmatch(r"Python (\S+)", proposal):
        return replace(combination, python=match[1])
    if match := re.fullmatch(r"a suite with glibc (\S+) or newer", proposal):
        return replace(combination, glibc=match[1])
    if match := re.fullmatch(r"driver (\S+) or newer(, up to branch \d+)?", proposal):
        return replace(combination, driver=match[1])
    if match := re.fullmatch(r"driver branch (\d+)(, from (\S+))?", proposal):
        return replace(combination, driver=f"{match[1]}.999")
    if match := re.fullmatch(r"TensorFlow (\S+)( to \S+| or newer| or older)?", proposal):
        return replace(combination, version=match[1], packages=())
    name = canonicalize_name(Requirement(proposal).name)
    family = name.rpartition("-cu")[0]
    kept = [text for text in combination.requirements if not text.startswith(family)]
    return replace(combination, requirements=(*kept, proposal))


def proposals(nearest: str) -> list[str]:
    return re.split(r", or (?=TensorFlow)", nearest)


def subject(fact: str) -> str:
    """What a fact is about: its words without the versions in them, but for an architecture's."""
    return re.sub(r"(?<!sm_)(?<!compute_)\b[0-9.]+", "", fact)


@settings(max_examples=400, deadline=None)
@given(COMBINATIONS)
def test_what_is_nearest_keeps_the_rule_that_was_broken(combination: Combination) -> None:
    for conflict in check(combination, TABLE):
        for proposal in proposals(conflict.nearest) if conflict.nearest != NOTHING else []:
            after = check(applied(combination, proposal), TABLE)
            assert subject(conflict.fact) not in [subject(one.fact) for one in after]


@settings(max_examples=200, deadline=None)
@given(COMBINATIONS)
def test_every_conflict_says_all_that_a_person_needs(combination: Combination) -> None:
    assert all(one.what and one.fact and one.source and one.nearest for one in check(combination, TABLE))


@settings(max_examples=200, deadline=None)
@given(COMBINATIONS)
def test_asking_for_less_breaks_no_more(combination: Combination) -> None:
    """A field that is not known is not checked."""
    before = {one.fact for one in check(combination, TABLE)}
    for less in ({"driver": ""}, {"glibc": ""}, {"python": ""}, {"architectures": ()}, {"flavour": "cpu"}):
        assert {one.fact for one in check(replace(combination, **less), TABLE)} <= before
