"""A command line of FfDL or Watson ML as steps: what runs where, in one bash or several, and the warnings about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.catalogue.model import Framework
from toolkit.manifest.commands import read_commands
from toolkit.manifest.dialects.steps import has_mpi, is_several_lines, one_line, steps_of, with_continued_lines
from toolkit.manifest.model import Compute, Step

PLAIN, DDL = Framework("tensorflow", "2.19", "3"), Framework("tensorflow-ddl", "2.19", "3")
ONE, TWO_NODES, TWO_GPUS = Compute("p100", 1), Compute("p100", 2), Compute("p100x2", 1)


def read(text: str, framework: Framework = PLAIN, compute: Compute = TWO_NODES) -> tuple[list[Step], str]:
    """The steps, and the warning's words."""
    from toolkit.manifest.diagnostics import Diagnostics

    diagnostics = Diagnostics()
    steps = steps_of(text, framework, compute, diagnostics, ("command",))
    assert len(diagnostics.warnings) <= 1
    return list(steps), diagnostics.warnings[0].what if diagnostics.warnings else ""


@pytest.mark.parametrize(
    ("name", "version", "mpi"),
    [
        ("tensorflow", "1.5", False),
        ("tensorflow-ddl", "1.5", True),
        ("tensorflow", "1.5-py3-ddl", True),
        ("tensorflow-horovod", "1.5", True),
        ("caffe", "1.0-ddl", True),
        ("horovod", "0.13.10-tf1.9.0-torch0.4.0-py3.5", True),
        ("pytorchmpi", "0925mpi", True),
        ("pytorch", "1.0", False),
        ("saddles", "1.0-middle", False),
    ],
)
def test_a_frameworks_name_or_version_says_whether_it_had_mpi(name: str, version: str, mpi: bool) -> None:
    assert has_mpi(Framework(name, version, "3")) == mpi


@pytest.mark.parametrize(
    "text",
    [
        "python a.py",
        "cd src; python a.py",
        "pip3 install --user leaflib; python3 a.py --data $DATA_DIR",
        "pip install keras && python a.py | tee log",
        "export A=1; . ./env_file; A=2 ./launcher.py python a.py",
    ],
)
@pytest.mark.parametrize(
    ("compute", "ranks", "diagnostics"),
    [
        (ONE, "node", ""),
        (TWO_NODES, "node", "runs once on each of 2 nodes, without MPI, as tensorflow without"),
        (TWO_GPUS, "node", "runs once on the node, with its 2 GPUs, without MPI"),
    ],
)
def test_a_framework_without_mpi_gives_one_bash_on_each_node_the_whole_text(
    text: str, compute: Compute, ranks: str, diagnostics: str
) -> None:
    (step,), words = read(text, PLAIN, compute)
    assert (step.command, step.ranks) == (text, ranks)
    assert diagnostics in words
    assert bool(words) == bool(diagnostics)
    assert "\n" not in words


