"""Training IDs: one format, read in one place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.run.plan.training_id import new_label, new_training_id, parse_beginning, parse_training_id, run_of_label


def test_new_ids_are_ids_of_letters_that_no_one_takes_for_one_another() -> None:
    ids = {new_training_id() for _ in range(100)}
    assert len(ids) == 100
    assert not set("01lo") & {letter for one in ids for letter in one.removeprefix("training-")}
    assert all(parse_training_id(one) == one for one in ids)


@pytest.mark.parametrize(
    "text",
    [
        *("", "training-", "training-abcd234", "training-abcd23456", "abcd2345", "Training-abcd2345"),
        *("training-ABCD2345", "training-abcd2345\n", "\ntraining-abcd2345", "training-abcd 234", "training-abcd2301"),
        *("training-abcd234\u0661", "training-\u0430bcd2345", "training-abcd2345/..", "../training-abcd2345"),
        *("/training-abcd2345", "training-abcd2345\0", "training-../../..", "training-abcd2345-learner-1"),
    ],
)
def test_nothing_else_is_an_id(text: str) -> None:
    with pytest.raises(ValueError, match="is not a training ID"):
        parse_training_id(text)


@given(st.text() | st.from_regex(r"training-.{8}") | st.from_regex(r"training-[a-z2-9]{8}\s*"))
def test_what_is_read_as_an_id_is_safe_as_a_name(text: str) -> None:
    try:
        found = parse_training_id(text)
    except ValueError:
        assert not re.fullmatch(r"training-[a-z2-9]{8}", text)
    else:
        assert re.fullmatch(r"training-[a-z2-9]{8}", found, re.ASCII)


@pytest.mark.parametrize(
    ("text", "whole"), [("", "training-"), ("ab", "training-ab"), ("training-ab", "training-ab"), ("2" * 8, None)]
)
def test_the_beginning_of_an_id_may_lack_its_first_word(text: str, whole: str | None) -> None:
    assert parse_beginning(text) == (whole or f"training-{text}")


@pytest.mark.parametrize("text", ["*", "..", "a/b", "training-*", "abcd23456", "A", "a\n"])
def test_no_pattern_and_no_path_is_the_beginning_of_an_id(text: str) -> None:
    with pytest.raises(ValueError, match="or a prefix of one"):
        parse_beginning(text)


def test_a_label_names_its_run_alone_or_with_a_suffix() -> None:
    run = new_training_id()
    assert run_of_label(run) == run_of_label(new_label(run)) == run_of_label(f"{run}-rescue") == run
    assert [run_of_label(label) for label in ("", "ship-0123", "doctor-1", f"{run}x", f"x{run}", f"{run}/a")] == [
        None
    ] * 6
