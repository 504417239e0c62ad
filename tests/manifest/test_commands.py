"""Commands are split as a shell would, or refused."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.manifest.commands import split_commands

WORDS = st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("python a.py", ("python a.py",)),
        ("python a.py ; python b.py", ("python a.py", "python b.py")),
        ("a;b ;; c;", ("a", "b", "c")),
        ("a\n\n  b\n", ("a", "b")),
        ("echo 'a ; b' ; c", ("echo 'a ; b'", "c")),
        ('echo "a ; \\" ; b" ; c', ('echo "a ; \\" ; b"', "c")),
        ("echo a\\;b", ("echo a\\;b",)),
        ("a && b || c | d > $LOG_DIR/x", ("a && b || c | d > $LOG_DIR/x",)),
        ("echo '$(x) `y` <<z'", ("echo '$(x) `y` <<z'",)),
        ("echo a\\  ; b", ("echo a\\ ", "b")),
        ("echo 'it'\\''s' ; b", ("echo 'it'\\''s'", "b")),
        ("formatter --if x", ("formatter --if x",)),
    ],
)
def test_commands_are_split_outside_quotes(text: str, commands: tuple[str, ...]) -> None:
    assert split_commands(text) == commands


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" ;; \n ", "empty"),
        ("echo 'a", "never closed"),
        ('echo "a', "never closed"),
        ("echo a\\", "ends in a backslash"),
        ("echo $(date)", "put it in a script"),
        ("echo `date`", "put it in a script"),
        ("cat <<END", "put it in a script"),
        ("for i in 1; do x; done", "loops, conditions and groups"),
        ("{ a; b; }", "loops, conditions and groups"),
        ("(a; b)", "`(` is not read here"),
        ("A=1 mpirun -np 2 python t.py", "at a command's beginning alone"),
        ("cd x && mpirun python t.py", "at a command's beginning alone"),
        ("time ddlrun python t.py", "at a command's beginning alone"),
        ("a\x00b", "NUL"),
        ("a && (b ; c)", ""),
        ("cat <(a; b)", ""),
        ("f() { a; b; }", ""),
        ("x=(1;2)", ""),
        ("echo ${x:-;}", ""),
        ("! for i in 1; do x; done", ""),
        ("time for i in 1; do x; done", ""),
        ("a | while read x; do y; done", ""),
        ("a && if b; then c; fi", ""),
        ('echo "$(echo "a;b")"', ""),
    ],
)
def test_what_cannot_be_split_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        split_commands(text)
    assert why in str(caught.value)


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_a_quoted_word_is_never_cut(commands: list[list[str]]) -> None:
    joined = [shlex.join(["run", *words]) for words in commands]
    assert split_commands(" ; ".join(joined)) == tuple(joined)