@pytest.mark.parametrize(
    ("text", "steps", "diagnostics"),
    [
        ("python a.py; python b.py", [("python a.py", "all"), ("python b.py", "one")], ""),
        (
            "cd src; python a.py; python b.py",
            [("cd src; python a.py", "all"), ("cd src; python b.py", "one")],
            "each command has its own bash, and `cd src` is run in front of each",
        ),
        (
            "cd src && python a.py; export A=1; python b.py",
            [("cd src && python a.py", "all"), ("cd src; export A=1; python b.py", "one")],
            "`cd src; export A=1` is run in front of each",
        ),
        ("A=1; python a.py", [("A=1; python a.py", "all")], "`A=1` is run in front"),
        (
            "pip install x; python a.py",
            [("pip install x", "all"), ("python a.py", "one")],
            "`pip install x` runs on 2 ranks, and `python a.py` once, on the first node",
        ),
        ("cd src", [("cd src", "all")], ""),
        (
            "python a.py | tee log; cd out | cat; ls",
            [("python a.py | tee log", "all"), ("cd out | cat", "one"), ("ls", "one")],
            "all of",
        ),
    ],
)
def test_a_framework_with_mpi_has_its_first_command_on_every_rank(
    text: str, steps: list[tuple[str, str]], diagnostics: str
) -> None:
    found, words = read(text, DDL)
    assert [(step.command, step.ranks) for step in found] == steps
    assert diagnostics in words
    assert bool(words) == bool(diagnostics)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("mpirun -np 2 python a.py; python b.py", [("python a.py", "all"), ("python b.py", "one")]),
        ("-x A=1 python a.py; python b.py", [("python a.py", "all"), ("python b.py", "one")]),
        (
            "pip install x; cd src; mpirun python a.py; python b.py",
            [("pip install x", "node"), ("cd src; python a.py", "all"), ("cd src; python b.py", "one")],
        ),
    ],
)
def test_a_command_that_starts_mpirun_itself_is_run_by_the_tools(text: str, steps: list[tuple[str, str]]) -> None:
    found, _ = read(text, PLAIN)
    assert [(step.command, step.ranks) for step in found] == steps


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("python a.py\n  --x 1\n", "python a.py   --x 1"),
        ("python a.py \\\n  --x 1\n", "python a.py     --x 1"),
        ("pip install x;\r\npython a.py", "pip install x; python a.py"),
        ("python a.py --x 1 # the best", "python a.py --x 1 # the best"),
        ("echo '#';\npython a.py # why\n", "echo '#'; python a.py # why"),
    ],
)
def test_ffdl_made_blanks_of_line_ends(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize("text", ["# first\npython a.py", "pip install x; # why\npython a.py", "a b # c\n--d"])
def test_a_comment_that_would_swallow_lines_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="what follows `#` would be a comment"):
        one_line(text)


@pytest.mark.parametrize(
    ("text", "several"),
    [
        ("cd src\npython a.py", True),
        ("cd src;\npython a.py", False),
        ("python a.py\n--x", False),
        ("python a.py\n  data.csv", False),
        ("a &&\nb", False),
        ("a\n", False),
    ],
)
def test_lines_that_may_have_been_meant_as_commands_are_known(text: str, several: bool) -> None:
    assert is_several_lines(text) == several


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("python a.py --x 1\n  --y 2\n  --z", ["python a.py --x 1   --y 2   --z"]),
        ("python a.py\n--y 2\npython b.py\n\n  data.csv", ["python a.py --y 2", "python b.py    data.csv"]),
        ("python a.py;\n  python b.py", ["python a.py", "python b.py"]),
        ("python a.py # why\n  --y", None),
        ("python -c 'a\n  b'\npython b.py", ["python -c 'a\n  b'", "python b.py"]),
        ("-x A=1 python a.py", ["python a.py"]),
    ],
)
def test_a_line_that_is_set_in_further_goes_on_with_the_one_before(text: str, commands: list[str] | None) -> None:
    joined = with_continued_lines(text)
    if commands is None:
        with pytest.raises(ValueError, match="--y"):
            read_commands(joined)
    else:
        assert [command.text for command in read_commands(joined)] == commands


@given(st.lists(st.sampled_from(["python a.py", "cd src", "export A=1", "a && b", "x | y", "mpirun z"]), min_size=1))
def test_no_command_is_lost_and_none_runs_in_another_order(commands: list[str]) -> None:
    for framework in (PLAIN, DDL):
        steps, _ = read("; ".join(commands), framework)
        programs = [word for step in steps for word in step.command.replace("&&", ";").replace("|", ";").split("; ")]
        found = [word.strip() for word in programs if word.strip() not in ("cd src", "export A=1")]
        meant = "; ".join(commands).replace("mpirun ", "").replace("&&", ";").replace("|", ";").split(";")
        assert found == [word.strip() for word in meant if word.strip() not in ("cd src", "export A=1")]
