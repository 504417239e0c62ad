"""What decides a run's result: each change of it is named; a run has no difference from itself."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.run.document.sample import document, record
from toolkit.run.comparison.conditions import (
    Compared,
    Conditions,
    Difference,
    ImageFacts,
    code_differences,
    compared_conditions,
    condition_differences,
    conditions_in,
    conditions_of,
    manifest_differences,
)
from toolkit.run.document.data_listing import DataFile, listing_of
from toolkit.run.document.model import read_document

SHA = "a" * 64


def conditions(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Conditions:
    """Those of the sample, after a change of its record."""
    values = copy.deepcopy(document())
    values["image"]["inputs"]["additions"] = SHA
    change(values)
    return conditions_of(read_document(json.dumps(values).encode()))


def setting(path: str, value: object) -> Callable[[dict[str, Any]], object]:
    """Sets a value in a record, by its path."""

    def change(values: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        for name in parents:
            values = values[int(name)] if isinstance(values, list) else values.setdefault(name, {})
        values[last] = value

    return change


EXECUTION = "manifest/model_definition/execution"


def test_of_several_runs_each_is_compared_with_the_first() -> None:
    seeds = [conditions(setting(f"{EXECUTION}/environment/SEED", seed)) for seed in ("1", "1", "3")]
    fewer = replace(seeds[0], ranks=1)
    assert compared_conditions([*seeds, fewer]) == (
        Compared("manifest", "execution.environment.SEED", ("1", "1", "3", "1")),
        Compared("ranks", "number of ranks", ("2", "2", "2", "1")),
    )
    assert compared_conditions(seeds[:1]) == ()


def test_what_is_not_known_of_a_run_is_not_compared() -> None:
    known = conditions_in(record())
    assert (known.manifest, known.code, known.data) == (None, None, None)
    assert condition_differences(conditions(), known) == condition_differences(known, conditions()) == ()
    other = conditions_in(record(ranks=3, image="tensorflow-2.19-py3.11-cpu:0123456789ab"))
    assert [(one.part, one.name) for one in condition_differences(conditions(), other)] == [
        ("ranks", "number of ranks"),
        ("image", "name"),
    ]


def test_a_run_has_no_difference_from_itself() -> None:
    assert condition_differences(conditions(), conditions()) == ()


@pytest.mark.parametrize(
    ("change", "part", "name"),
    [
        (setting(f"{EXECUTION}/environment/SEED", "2"), "manifest", "execution.environment.SEED"),
        (setting(f"{EXECUTION}/steps/0/command", "python other.py"), "manifest", "execution.steps.1.command"),
        (
            setting(f"{EXECUTION}/compute_configuration/nodes", 3),
            *("manifest", "execution.compute_configuration.nodes"),
        ),
        (setting("manifest/model_definition/framework/version", "2.21"), "manifest", "framework.version"),
        (setting("run/ranks", 3), "ranks", "number of ranks"),
        (setting("run/on_cpu", True), "device", "ranks run on"),
        (setting("code/files/0/sha256", SHA), "code", "prepare.sh"),
        (setting("code/files/1/executable", True), "code", "train.py"),
        (
            setting("image/inputs/additions", "b" * 64),
            "image",
            "the lock of the packages that the code or the manifest adds",
        ),
        (setting("image/inputs/lock", "b" * 64), "image", "the lock of its packages"),
        (setting("image/id", f"sha256:{SHA}"), "image", "image ID, of the same inputs"),
        (setting("image/reference", "tensorflow-ddl-2.19-py3.11-cpu:0123456789ab"), "image", "name"),
        (setting("hosts/0/facts/cpus", 16), "host", "1, cpus"),
        (lambda values: values["hosts"].pop(), "host", "number of hosts"),
    ],
)
def test_each_change_is_named_and_nothing_else(
    change: Callable[[dict[str, Any]], object], part: str, name: str
) -> None:
    found = condition_differences(conditions(), conditions(change))
    assert [(one.part, one.name) for one in found] == [(part, name)]
    back = condition_differences(conditions(change), conditions())
    assert [(one.first, one.second) for one in back] == [(one.second, one.first) for one in found]


@pytest.mark.parametrize(
    "change",
    [
        setting("manifest/model_definition/description", "another"),
        setting("manifest/model_definition/author", {"name": "someone"}),
        setting("manifest/training_results_reference/target/bucket", "elsewhere"),
        setting("run/cluster", "another"),
        setting("metrics", {"loss": 9.0}),
        setting("hosts/0/name", "another"),
    ],
)
def test_what_does_not_decide_the_result_is_no_difference(change: Callable[[dict[str, Any]], object]) -> None:
    assert condition_differences(conditions(), conditions(change)) == ()


def test_a_variable_that_names_the_runs_own_folder_is_the_same_in_a_run_that_repeats_it() -> None:
    def folder(run: str) -> Callable[[dict[str, Any]], object]:
        return setting(f"{EXECUTION}/environment/CHECKPOINT", f"/mnt/results/models/{run}/mnist-10")

    def again(values: dict[str, Any]) -> None:
        values["run"]["id"] = "training-newe2345"
        folder("training-newe2345")(values)

    assert condition_differences(conditions(folder(document()["run"]["id"])), conditions(again)) == ()
    other = condition_differences(conditions(folder("training-zzzz2345")), conditions(again))
    assert [one.name for one in other] == ["execution.environment.CHECKPOINT"]


def files(**changed: tuple[int, str] | None) -> dict[str, Any]:
    """A listing of three files, after a change."""
    named = {"a": (1, "1" * 32), "b": (2, "2" * 32), "c": (3, "3" * 32)} | changed
    return {"listing": listing_of(DataFile(name, *one) for name, one in named.items() if one)}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (files(b=(2, "f" * 32)), ("b", f"2 bytes, ETag {'2' * 32}", f"2 bytes, ETag {'f' * 32}")),
        (files(b=(5, "2" * 32)), ("b", f"2 bytes, ETag {'2' * 32}", f"5 bytes, ETag {'2' * 32}")),
        (files(b=None), ("b", f"2 bytes, ETag {'2' * 32}", "")),
        (files(d=(4, "4" * 32)), ("d", "", f"4 bytes, ETag {'4' * 32}")),
        ({"not_listed": "too slow"}, ("could not be compared", "listed", "not listed: too slow")),
    ],
)
def test_a_file_of_the_data_that_was_changed_removed_or_added_is_named(
    data: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    before = conditions(setting("data", {"place": "bucket data", **files()}))
    after = conditions(setting("data", {"place": "folder /data", **data}))
    assert condition_differences(before, after) == (Difference("data", *expected),)


def test_beyond_the_first_thousand_files_only_the_digest_says_that_the_data_differs() -> None:
    def data(last: int) -> Callable[[dict[str, Any]], object]:
        many = [DataFile(f"{number:05}", 1, "e" * 32) for number in range(1500)] + [DataFile("zz", last, "f" * 32)]
        return setting("data", {"place": "bucket data", "listing": listing_of(many)})

    found = condition_differences(conditions(data(1)), conditions(data(2)))
    assert [(one.part, one.name) for one in found] == [("data", "listing, but no file that could be compared")]
    assert condition_differences(conditions(data(1)), conditions(data(1))) == ()


def locked(inputs: str, *versions: str) -> Callable[[dict[str, Any]], object]:
    """An image with another lock, whose packages have these versions."""

    def change(values: dict[str, Any]) -> None:
        digest = {"kind": "wheel", "sha256": SHA}
        packages = [{**digest, "name": f"p{number:03}", "version": one} for number, one in enumerate(versions)]
        values["image"] |= {"packages": packages, "inputs": {"lock": inputs * 64, "additions": inputs * 64}}

    return change


def test_packages_are_named_in_the_place_of_their_lock() -> None:
    found = condition_differences(conditions(locked("1", "1.0", "1.0")), conditions(locked("2", "1.0", "2.0", "3")))
    assert found == (Difference("package", "p001", "1.0", "2.0"), Difference("package", "p002", "", "3"))
    assert str(found[0]) == "package p001: 1.0 → 2.0"


def test_a_lock_whose_packages_are_the_same_or_unknown_is_named_itself() -> None:
    locks = ["the lock of the packages that the code or the manifest adds", "the lock of its packages"]
    for one, other in (
        (locked("1", "1"), locked("2", "1")),
        (locked("1"), locked("2", "1")),
        (locked("1"), locked("2")),
    ):
        assert [one.name for one in condition_differences(conditions(one), conditions(other))] == locks


def test_of_many_packages_a_hundred_are_named_and_the_others_counted() -> None:
    found = condition_differences(conditions(locked("1", *["1"] * 103)), conditions(locked("2", *["2"] * 103)))
    assert [one.name for one in found[99:]] == ["p099", "3 more packages"]


def test_a_number_of_hosts_that_is_known_before_they_are_is_compared() -> None:
    before = conditions()
    assert before.host_count == 2
    assert condition_differences(before, replace(before, hosts=())) == ()
    one = replace(before, hosts=(), host_count=1)
    assert condition_differences(before, one) == (Difference("host", "number of hosts", "2", "1"),)
    none = replace(before, hosts=(), host_count=0, why_no_hosts="there are 2 hosts")
    assert condition_differences(before, none) == (Difference("host", "number of hosts", "2", "there are 2 hosts"),)


def test_an_image_that_is_not_built_yet_is_compared_by_its_inputs() -> None:
    inputs = {"lock": SHA}
    there = Conditions({}, 1, True, {}, ImageFacts("a:1", "sha256:1", inputs), conditions().data)
    same = Conditions({}, 1, True, {}, ImageFacts("a:1", "", inputs), conditions().data)
    other = Conditions({}, 1, True, {}, ImageFacts("a:2", "", {"lock": "b" * 64}), conditions().data)
    assert condition_differences(there, same) == ()
    assert [one.name for one in condition_differences(there, other)] == ["the lock of its packages"]


TREES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)
DEFINITIONS = st.dictionaries(st.text(max_size=5), TREES, max_size=4)


@given(DEFINITIONS, DEFINITIONS)
def test_manifests_are_the_same_or_a_difference_is_named_in_either_direction(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = {"model_definition": one}, {"model_definition": other}
    assert list(manifest_differences(first, first)) == []
    there, back = list(manifest_differences(first, second)), list(manifest_differences(second, first))
    assert [one.name for one in there] == [one.name for one in back]
    assert [(one.first, one.second) for one in there] == [(one.second, one.first) for one in back]


CODE = st.dictionaries(
    st.text(min_size=1, max_size=4), st.text("0123456789abcdef", min_size=64, max_size=64), max_size=5
)


@given(CODE, CODE)
def test_exactly_the_files_that_differ_are_named_and_both_sides_look_different(
    one: dict[str, str], other: dict[str, str]
) -> None:
    found = list(code_differences(one, other))
    assert {each.name for each in found} == {name for name in one | other if one.get(name) != other.get(name)}
    assert all(each.first != each.second for each in found)
