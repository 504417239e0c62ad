"""Identical lines of many ranks as one: nothing lost, nothing out of order, nothing that waits for ever."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.cli.fold_ranks import HOLD_SECONDS, MOST_HELD, Fold
from toolkit.plural import ranges


def shown(fold: Fold, *lines: str, now: float = 0.0) -> list[str]:
    return [text for line in lines for text in fold.line(line, now)]


def test_what_all_ranks_say_is_said_once() -> None:
    assert shown(Fold(3), "[0] epoch 1", "[1] epoch 1", "[2] epoch 1") == ["[0-2] epoch 1"]


def test_what_some_say_is_shown_with_their_numbers_after_a_while() -> None:
    fold = Fold(8)
    assert shown(fold, "[0] loss 0.5", "[3] loss 0.5", "[1] loss 0.5") == []
    assert list(fold.due(HOLD_SECONDS / 2)) == []
    assert list(fold.due(HOLD_SECONDS)) == ["[0-1,3] loss 0.5"]


def test_a_line_that_waits_for_others_holds_back_what_follows_it() -> None:
    fold = Fold(2)
    assert shown(fold, "[0] first", "[0] second", "[1] second") == []
    assert shown(fold, "[1] other", now=HOLD_SECONDS) == ["[0] first", "[0-1] second"]
    assert list(fold.rest()) == ["[1] other"]


def test_a_rank_that_repeats_itself_is_heard_each_time() -> None:
    fold = Fold(2)
    assert shown(fold, "[0] x", "[0] x", "[1] x", "[1] x") == ["[0-1] x", "[0-1] x"]


@pytest.mark.parametrize("line", ["[mpirun] noticed", "[toolkit] command 1 of 2", "no rank", "[5, 6]", ""])
def test_a_line_of_no_rank_stays_where_it_is(line: str) -> None:
    fold = Fold(2)
    assert shown(fold, "[0] a", line, "[1] a") == ["[0] a", line]


def test_one_rank_alone_is_not_held() -> None:
    assert shown(Fold(1), "[0] a", "[0] b") == ["[0] a", "[0] b"]


def test_of_a_flood_of_different_lines_few_wait() -> None:
    fold = Fold(2)
    lines = [f"[0] {number}" for number in range(10 * MOST_HELD)]
    assert shown(fold, *lines) == lines[:-MOST_HELD]


LINES = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", "c", ""]), st.floats(0, 0.5)), max_size=40)


def by_rank(texts: list[str]) -> dict[int, list[str]]:
    """What each rank said, in its order, out of lines as they are shown."""
    said = defaultdict(list)
    for text in texts:
        match = re.match(r"\[([0-9,-]+)\] ?", text)
        assert match, text
        for part in match[1].split(","):
            low, _, high = part.partition("-")
            for rank in range(int(low), int(high or low) + 1):
                said[rank].append(text[match.end() :])
    return dict(said)


@given(LINES)
def test_each_ranks_lines_are_all_there_and_in_order(lines: list[tuple[int, str, float]]) -> None:
    fold, now, out = Fold(4), 0.0, list[str]()
    for rank, text, pause in lines:
        now += pause
        out += fold.line(f"[{rank}] {text}", now)
    out += fold.rest()
    assert by_rank(out) == by_rank([f"[{rank}] {text}" for rank, text, _ in lines])


@given(LINES)
def test_no_line_waits_longer_than_it_may(lines: list[tuple[int, str, float]]) -> None:
    fold, now, out, came = Fold(4), 0.0, list[str](), list[tuple[float, str]]()
    for rank, text, pause in lines:
        now += pause
        out += fold.due(now)
        out += fold.line(f"[{rank}] {text}", now)
        came.append((now, f"[{rank}] {text}"))
        old = [line for at, line in came if now - at >= HOLD_SECONDS]
        heard, wanted = by_rank(out), by_rank(old) if old else {}
        assert all(heard.get(rank, [])[: len(texts)] == texts for rank, texts in wanted.items())


@pytest.mark.parametrize(
    ("numbers", "text"),
    [({0}, "0"), ({0, 1}, "0-1"), ({3, 1, 2, 7}, "1-3,7"), ({0, 2, 4}, "0,2,4"), ({9, 10, 11, 100}, "9-11,100")],
)
def test_a_set_of_ranks_is_written_as_a_person_does(numbers: set[int], text: str) -> None:
    assert ranges(numbers) == text
