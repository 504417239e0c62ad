"""Random command lines through the parser and a real bash: what runs where, and which status comes out.

The expected calls and statuses are computed from what was generated, not from what the parser made of it. Programs are
stand-ins: `stub STATUS WORD…` writes down its words and ends with the status, `stub pipe` as a writer whose reader is
done.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toolkit.agent.ranks import read_ranks
from toolkit.agent.untrusted import Replacements
from toolkit.cluster.reader import read_cluster
from toolkit.manifest.commands import read_commands
from toolkit.manifest.exit_status import judgeable
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.run.plan.learner_files import learner_entries
from toolkit.run.plan.make_plan import make_plan
from toolkit.run.plan.mpirun import mpirun_argv, single_argv
from toolkit.run.plan.run_plan import RunImage, Step
from toolkit.run.plan.ssh_keys import new_key_pair

STUB = """#!/bin/bash
printf '%s\\0' "$@" > "$STUB_LOG/$$"
[ "$1" != pipe ] || kill -PIPE $$
exit "$1"
"""
VARIABLE, VALUE = "TRICKY", 'two words; it\'s & "more" | $HOME `x` \\'
SIGPIPE = 141
QUIET = {"TIMEFORMAT": ""}
"""`time` says nothing: what writes into a pipe may be ended by SIGPIPE in between."""
Calls = list[tuple[str, ...]]


@dataclass(frozen=True)
class Made:
    """A piece of a command line as generated: its text, and what it does: calls and status, in the order of bash."""

    text: str
    calls: Calls
    status: int


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp())
    (folder / "ranks").mkdir()
    manifest = read_manifest(assets() / "examples" / "mnist" / "manifest.yml")
    cluster = read_cluster(assets() / "clusters" / "local.yml")
    plan = make_plan(manifest, cluster, RunImage("i", "sha256:i", ()), "buckets", "training-abcd2345")
    keys = {number: new_key_pair() for number in (1, 2)}
    for entry in learner_entries(plan, "10.0.0.0/24", new_key_pair(), keys, assets() / "templates"):
        if entry.name == "learner-1/rank.sh":
            assert isinstance(entry.content, bytes)
            (folder / "rank.sh").write_text(entry.content.decode().replace("/run/logs", str(folder)))
    (folder / "stub").write_text(STUB)
    (folder / "stub").chmod(0o755)
    yield Bench(folder, plan)
    shutil.rmtree(folder)


@dataclass(frozen=True)
class Bench:
    folder: Path
    plan: Any

    def as_rank(self, number: int, command: str) -> tuple[Calls, int]:
        """A command as mpirun starts it for one rank, with the learner's own wrapper."""
        argv = mpirun_argv(self.plan, Step(number, command, "all"), "10.0.0.0/24")[-4:]
        assert argv[1] == "/run/learner/rank.sh"
        calls, status = self.start([argv[0], str(self.folder / "rank.sh"), *argv[2:]])
        assert read_ranks(self.folder / "ranks", Replacements()).statuses[f"{number}.7"] == status
        return calls, status

    def once(self, number: int, command: str) -> tuple[Calls, int]:
        """A command that runs once, as the supervisor starts it."""
        return self.start(single_argv(Step(number, command, "one")))

    def start(self, argv: list[str]) -> tuple[Calls, int]:
        log = Path(tempfile.mkdtemp(dir=self.folder))
        path = f"{self.folder}:/usr/bin:/bin"
        more = {"PATH": path, "STUB_LOG": str(log), VARIABLE: VALUE, "OMPI_COMM_WORLD_RANK": "7"} | QUIET
        done = subprocess.run(
            argv,
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
            cwd=self.folder,
        )
        calls = [tuple(file.read_text().split("\0")[:-1]) for file in log.iterdir()]
        shutil.rmtree(log)
        return calls, done.returncode if done.returncode >= 0 else 128 - done.returncode


LETTERS = st.text(st.sampled_from("ab1 ;|&'\"\\$#`(){}!~*\n"), max_size=6)


def in_double_quotes(text: str) -> str:
    return '"' + re.sub(r'([$`"\\])', r"\\\1", text) + '"'


def escaped(text: str) -> str:
    """A backslash in front of each character that may need one; a line end needs quotes."""
    return re.sub(r"([^\w\n])", r"\\\1", text).replace("\n", "'\n'") or "''"


@st.composite
def words(draw: st.DrawFn, nested: bool) -> tuple[str, str]:
    """A word's text and its value."""
    if not nested and draw(st.integers(0, 4)) == 0:
        form = draw(st.sampled_from([f'"${VARIABLE}"', f'"${{{VARIABLE}}}"', f'"${{{VARIABLE}:-;}}"']))
        return form, VALUE
    value = draw(LETTERS)
    return draw(st.sampled_from([shlex.quote, in_double_quotes, escaped]))(value), value


