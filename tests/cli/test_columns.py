"""Rows in columns: aligned whatever their text, one line each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from toolkit.cli.columns import aligned, columns


def test_each_column_is_as_wide_as_its_widest_cell() -> None:
    assert list(columns(("ID", "NAME"), [("1", "digits"), ("1000", "x"), ("2", "")])) == [
        "ID    NAME",
        "1     digits",
        "1000  x",
        "2",
    ]


def test_numbers_are_aligned_at_their_ends() -> None:
    assert list(columns(("N", "SIZE"), [("1", "9 B"), ("10", "13.6 kB")], right=("N", "SIZE"))) == [
        " N     SIZE",
        " 1      9 B",
        "10  13.6 kB",
    ]


def test_rows_without_titles_leave_out_columns_without_text() -> None:
    assert list(aligned([("a", "", "x"), ("bb", "", "y")])) == ["a   x", "bb  y"]
    assert list(aligned([])) == []


def test_wide_characters_take_two_places() -> None:
    assert list(columns(("", ""), [("数字", "a"), ("abc", "b")]))[1:] == ["数字  a", "abc   b"]


def test_a_name_can_neither_begin_a_line_nor_move_the_cursor() -> None:
    assert list(columns(("N", "S"), [("a\nb\x1b[2J", "ok")]))[1:] == ["a b\\x1b[2J  ok"]


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="#")), st.text()), max_size=5))
def test_a_row_is_a_line_and_second_cells_are_aligned(rows: list[tuple[str, str]]) -> None:
    lines = list(columns(("A", "#B"), [(first, f"#{second}") for first, second in rows]))
    assert len(lines) == 1 + len(rows)
    assert len({cell_len(line[: line.index("#")]) for line in lines}) == 1
