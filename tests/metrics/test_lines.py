"""Measurements in lines of output: Keras's, programs' own, and those that a manifest's expressions find."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.metrics.collected import Collected
from toolkit.metrics.ddl_lines import DdlLines
from toolkit.metrics.keras_lines import KerasLines
from toolkit.metrics.plain_lines import PlainLines
from toolkit.metrics.read_lines import LINE_SOURCES, MOST_SPEAKERS, ReadLines, line_sources
from toolkit.metrics.regex_lines import Extractor, RegexLines, extractor_data, read_extractor
from toolkit.metrics.source import LineSource, Measured

RECORDED = Path(__file__).parent / "recorded" / "keras-3.log"
"""Of Keras 3.10: `fit` of two epochs with a bar, `evaluate`, and both with `verbose=2`; then `fit` of one epoch."""
CAFFE = {
    "type": "regex_extractor",
    "line_lookahead": 3,
    "groups": {
        "train": {
            "regex": r".*?Iteration %{INT:iteration}.*?loss = %{FLOAT:loss}",
            "etimes": {"iteration": {"type": "INT", "value": "$iteration"}, "time": {"type": "STRING", "value": "now"}},
            "scalars": {"loss": {"type": "FLOAT", "value": "$loss"}},
        },
        "test": {"regex": r"test (%{FLOAT})", "values": {"accuracy": {"type": "FLOAT", "value": "$1"}}},
    },
}


def found_by(source: LineSource, *lines: str) -> list[tuple[str, float, int | None]]:
    return [(one.name, one.value, one.step) for line in lines for one in source.read(line)]


def series_of(
    lines: Iterable[str], sources: Any = LINE_SOURCES
) -> dict[tuple[str, str], list[tuple[int | None, float]]]:
    collected = Collected()
    reader = ReadLines(collected, sources)
    for number, line in enumerate(lines):
        reader.line(line, float(number))
    return {(one.source, one.name): [(point.step, point.value) for point in one.points] for one in collected.series()}


def test_what_keras_3_printed_is_a_series_for_each_metric_and_evaluations_are_apart() -> None:
    found = series_of(RECORDED.read_text("utf-8").splitlines())
    assert found["rank 0", "loss"] == [(3, 0.7289), (6, 0.7284), (9, 0.6748), (12, 0.6743)]
    assert found["rank 0", "val_accuracy"] == [(3, 0.6875), (6, 0.6875), (9, 0.5625), (12, 0.5625)]
    assert found["rank 0", "step_time"] == [(3, 0.128), (6, 0.023), (9, 0.093), (12, 0.025)]
    assert found["rank 0", "evaluate.loss"] == [(6, 0.7244), (12, 0.6668)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "100/100 [==============================] - 1s 5ms/step - loss: 0.3012 - acc: 0.9123",
            [("loss", 0.3012, 100), ("acc", 0.9123, 100), ("step_time", 0.005, 100)],
        ),
        (" 12/Unknown - 3s 250us/step - loss: 1.2e-05", [("loss", 1.2e-05, 12), ("step_time", 0.00025, 12)]),
        (
            "10/10 - 1s - loss: 0.5000 - 1s/epoch - 100ms/step",
            [("loss", 0.5, 10), ("step_time", 0.1, 10)],
        ),
        ("7/9 - 0s - top_k/accuracy: 0.5 - loss: nan", [("top_k/accuracy", 0.5, 7)]),
        ("100/100 files copied", []),
        ("loss: 0.3", []),
        ("1/2", []),
        ("", []),
    ],
)
def test_lines_of_keras_in_other_forms(line: str, found: list[tuple[str, float, int | None]]) -> None:
    assert found_by(KerasLines(), line) == found


def test_a_step_of_keras_counts_batches_over_all_epochs_also_while_an_epoch_goes_on() -> None:
    lines = (
        "Epoch 1/2",
        " 5/10 - loss: 4.0",
        "10/10 - loss: 3.0",
        "Epoch 2/2",
        " 5/10 - loss: 2.0",
        "10/10 - loss: 1.0",
    )
    assert found_by(KerasLines(), *lines) == [("loss", 4.0, 5), ("loss", 3.0, 10), ("loss", 2.0, 15), ("loss", 1.0, 20)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("epoch 1/8  loss 1.9002  accuracy 0.458", [("loss", 1.9002, 1), ("accuracy", 0.458, 1)]),
        ("[step 1200] loss=0.312 lr=1e-3", [("loss", 0.312, 1200), ("lr", 1e-3, 1200)]),
        ("Iteration 40: train_loss: 0.25, time: 3.1", [("train_loss", 0.25, 40), ("time", 3.1, 40)]),
        ("2026-11-30 15:44:18 INFO Epoch 3 | val_acc 0.5", [("val_acc", 0.5, 3)]),
        ("epoch 2 step 10 loss 0.5", [("loss", 0.5, None)]),
        ("epoch: 3, step: 7, loss: -.5", [("loss", -0.5, None)]),
        ("step 5 took 3.5 s, loss 2", [("loss", 2.0, 5)]),
        ("step 5 version=1.2.3", []),
        ("held-out  loss 0.1420", []),
        ("a long sentence that at its end mentions epoch 5, loss 0.5", []),
        ("epochs 5 loss 0.5", []),
        ("weights sha256 d1ca5ed5", []),
    ],
)
def test_lines_that_programs_print_themselves(line: str, found: list[tuple[str, float, int | None]]) -> None:
    assert found_by(PlainLines(), line) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ddl: metric loss 0.25 step 100", [("loss", 0.25, 100)]),
        ("ddl: metric val/acc -1.5e-07", [("val/acc", -1.5e-07, None)]),
        ("ddl: metric loss nan step 1", []),
        ("ddl: metric loss", []),
        ("ddl: rank 0 of 2, host 1 of 2, -mode p:1x2", []),
    ],
)
def test_lines_of_ddls_log_metric(line: str, found: list[tuple[str, float, int | None]]) -> None:
    assert found_by(DdlLines(), line) == found
    assert {name: points for (_, name), points in series_of([f"[0] {line}"]).items()} == {
        name: [(step, value)] for name, value, step in found
    }


def test_a_manifests_expressions_are_matched_over_lines_and_their_lines_are_used_once() -> None:
    source = RegexLines(read_extractor(CAFFE))
    lines = (
        "I0101 Iteration 100, lr = 0.1",
        "  net output: loss = 0.5 (* 1)",
        "test 0.75 ",
        "nothing",
        "Iteration 1",
        "x",
        "y",
    )
    assert found_by(source, *lines) == [("train.loss", 0.5, 100), ("test.accuracy", 0.75, None)]
    assert found_by(source, "other words", "test 0.5") == [("test.accuracy", 0.5, None)], "at the beginning of any line"


def test_what_the_manifest_says_comes_before_what_lines_look_like() -> None:
    section = {
        "type": "regex_extractor",
        "groups": {"mine": {"regex": "epoch (.*?) loss (.*)", "scalars": {"x": {"value": "$2"}}}},
    }
    lines = ["[0] epoch 1 loss 0.5 ", "[1] step 2 loss 0.25"]
    found = series_of(lines, line_sources(read_extractor(section)))
    assert found == {("rank 0", "mine.x"): [(None, 0.5)], ("rank 1", "loss"): [(2, 0.25)]}


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ({"groups": []}, "groups must be a mapping"),
        ({"groups": {"a": 5}}, "groups.a: regex must be a text"),
        ({"groups": {"a": {"regex": "("}}}, "groups.a: regex: "),
        ({"groups": {"a": {"regex": "%{NONE}"}}}, "%{NONE} is not one of GLOG_STAMP"),
        (
            {"groups": {"a": {"regex": "x", "scalars": {"b": {"value": "$b"}}}}},
            r"groups.a: $b is not a group of its regex",
        ),
        (
            {"groups": {"a": {"regex": "(x)", "scalars": {"b": {"value": "$2"}}}}},
            r"groups.a: $2 is not a group of its regex",
        ),
        ({"groups": {}, "line_lookahead": 1000}, "line_lookahead must be a number from 1 to 32"),
        ({"groups": {}, "line_lookahead": "4"}, "line_lookahead must be a number from 1 to 32"),
    ],
)
def test_expressions_that_are_none_are_named(section: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)):
        read_extractor({"type": "regex_extractor", **section})


def test_other_types_of_evaluation_metrics_have_no_expressions() -> None:
    assert read_extractor({"type": "tensorboard", "in": "$JOB_STATE_DIR/logs/tb"}) == Extractor(())
    assert read_extractor({}) == Extractor(())


def test_lines_are_told_apart_by_who_printed_them_and_the_tools_own_are_no_ones() -> None:
    lines = ["[0] step 1 loss 1.0", "[10] step 1 loss 2.0", "[2] step 1 loss 3.0", "[learner-2] step 1 loss 4.0"]
    lines += ["[toolkit] step 1 loss 5.0", "[mpirun] step 1 loss 6.0", "step 1 loss 7.0"]
    found = series_of(lines)
    assert [source for source, _ in found] == ["learner-2", "rank 0", "rank 2", "rank 10"]


def test_no_more_speakers_and_no_longer_lines_are_read_than_a_run_can_have() -> None:
    many = series_of(f"[{number}] step 1 loss 1.0" for number in range(MOST_SPEAKERS + 10))
    assert len(many) == 512
    assert series_of(["[0] " + "x" * 3000 + " 1/2 - loss: 1.0"]) == {}


WORDS = st.sampled_from(
    [
        "[0] ",
        "Epoch 1/2",
        "epoch ",
        "step",
        "5/10",
        "9" * 30,
        " - ",
        "loss",
        ": ",
        "=",
        "0.5",
        "1e999",
        "\x1b[1m",
        "\b",
        "ms/step",
        ".",
    ]
)


@given(st.lists(st.text(max_size=20) | st.lists(WORDS, max_size=12).map("".join), max_size=12))
def test_any_lines_give_numbers_or_nothing(lines: list[str]) -> None:
    for (source, name), points in series_of(
        (f"[0] {line}" for line in lines), line_sources(read_extractor(CAFFE))
    ).items():
        assert (source, bool(name)) == ("rank 0", True)
        assert all(abs(value) < float("inf") for _, value in points)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=8) | st.just("$x"),
        lambda one: (
            st.lists(one, max_size=3)
            | st.dictionaries(st.sampled_from(["groups", "regex", "etimes", "scalars", "value", "a"]), one, max_size=4)
        ),
    )
)
def test_any_section_of_a_manifest_is_read_or_refused(section: Any) -> None:
    try:
        read_extractor({"type": "regex_extractor", "groups": section})
    except ValueError as error:
        assert str(error)


def test_expressions_are_the_same_when_written_and_read_again() -> None:
    extractor = read_extractor(CAFFE)
    assert read_extractor(extractor_data(extractor)) == extractor
    assert extractor_data(Extractor(())) == {}


def test_a_measurement_is_a_value() -> None:
    assert list(PlainLines().read("step 3 loss 0.5")) == [Measured("loss", 0.5, 3)]
