"""Commands are split as a shell would, or refused."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.manifest.commands import read_commands


def split(text: str) -> tuple[str, ...]:
    return tuple(command.text for command in read_commands(text))


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
    assert split(text) == commands


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("a;" * 101, "101 commands"),
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
        ("! for i in 1; do x; done", ""),
        ("time for i in 1; do x; done", ""),
        ("a | while read x; do y; done", ""),
        ("a && if b; then c; fi", ""),
        ('echo "$(echo "a;b")"', ""),
    ],
)
def test_what_cannot_be_split_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        split(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "command", "launcher", "environment", "mca", "ranks", "left_out"),
    [
        ("-x NCCL_DEBUG=INFO python t.py", "python t.py", "", {"NCCL_DEBUG": "INFO"}, {}, 0, []),
        ("-x A='b c' -x D=\"e\" t", "t", "", {"A": "b c", "D": "e"}, {}, 0, []),
        ("-x PATH t", "t", "", {}, {}, 0, ["-x PATH"]),
        ("--mca btl_tcp_links 2 t && u", "t && u", "", {}, {"btl_tcp_links": "2"}, 0, []),
        ("mpirun -np 4 python t.py", "python t.py", "mpirun", {}, {}, 4, []),
        ("/usr/bin/mpirun --allow-run-as-root -H a,b t", "t", "mpirun", {}, {}, 0, ["--allow-run-as-root", "-H a,b"]),
        ("mpiexec t", "t", "mpiexec", {}, {}, 0, []),
        ("ddlrun --mode b:2x2 t -x 1", "t -x 1", "ddlrun", {"DDL_OPTIONS": "-mode b:2x2"}, {}, 0, []),
    ],
)
def test_what_stands_in_front_of_a_command_is_read(
    text: str, command: str, launcher: str, environment: dict, mca: dict, ranks: int, left_out: list
) -> None:
    (found,) = read_commands(text)
    assert found.text == command
    assert found.front
    front = found.front
    assert (front.launcher, front.environment, front.mca) == (launcher, environment, mca)
    assert (front.ranks, front.left_out) == (ranks, left_out)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-y 1 t", "unknown here"),
        ("--mac btl self t", "did you mean `--mca`?"),
        ("-x", "its value is missing"),
        ("-x A=1", "no command behind"),
        ("mpirun", "no command behind"),
        ("mpirun -np two t", "expected a number of ranks"),
        ("-x A=$B t", "variables and operators are not read"),
        ("-x RESULT_DIR=/x t", "cannot be set"),
        ("-x 1A=2 t", "cannot be set"),
        ("--mca plm_rsh_agent evil t", "the run's own business"),
        ("--mca btl_tcp_if_include eth1 t", "the run's own business"),
        ("ddlrun --mode x:9 t", "expected a mode"),
        ("mpirun a && b", "give both as execution.steps"),
        ("mpirun a | tee b", "give both as execution.steps"),
    ],
)
def test_a_front_that_cannot_be_kept_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_commands(text)
    assert why in str(caught.value)


@given(st.text(st.sampled_from("ab -x=;|&'\"\\\n$"), max_size=30))
def test_any_command_line_is_read_or_refused_with_words(text: str) -> None:
    try:
        commands = read_commands(text)
    except ValueError as error:
        assert str(error)
    else:
        assert all(command.text.strip() for command in commands)


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_a_quoted_word_is_never_cut(commands: list[list[str]]) -> None:
    joined = [shlex.join(["run", *words]) for words in commands]
    assert split(" ; ".join(joined)) == tuple(joined)
