"""Commands are split as a shell would, or refused."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.manifest.commands import check_command, read_commands
from toolkit.manifest.exit_status import judgeable


def split(text: str) -> tuple[str, ...]:
    return tuple(command.text for command in read_commands(text))


def deep(text: str, levels: int) -> str:
    return deep(f"bash -c {shlex.quote(text)}", levels - 1) if levels else text


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
        ("python a.py &> $LOG_DIR/x ; b", ("python a.py &> $LOG_DIR/x", "b")),
        ("a&>x;b", ("a&>x", "b")),
        ("a >& x |& tee y 2>&1 ; b", ("a >& x |& tee y 2>&1", "b")),
        ("a <<< 'x & y' ; b", ("a <<< 'x & y'", "b")),
        ("[[ $A =~ ^(x|y)$ && -n b ]] && c ; d", ("[[ $A =~ ^(x|y)$ && -n b ]] && c", "d")),
        ('echo ${x:-;} "${y:-a & b}" $((1 + (2 << 1))) ; b', ('echo ${x:-;} "${y:-a & b}" $((1 + (2 << 1)))', "b")),
        ("a # the rest ; is & said\nb", ("a", "b")),
        ("a &&\n  b |\n c\nd", ("a &&\n  b |\n c", "d")),
        ("a \\\n --b\nc", ("a \\\n --b", "c")),
        ("echo a#b ; c", ("echo a#b", "c")),
        ("python a.py || true ; b", ("python a.py || true", "b")),
        ("nohup python a.py ; kill -TERM $X ; exec b", ("nohup python a.py", "kill -TERM $X", "exec b")),
        ("bash train.sh ; ./run.sh", ("bash train.sh", "./run.sh")),
        ("grep bash -c f ; python -c 'a & b; c'", ("grep bash -c f", "python -c 'a & b; c'")),
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
        ("a\x00b", "NUL"),
        ("a && (b ; c)", ""),
        ("cat <(a; b)", ""),
        ("f() { a; b; }", ""),
        ("x=(1;2)", ""),
        ("! for i in 1; do x; done", ""),
        ("time for i in 1; do x; done", ""),
        ("a | while read x; do y; done", ""),
        ("a && if b; then c; fi", ""),
        ('echo "$(echo "a;b")"', "the status of what runs in it is lost"),
        ("a &", "a background job (&)"),
        ("a& b", "a background job (&)"),
        ("a & b", "wait PID"),
        ("nohup python a.py > log 2>&1 &", "a background job (&)"),
        ("bash -c 'a & b'", "a background job (&)"),
        ('bash -lc "a &"', "a background job (&)"),
        ("env -u X A=1 timeout -k 5 10s nice -n 5 bash -e -o pipefail -c 'a &'", "a background job (&)"),
        ("ls | xargs -n 1 -P 4 bash -c 'a &'", "a background job (&)"),
        ("time bash -c 'a&'", "a background job (&)"),
        ("eval 'a &'", "a background job (&)"),
        ("eval a '&' b", "a background job (&)"),
        ("bash -c \"bash -c 'a & b'\"", "a background job (&)"),
        ("strace bash -c 'a & b'", "a background job (&)"),
        ("sh -c 'a &> x'", "write `bash -c`"),
        ("sh -c 'a | b'", "write `bash -c`"),
        ("sh -c '[[ a ]]'", "write `bash -c`"),
        ("sh -c 'a |& b'", "write `bash -c`"),
        ("setsid python a.py", "in a session of its own"),
        ("/usr/bin/setsid -w python a.py", "in a session of its own"),
        ("bash -c 'exec env A=1 setsid b'", "in a session of its own"),
        ("coproc python a.py", "as a coprocess"),
        ("disown", "no background jobs"),
        ("start-stop-daemon --start --background --exec a", "in the background"),
        ("screen -d -m a", "in a terminal of its own"),
        ("tmux new -d a", "in a terminal of its own"),
        ("echo a | at now", "at another time"),
        ("a > >(tee log)", "the status of what runs in it is lost"),
        ("a >(b)", "the status of what runs in it is lost"),
        ("trap 'exit 0' EXIT && a", "what a trap runs may change the status"),
        ('bash -c "$CMD"', "not known here"),
        ("eval $CMD", "not known here"),
        ("echo 'a &' | bash", "reads commands that are not known here"),
        ("bash -s < x", "reads commands that are not known here"),
        ("bash $OPTIONS -c 'a &'", "options in a variable"),
        ("echo $((echo a) | (cat))", "is not read here"),
        ("echo ${x:-$(a)}", "is not read here"),
        ("a | ! b", "in front of a whole pipeline"),
        (deep("a", 6), "scripts in scripts, more than 4 deep"),
        ("echo " + "$x" * 500, "more than 400 expansions"),
        ("\ud800", "surrogate"),
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
        ("ddlrun --mode b:2x2 t -x 1", "t -x 1", "ddlrun", {}, {}, 4, []),
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
    assert (sum(count.least for count in front.counts), front.left_out) == (ranks, left_out)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-y 1 t", "unknown here"),
        ("--mac btl self t", "did you mean `--mca`?"),
        ("-x", "its value is missing"),
        ("-x A=1", "no command after"),
        ("mpirun", "no command after"),
        ("mpirun -np two t", "expected a number of ranks"),
        ("-x A=$B t", "variables are not read here: put `export A=…;` in front of it all"),
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


@pytest.mark.parametrize(
    "text",
    [
        "python a.py",
        "a && b || c",
        "bash train.sh",
        "bash -c 'a && b'",
        "sh -c 'exit 3'",
        "! a",
        "./batch x",
        "eval 'a'",
        "xargs -n1 a",
    ],
)
def test_bash_is_given_the_very_text_where_its_own_status_is_right(text: str) -> None:
    assert judgeable(text) == text


def test_a_nested_scripts_variables_stay_those_of_the_shell_around_it() -> None:
    given = judgeable('bash -c "python a.py --out \\$1 | tee $LOG_DIR/x"')
    assert given.startswith("bash -c 'pipeline_status() {")
    assert "{ python a.py --out $1 | tee '\"$LOG_DIR\"'/x; pipeline_status" in given


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python t.py \u2013epochs 5", "`\u2013epochs 5`: U+2013 is a letter to bash, and no `-`: type it anew"),
        ("python t.py \u2014\u2014epochs 5", "U+2014 is a letter to bash, and no `-`"),
        ("python t.py \u2212n 5", "U+2212 is a letter to bash, and no `-`"),
        ("python t.py \u2013-epochs 5", "U+2013 is a letter to bash, and no `-`"),
        ("python\u00a0t.py", "U+00A0 is a letter to bash, and no blank"),
        ("python t.py\u200b --x", "U+200B is a letter to bash, and no blank"),
        ("\ufeffpython t.py", "U+FEFF is a letter to bash, and no blank"),
        ("python t.py --name \u201coak\u201d", "U+201C is a letter to bash, and no quote"),
        ("python t.py --name=\u2018oak\u2019", "U+2018 is a letter to bash, and no quote"),
        ("bash -c 'python t.py \u2013x'", "U+2013 is a letter to bash, and no `-`"),
    ],
)
def test_what_was_set_for_print_is_refused(command: str, words: str) -> None:
    for check in (read_commands, check_command):
        with pytest.raises(ValueError) as caught:
            check(command)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "command",
    [
        "python t.py --name 'oak \u2013 ash'",
        'python t.py --name "\u201coak\u201d\u00a0"',
        "echo don\u2019t",
        "echo 1 \u2013 2",
        "python t.py --years 2017\u20132018",
        "python b\u00e4ume.py --name \u6728",
    ],
)
def test_it_is_a_text_in_quotes_or_between_words(command: str) -> None:
    assert [one.text for one in read_commands(command)] == [command]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python t.py &&", "a command is missing after `&&`: write it, or leave the sign out"),
        ("python t.py ||  ", "a command is missing after `||`"),
        ("python t.py | ; python u.py", "a command is missing after `|`"),
        ("python t.py |&", "a command is missing after `|&`"),
        ("&& python t.py", "a command is missing here"),
    ],
)
def test_a_sign_with_no_command_behind_it_is_named(command: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_commands(command)
    assert words in str(caught.value)
