"""The end of a run's output."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from toolkit.report.log_excerpt import MOST_CHARACTERS, MOST_LINES, excerpt
from toolkit.report.model import LogExcerpt, LogLine
from toolkit.run.follow.events import Line


def test_a_line_has_its_rank_and_its_time() -> None:
    texts = ["[0] epoch 1/8", "[toolkit] command 1", "[0-3] same", "[learner-2] up", "[x] odd", "plain"]
    assert [(line.rank, line.text) for line in excerpt([Line(text, 7.0) for text in texts]).lines] == [
        *(("0", "epoch 1/8"), ("toolkit", "command 1"), ("0-3", "same"), ("learner-2", "up")),
        *(("", "[x] odd"), ("", "plain")),
    ]


def test_the_last_lines_stay() -> None:
    found = excerpt(Line(f"[1] {number}", float(number)) for number in range(MOST_LINES + 5))
    assert (found.left_out, len(found.lines), found.lines[-1]) == (5, MOST_LINES, LogLine(2004.0, "1", "2004"))


def test_several_runs_share_the_room() -> None:
    assert len(excerpt((Line("x", 0) for _ in range(5000)), runs=4).lines) == MOST_LINES // 4


def test_a_long_line_is_cut() -> None:
    (line,) = excerpt([Line("[0] " + "x" * 1_000_000, 0)]).lines
    assert line.text == "x" * 500 + " … (999500 characters more)"


def test_no_output() -> None:
    assert excerpt([]) == LogExcerpt()


@given(st.lists(st.integers(0, 3000), max_size=900))
def test_characters_are_bounded(lengths: list[int]) -> None:
    found = excerpt(Line("x" * length, 0) for length in lengths)
    assert sum(len(line.text) for line in found.lines) <= MOST_CHARACTERS
    assert len(found.lines) + found.left_out == len(lengths)