Evals = Literal["anywhere", "not in a pipe"]
"""Where `eval` may stand: under `bash -e`, an eval that fails as a part of a pipeline has the status 1 in bash."""
STATUSES = st.sampled_from([0, 0, 0, 1, 7, SIGPIPE])
REDIRECTIONS = (
    "",
    "",
    "",
    " > out",
    " 2>&1",
    " &> out",
    " &>> out",
    " >& out",
    " < /dev/null",
    " <<< 'a & b'",
    " 2>out",
)
WRAPPERS = ("", "", "", "env A=1 ", "A='1;2' ", "timeout -k 5 60 ", "nice -n 1 ", "nohup ", "command ", "stdbuf -oL ")


@st.composite
def simples(draw: st.DrawFn, depth: int, statuses: st.SearchStrategy[int], evals: Evals, in_pipe: bool) -> Made:
    wrapper, redirection = draw(st.sampled_from(WRAPPERS)), draw(st.sampled_from(REDIRECTIONS))
    kinds = ["stub", "stub", "bash", *(["eval"] if evals == "anywhere" or not in_pipe else [])]
    kind = draw(st.sampled_from(kinds)) if depth else "stub"
    if kind == "bash":
        options = draw(st.sampled_from(["-c", "-ec", "-u -c", "--norc -c"]))
        script = draw(scripts(depth - 1, statuses, "not in a pipe" if options == "-ec" else "anywhere"))
        quote = draw(st.sampled_from([shlex.quote, in_double_quotes]))
        if wrapper == "command ":
            wrapper = ""
        return Made(f"{wrapper}bash {options} {quote(script.text)}{redirection}", script.calls, script.status)
    if kind == "eval":
        inner = draw(and_ors(depth - 1, statuses, evals))
        return Made(f"eval {shlex.quote(inner.text)}{redirection}", inner.calls, inner.status)
    status = draw(statuses)
    pairs = draw(st.lists(words(nested=depth < MOST), max_size=3))
    shown = "pipe" if status == SIGPIPE else str(status)
    text = " ".join([f"{wrapper}stub {shown}", *(text for text, _ in pairs)])
    return Made(text + redirection, [(shown, *(value for _, value in pairs))], status)


@st.composite
def pipelines(draw: st.DrawFn, depth: int, statuses: st.SearchStrategy[int], evals: Evals) -> Made:
    count = draw(st.integers(1, 3))
    parts = [draw(simples(depth, statuses, evals, count > 1)) for _ in range(count)]
    joints = [draw(st.sampled_from([" | ", "|", " |& ", " |\n  "])) for _ in parts[1:]]
    text = parts[0].text + "".join(joint + part.text for joint, part in zip(joints, parts[1:], strict=True))
    *before, last = [part.status for part in parts]
    status = next((one for one in (last, *reversed([one for one in before if one != SIGPIPE])) if one), 0)
    prefix = draw(st.sampled_from(["", "", "", "", "! ", "time "])) if statuses is STATUSES else ""
    if prefix == "! ":
        status = 0 if status else 1
    return Made(prefix + text, [call for part in parts for call in part.calls], status)


@st.composite
def and_ors(draw: st.DrawFn, depth: int, statuses: st.SearchStrategy[int], evals: Evals = "anywhere") -> Made:
    made = draw(st.lists(pipelines(depth, statuses, evals), min_size=1, max_size=3))
    text, calls, status = made[0].text, list(made[0].calls), made[0].status
    for one in made[1:]:
        operator = draw(st.sampled_from(["&&", "||"]))
        text += draw(st.sampled_from([f" {operator} ", operator, f" {operator}\n", f" {operator} # why\n"])) + one.text
        if (status == 0) == (operator == "&&"):
            calls, status = calls + one.calls, one.status
    return Made(text, calls, status)


@st.composite
def scripts(draw: st.DrawFn, depth: int, statuses: st.SearchStrategy[int], evals: Evals) -> Made:
    """Commands in a row: the first that fails is the last."""
    made = draw(st.lists(and_ors(depth, statuses, evals), min_size=1, max_size=3))
    return Made(joined(draw, made), *until_one_fails(made))


def joined(draw: st.DrawFn, made: Sequence[Made]) -> str:
    signs = [draw(st.sampled_from([" ; ", ";", "\n", "; # a & b\n", "\n# only (words)\n\n"])) for _ in made[1:]]
    return made[0].text + "".join(sign + one.text for sign, one in zip(signs, made[1:], strict=True))


def until_one_fails(made: Sequence[Made]) -> tuple[Calls, int]:
    calls: Calls = []
    for one in made:
        calls += one.calls
        if one.status:
            return calls, one.status
    return calls, 0


MOST = 2


