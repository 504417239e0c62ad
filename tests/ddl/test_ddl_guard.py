"""The divergence guard's own decisions: settings, differences, histories. Values against values."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from ddl.guard import names
from ddl.guard.compare import Extremes, relative_difference, signed, tolerance_for
from ddl.guard.history import FORMAT, Entry, History, is_kept, max_entries, stride_after
from ddl.guard.settings import Settings, read_settings
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


def test_it_is_on_unless_someone_says_otherwise() -> None:
    assert read_settings("-mode p:1x2", {}) == Settings(100, 1e-3, ())
    assert read_settings("", {"DDL_GUARD": "", "DDL_GUARD_TOLERANCE": " ", "DDL_GUARD_EXCLUDE": " ,"}) == Settings()


def test_options_come_before_variables() -> None:
    environ = {"DDL_GUARD": "7", "DDL_GUARD_TOLERANCE": "0.5", "DDL_GUARD_EXCLUDE": "b/*, a"}
    assert read_settings("", environ) == Settings(7, 0.5, ("a", "b/*"))
    assert read_settings("-mode p:1x2 -guard 0 -guard-tolerance 1e-6", environ) == Settings(0, 1e-6, ("a", "b/*"))


@pytest.mark.parametrize("text", ["off", "-1", "1.5", "1e3", "ten", "0x10", "1 2", "99999999999"])
def test_an_interval_that_is_no_number_of_steps_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"DDL_GUARD .*whole number of steps.*or 0 for never"):
        read_settings("", {"DDL_GUARD": text})


@pytest.mark.parametrize("text", ["-1", "much", "nan", "inf", "1e999", "1,5"])
def test_a_tolerance_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"DDL_GUARD_TOLERANCE .*relative difference"):
        read_settings("", {"DDL_GUARD_TOLERANCE": text})


def test_names_are_excluded_by_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_patterns", set())
    names.exclude("expert_*/kernel", "scale")
    assert names.is_excluded("expert_3/kernel")
    assert names.is_excluded("scale")
    assert not names.is_excluded("expert_3/bias")
    assert not names.is_excluded("scale (2)")


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_digests_keep_apart_what_differs_when_they_travel(one: int, other: int) -> None:
    assert -(2**63) <= signed(one) < 2**63
    assert (signed(one) == signed(other)) == (one == other)


def test_extremes_say_where_ranks_differ() -> None:
    assert Extremes((1, 2, 3), (1, 5, 3)).differing == [1]
    assert Extremes((2**63 - 1,), (-(2**63),)).differing == []  # every rank was left out


finite = st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False)
weights = arrays(np.float32, st.integers(1, 20), elements=finite)


@given(weights)
def test_what_is_the_same_does_not_differ(values: np.ndarray) -> None:
    assert relative_difference(values, values) == 0


@given(weights, st.floats(1e-6, 0.5))
def test_a_variable_that_is_larger_by_a_part_differs_by_that_part(values: np.ndarray, part: float) -> None:
    exact = values.astype(np.float64)
    other = exact * (1 + part)
    size = relative_difference(np.minimum(exact, other), np.maximum(exact, other))
    if np.abs(exact).max() == 0:
        assert size == 0
    else:
        assert size == pytest.approx(part / (1 + part), rel=1e-6)


@given(weights, weights)
def test_a_difference_is_bounded_and_knows_no_order_or_unit(one: np.ndarray, other: np.ndarray) -> None:
    length = min(one.size, other.size)
    one, other = one[:length].astype(np.float64), other[:length].astype(np.float64)
    size = relative_difference(np.minimum(one, other), np.maximum(one, other))
    assert 0 <= size <= 2
    assert (size == 0) == bool((one == other).all())
    assert relative_difference(np.minimum(-one, -other), np.maximum(-one, -other)) == pytest.approx(size, rel=1e-9)
    scaled = relative_difference(np.minimum(one, other) * 1e-20, np.maximum(one, other) * 1e-20)
    assert scaled == pytest.approx(size, rel=1e-6)


def test_an_element_that_is_nearly_0_among_larger_ones_is_measured_by_those() -> None:
    values = np.array([1.0, -1.0, 1e-9])
    assert relative_difference(values, np.array([1.0, -1.0, 2e-9])) < 1e-8
    assert relative_difference(np.array([1e-9]), np.array([2e-9])) == 0.5


def test_a_type_of_few_bits_may_differ_in_its_last_ones() -> None:
    assert tolerance_for(1e-3, "float32") == 1e-3
    assert tolerance_for(1e-3, "bfloat16") == 16 * 2**-7
    assert tolerance_for(0.5, "bfloat16") == 0.5


def entries(file: Path) -> list[dict]:
    return [one for one in map(json.loads, file.read_text().splitlines()) if one["kind"] == "digest"]


def write(file: Path, interval: int, checks: int, variables: int = 1) -> None:
    history = History(file)
    number = history.begin(interval, "weights", [{"name": "kernel", "shape": (2,), "dtype": "float32"}])
    for check in range(1, checks + 1):
        step = check * interval
        history.add(number, Entry(step, step, step + 1, (step,) * variables))


def test_a_history_says_what_it_is_and_reads_back(tmp_path: Path) -> None:
    write(tmp_path / "file", 100, 2)
    lines = [json.loads(line) for line in (tmp_path / "file").read_text().splitlines()]
    assert lines[0] == {"kind": "format", "format": FORMAT, "program": "ddl"}
    assert lines[1]["interval"] == 100
    assert lines[1]["variables"] == [{"name": "kernel", "shape": [2], "dtype": "float32"}]
    assert [(one["step"], int(one["digest"], 16), int(one["chain"], 16)) for one in lines[2:]] == [
        (100, 100, 101),
        (200, 200, 201),
    ]
    assert base64.b64decode(lines[2]["variables"]) == (100).to_bytes(4, "little")


@given(st.integers(1, 50), st.integers(0, 6000))
def test_a_history_stays_small_and_at_powers_of_two(
    tmp_path_factory: pytest.TempPathFactory, interval: int, checks: int
) -> None:
    file = tmp_path_factory.mktemp("history") / "file"
    write(file, interval, checks)
    steps = [one["step"] for one in entries(file)] if checks else []
    assert len(steps) <= 1024
    stride = steps[0] // interval if steps else 1
    assert stride & (stride - 1) == 0
    assert steps == list(range(stride * interval, checks * interval + 1, stride * interval))
    assert stride == 1 or len(steps) >= 512


@given(st.lists(st.integers(1, 10**7), min_size=2, max_size=2))
def test_of_two_runs_the_longer_ones_steps_are_the_shorter_ones_as_far_as_that_went(checks: list[int]) -> None:
    strides = []
    for count in checks:
        stride = 1
        while count // stride > 1024:
            stride = stride_after(stride, 1025, 1024)
        strides.append(stride)
    common = range(max(strides), min(checks) + 1, max(strides))
    assert all(is_kept(check, 1, stride) for check in common for stride in strides)


def test_a_model_of_very_many_variables_keeps_fewer_entries(tmp_path: Path) -> None:
    assert max_entries(100) == 1024
    assert max_entries(10_000) == 209
    assert max_entries(10**9) == 64
    write(tmp_path / "file", 1, 500, variables=2000)
    assert (tmp_path / "file").stat().st_size < 3 << 20


def test_a_disk_that_takes_nothing_ends_the_history_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "not-there" / "file", 1, 3)
    assert capsys.readouterr().err.count("no more digests of the weights are recorded") == 1


def test_the_last_entry_is_kept_whatever_its_step(tmp_path: Path) -> None:
    history = History(tmp_path / "file")
    number = history.begin(10, "weights", [])
    history.add(number, Entry(10, 1, 1, ()))
    history.add(number, Entry(13, 2, 2, ()), last=True)
    assert [one["step"] for one in entries(tmp_path / "file")] == [10, 13]
