"""Texts from elsewhere: nothing is left in them that a terminal obeys or hides, and nothing else is changed."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.printable import LONGEST_LINE, coloured, cut, neutral

OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_every_control_format_and_half_character_becomes_visible() -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        obeyed = unicodedata.category(character) in OBEYED and character not in "\t\n"
        assert not obeyed or neutral(character).isascii(), hex(number)


@pytest.mark.parametrize(
    "text", ["", "plain", "a\tb\nc\n", "Grüße, 世界, 🚂, e\u0301", "[bold]x[/bold]", "C:\\x1b", "\u2800⣿"]
)
def test_what_is_harmless_stays(text: str) -> None:
    assert neutral(text) == coloured(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"),
        ("\x9b2J", "\\u009b2J"),
        ("bad\rgood", "bad\\x0dgood"),
        ("a\x08b\x7f", "a\\x08b\\u007f"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("ad\u200bmin\ufeff", "ad\\u200bmin\\ufeff"),
        ("\udce9", "\\udce9"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("\u3164", "\\u3164"),
    ],
)
def test_what_a_terminal_obeys_or_hides_is_shown(text: str, shown: str) -> None:
    assert neutral(text) == shown


@given(st.text())
def test_it_is_neutral_once_and_for_all_and_json_stays_json(text: str) -> None:
    assert neutral(neutral(text)) == neutral(text)
    text = "".join(character for character in text if character >= " ")
    assert json.loads(neutral(json.dumps(text, ensure_ascii=False))) == text


def test_colours_stay_where_they_are_asked_for_and_nothing_else_does() -> None:
    assert coloured("\x1b[1;31mred\x1b[0m \x1b[38:5:1mx") == "\x1b[1;31mred\x1b[0m \x1b[38:5:1mx\x1b[0m"
    for sequence in ("\x1b[2J", "\x1b[31", "\x1b[?25l", "\x1b]0;x\x07", "\x1b[31;\nm", "\x1bc", "\x9b31m", "\x1b[6n"):
        assert "\x1b" not in coloured(sequence)


def test_a_very_long_line_is_cut_and_the_others_are_not() -> None:
    text = "a\n" + "b" * 3 * LONGEST_LINE + "\nc"
    assert cut(text) == f"a\n{'b' * LONGEST_LINE} … ({2 * LONGEST_LINE} characters more)\nc"
    assert cut("a" * LONGEST_LINE) == "a" * LONGEST_LINE