@st.composite
def lines(draw: st.DrawFn, statuses: st.SearchStrategy[int] = STATUSES) -> tuple[str, list[Made]]:
    """A manifest's command line, and each of its commands."""
    made = draw(st.lists(and_ors(MOST, statuses), min_size=1, max_size=3))
    return joined(draw, made), made


@settings(max_examples=60)
@given(line=lines())
def test_each_command_runs_what_bash_would_and_tells_the_status_of_all_of_it(
    bench: Bench, line: tuple[str, list[Made]]
) -> None:
    text, made = line
    commands = read_commands(text)
    assert len(commands) == len(made)
    for number, (command, expected) in enumerate(zip(commands, made, strict=True), start=1):
        run = bench.as_rank if number == 1 else bench.once
        calls, status = run(number, command.text)
        assert sorted(calls) == sorted(expected.calls)
        assert status == expected.status


@settings(max_examples=60)
@given(line=lines())
def test_several_commands_in_one_bash_stop_at_the_first_that_fails(bench: Bench, line: tuple[str, list[Made]]) -> None:
    text, made = line
    expected, status = until_one_fails(made)
    calls, found = bench.as_rank(1, text)
    assert (sorted(calls), found) == (sorted(expected), status)


@pytest.mark.parametrize(
    ("text", "calls", "status"),
    [
        ("cd sub; stub 0 $(( 1 + 1 )); pwd > ../here", [("0", "2")], 0),
        ("cd nosuch; stub 0", [], 1),
        ("stub 5 || true; export A=1; stub 0 $A;", [("5",), ("0", "1")], 0),
        (" ; stub 0 a ;; stub 4 b # why\n; stub 0 c;", [("0", "a"), ("4", "b")], 4),
        (". ./words; stub 0 $SAID", [("0", "said")], 0),
        ("stub 3 | cat; stub 0", [("3",)], 3),
        ("! stub 3; stub 0", [("3",), ("0",)], 0),
        ("set +e; stub 1; stub 0", [("1",)], 1),
        ("false && true; stub 0", [], 1),
    ],
)
def test_one_bash_keeps_its_folder_and_its_variables(bench: Bench, text: str, calls: Calls, status: int) -> None:
    (bench.folder / "sub").mkdir(exist_ok=True)
    (bench.folder / "words").write_text("SAID=said\n")
    found, ended = bench.as_rank(1, text)
    assert (sorted(found), ended) == (sorted(calls), status)


@settings(max_examples=30)
@given(line=lines(st.just(0)))
def test_where_nothing_fails_a_plain_bash_runs_the_same(bench: Bench, line: tuple[str, list[Made]]) -> None:
    text, _ = line
    plain, status = bench.start(["/bin/bash", "--norc", "-c", text])
    found = [call for command in read_commands(text) for call in bench.as_rank(1, command.text)[0]]
    assert (sorted(found), status) == (sorted(plain), 0)


SIGNS = [
    *("a", " ", " ", ";", "|", "&", "&&", "||", "(", ")", "{ ", " }", "$(", "`", "${", "}", "$", "'", '"', "\\", "#"),
    *("\n", "<", ">", ">&", "&>", "<<", "<<<", "2>", "[[ ", " ]]", " if ", "then", "for ", "!", " time ", "bash -c "),
    *("sh -c ", "eval ", "x=", "setsid ", "1", "-c ", "=~", "$((1))", ">(", "coproc "),
]
REFUSED = re.compile(
    r"^(?:[\s;]|#.*)*$|(?:^|[;\n])\s*(?:(?:\d*[<>]\s*[^\s;|<>]+|time|x=[^\s;|]*)\s+)*-"
    r"|[<>]\s*(?:\d*[;|<>\n#]|$)|[()`&{}'\"\\!|]|\$\[|<<|\[\[|\]\]"
    r"|\b(?:if|then|for|coproc|setsid|eval|bash|sh)\b"
)


@given(text=st.lists(st.sampled_from(SIGNS), max_size=12).map("".join))
@example(";a")
@example("a;;")
@example("a;;b")
@example("\n;a # b;c")
@example("<-c -c ")
def test_what_is_read_is_bash_and_what_is_refused_has_a_reason(text: str) -> None:
    try:
        commands = read_commands(text)
    except ValueError as error:
        assert str(error)
        assert REFUSED.search(text), f"refused without one of the signs that are not read: {error}"
        return
    for command in [one for one in commands if "[[" not in one.text]:  # what stands in it is bash's own business
        for script in (command.text, judgeable(command.text)):
            assert_bash_reads(script)
    if "[[" not in text and not any(command.front for command in commands):
        assert_bash_reads(judgeable(text))


def assert_bash_reads(script: str) -> None:
    done = subprocess.run(["/bin/bash", "-n", "-c", script], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
