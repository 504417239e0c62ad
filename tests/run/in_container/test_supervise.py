"""The supervisor inside learner 1, as the program that it is there."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.run.in_container import supervise

from .greeter import greeting
from .supervising import ANSWERING, PLACE, TWO, output, say, start, status_of, step, supervised

__all__ = ["greeting"]


def test_steps_run_in_order_and_leave_their_status(tmp_path: Path) -> None:
    before = time.time()
    status, lines = supervised(tmp_path, [step(1, say("one\n")), step(2, say("two\n"))])
    assert status == 0
    assert (tmp_path / "learner-1" / "training-log.txt").read_text() == "[0] one\n[0] two\n"
    assert [(entry["number"], entry["exit_status"], entry["why"]) for entry in status_of(tmp_path)["steps"]] == [
        (1, 0, ""),
        (2, 0, ""),
    ]
    assert lines == [
        "[toolkit] command 1 of 2: command-1",
        "[0] one",
        "[toolkit] command 2 of 2: command-2",
        "[0] two",
    ]
    times = [float(line.partition(" ")[0]) for line in (tmp_path / "output.log").read_text().splitlines()]
    assert [before - 1, *times] == sorted([before - 1, *times])


def test_a_command_of_several_lines_is_reported_in_as_many(tmp_path: Path) -> None:
    several = {**step(1, ["/bin/sh", "-c", "true"], parallel=False), "command": "if true\nthen echo\nfi"}
    assert supervised(tmp_path, [several]) == (
        0,
        ["[toolkit] command 1 of 1: if true", "[toolkit] then echo", "[toolkit] fi"],
    )


def test_nothing_runs_before_the_word_to_go(tmp_path: Path) -> None:
    process = start(tmp_path, [step(1, say("one\n"))], TWO[:1])
    try:
        process.wait(timeout=30)
        (tmp_path / "output.log").unlink()
        (tmp_path / "go").unlink()
        argv = [sys.executable, "-E", "-m", "in_container.supervise", str(tmp_path / "run.json")]
        process = subprocess.Popen(argv, cwd=PLACE)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        assert output(tmp_path) == []
    finally:
        process.kill()
        process.wait()


def test_the_first_failure_stops_the_rest(tmp_path: Path) -> None:
    status, lines = supervised(tmp_path, [step(1, say("one\n", 7)), step(2, say("two\n"))])
    assert status == 7
    assert [entry["exit_status"] for entry in status_of(tmp_path)["steps"]] == [7]
    assert "[0] two" not in lines


def test_a_signal_is_reported_as_a_shell_does(tmp_path: Path) -> None:
    killed = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    assert supervised(tmp_path, [step(1, killed)])[0] == 137


def test_a_learner_that_never_answers_is_named(tmp_path: Path) -> None:
    silent = [TWO[0], {"number": 2, "hostname": "127.0.0.1", "ranks": [1]}]
    status, _ = supervised(tmp_path, [step(1, say("never\n"))], silent)
    assert status == supervise.NOT_STARTED
    assert status_of(tmp_path) == {
        **{"silent_learners": ["127.0.0.1"], "lost_learners": [], "steps": []},
        **{"start_deadline": 0.3, "lost_seconds": 10},
    }


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n"], indirect=True)
def test_a_run_of_two_learners_keeps_a_log_for_each(tmp_path: Path, greeting: int) -> None:
    tagged = say("[1,1]<stdout>:\x1etoolkit started\n[1,1]<stdout>:one\n[1,0]<stderr>:zero\n")
    steps = [step(1, tagged, parallel=True), step(2, say("once\n"))]
    status, lines = supervised(tmp_path, steps, ANSWERING, port=greeting)
    assert status == 0
    assert (tmp_path / "learner-1" / "training-log.txt").read_text() == "[0] zero\n[0] once\n"
    assert (tmp_path / "learner-2" / "training-log.txt").read_text() == "[1] one\n"
    assert [line for line in lines if "toolkit" not in line] == ["[1] one", "[0] zero", "[0] once"]


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n"], indirect=True)
def test_the_lines_of_a_step_that_runs_once_on_each_learner_carry_the_learner(tmp_path: Path, greeting: int) -> None:
    learners = [{**one, "ranks": [2 * index, 2 * index + 1]} for index, one in enumerate(ANSWERING)]
    marks = "[1,1]<stdout>:\x1etoolkit started\n[1,0]<stdout>:\x1etoolkit started\n"
    each = step(1, say(f"{marks}[1,1]<stdout>:two\n[1,0]<stderr>:one\n"), parallel=True, each="learner")
    ranks = step(2, say("[1,2]<stdout>:a rank\n"), parallel=True)
    status, lines = supervised(tmp_path, [each, ranks], learners, port=greeting)
    assert status == 0
    assert (tmp_path / "learner-1" / "training-log.txt").read_text() == "[learner-1] one\n"
    assert (tmp_path / "learner-2" / "training-log.txt").read_text() == "[learner-2] two\n[2] a rank\n"
    assert [line for line in lines if "toolkit" not in line] == ["[learner-2] two", "[learner-1] one", "[2] a rank"]
    assert [one["missing_ranks"] for one in status_of(tmp_path)["steps"]] == [[], [0, 1, 2, 3]]


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n", b""], indirect=True)
def test_a_port_that_is_no_ssh_is_no_learner(tmp_path: Path, greeting: int) -> None:
    assert supervised(tmp_path, [step(1, say("never\n"))], ANSWERING, port=greeting)[0] == 75


@pytest.mark.parametrize("name", ["supervise.py", "logs.py", "learners.py", "__init__.py"])
def test_it_is_readable_by_python_3_5(name: str) -> None:
    """Old images have old Pythons: nothing newer than 3.5's grammar may stand in these files."""
    import ast

    tree = ast.parse((PLACE / "in_container" / name).read_text(), feature_version=(3, 5))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.AnnAssign)]
