"""The supervisor inside learner 1, as the program that it is there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from toolkit.run.inside import supervise
from toolkit.run.inside.learners import Beats
from toolkit.run.inside.logs import Logs

from .greeter import greeting

__all__ = ["greeting"]

PLACE = Path(supervise.__file__).parent.parent
"""What holds the package `inside`, as a learner's folder does."""
TWO: list[dict[str, Any]] = [
    {"number": 1, "hostname": "learner-1", "ranks": [0]},
    {"number": 2, "hostname": "learner-2", "ranks": [1]},
]
# A stand-in for ssh to another learner: it answers what it is sent, as `beat.sh` does there.
ANSWERING_AGENT = ["/bin/sh", "-c", 'while read -r beat; do echo "$beat"; [ "$beat" != end ] || exit 0; done']
SILENT_AGENT = ["/bin/sh", "-c", "exec sleep 60"]


def say(text: str, status: int = 0) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.stdout.write({text!r}); sys.stdout.flush(); sys.exit({status})"]


def step(number: int, argv: list[str], *, parallel: bool = False) -> dict[str, Any]:
    return {"number": number, "command": f"command-{number}", "argv": argv, "parallel": parallel}


def start(folder: Path, steps: list[dict[str, Any]], learners: list[dict[str, Any]], **more: Any) -> Any:
    """The supervisor as a program, told to go."""
    plan = {"logs": str(folder), "port": 1, "open_mpi": 4, "start_deadline": 0.3, "learners": learners, "steps": steps}
    plan |= {"agent": ANSWERING_AGENT, "lost": 10, "grace": 5} | more
    (folder / "run.json").write_text(json.dumps(plan))
    (folder / "go").touch()
    argv = [sys.executable, "-E", "-m", "inside.supervise", str(folder / "run.json")]
    return subprocess.Popen(argv, cwd=PLACE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def supervised(
    folder: Path, steps: list[dict[str, Any]], learners: list[dict[str, Any]] = TWO[:1], **more: Any
) -> tuple[int, list[str]]:
    """Run the supervisor to its end: its status, and the run's lines without their times."""
    process = start(folder, steps, learners, **more)
    printed, _ = process.communicate(timeout=30)
    assert printed == b"", "it writes its lines to a file, and nothing else"
    return process.returncode, output(folder)


def output(folder: Path) -> list[str]:
    file = folder / "output.log"
    return [line.partition(" ")[2] for line in file.read_text().splitlines()] if file.exists() else []


def status_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "status.json").read_text())
    return found


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


def test_a_command_of_several_lines_is_told_in_as_many(tmp_path: Path) -> None:
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
        argv = [sys.executable, "-E", "-m", "inside.supervise", str(tmp_path / "run.json")]
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


def test_a_signal_is_told_as_a_shell_does(tmp_path: Path) -> None:
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


ANSWERING = [TWO[0], {"number": 2, "hostname": "127.0.0.1", "ranks": [1]}]


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n"], indirect=True)
def test_a_run_of_two_learners_keeps_a_log_for_each(tmp_path: Path, greeting: int) -> None:
    tagged = say("[1,1]<stdout>:\x1etoolkit started\n[1,1]<stdout>:one\n[1,0]<stderr>:zero\n")
    steps = [step(1, tagged, parallel=True), step(2, say("once\n"))]
    status, lines = supervised(tmp_path, steps, ANSWERING, port=greeting)
    assert status == 0
    assert (tmp_path / "learner-1" / "training-log.txt").read_text() == "[0] zero\n[0] once\n"
    assert (tmp_path / "learner-2" / "training-log.txt").read_text() == "[1] one\n"
    assert [line for line in lines if "toolkit" not in line] == ["[1] one", "[0] zero", "[0] once"]


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n", b""], indirect=True)
def test_a_port_that_is_no_ssh_is_no_learner(tmp_path: Path, greeting: int) -> None:
    assert supervised(tmp_path, [step(1, say("never\n"))], ANSWERING, port=greeting)[0] == 75


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n"], indirect=True)
def test_a_learner_that_gives_no_sign_of_life_ends_the_run_and_is_named(tmp_path: Path, greeting: int) -> None:
    steps = [step(1, ["sleep", "60"], parallel=True), step(2, say("never\n"))]
    more = {"port": greeting, "start_deadline": 60, "agent": SILENT_AGENT, "lost": 0.5}
    status, lines = supervised(tmp_path, steps, ANSWERING, **more)
    found = status_of(tmp_path)
    assert status == supervise.LOST
    assert found["lost_learners"] == ["127.0.0.1"]
    assert [(entry["number"], entry["why"]) for entry in found["steps"]] == [(1, "host lost")]
    assert "[0] never" not in lines


def test_ranks_that_never_start_end_their_step_at_the_deadline(tmp_path: Path) -> None:
    started = 'printf "[1,1]<stdout>:\\036toolkit started\\n"; exec sleep 60'
    status, _ = supervised(tmp_path, [step(1, ["/bin/sh", "-c", started], parallel=True)], BOTH_HERE)
    (entry,) = status_of(tmp_path)["steps"]
    assert status == supervise.STOPPED
    assert (entry["why"], entry["limit"], entry["missing_ranks"]) == ("start deadline", 0.3, [0])
    assert entry["exit_status"] == 143


BOTH_HERE: list[dict[str, Any]] = [{"number": 1, "hostname": "learner-1", "ranks": [0, 1]}]


@pytest.mark.parametrize(
    ("limits", "why", "limit"),
    [({"limit": 0.3}, "time limit", 0.3), ({"quiet": 0.3}, "no progress", 0.3), ({}, "time limit", 0.4)],
)
def test_a_limit_ends_its_step_and_is_named(tmp_path: Path, limits: dict[str, Any], why: str, limit: float) -> None:
    endless = step(1, ["sleep", "60"]) | ({} if limits else {"timeout": 0.4})
    status, _ = supervised(tmp_path, [endless, step(2, say("never\n"))], **limits)
    (entry,) = status_of(tmp_path)["steps"]
    assert (status, entry["why"], entry["limit"]) == (supervise.STOPPED, why, limit)


def test_a_stop_ends_the_step_and_the_rest_does_not_run(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); print('up', flush=True); "
    )
    steps = [step(1, [sys.executable, "-c", program + "time.sleep(60)"]), step(2, say("never\n"))]
    process = start(tmp_path, steps, TWO[:1])
    while "[0] up" not in output(tmp_path):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    (entry,) = status_of(tmp_path)["steps"]
    assert (process.returncode, entry["exit_status"], entry["why"]) == (supervise.STOPPED, 9, "stopped")


def test_what_does_not_heed_a_stop_is_killed_after_the_grace(tmp_path: Path) -> None:
    deaf = ["/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"]
    process = start(tmp_path, [step(1, deaf)], TWO[:1], grace=0.3)
    while "[0] up" not in output(tmp_path):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert status_of(tmp_path)["steps"][0]["exit_status"] == 137


@pytest.mark.parametrize("name", ["supervise.py", "logs.py", "learners.py", "__init__.py"])
def test_it_is_readable_by_python_3_5(name: str) -> None:
    """Old images have old Pythons: nothing newer than 3.5's grammar may stand in these files."""
    import ast

    tree = ast.parse((PLACE / "inside" / name).read_text(), feature_version=(3, 5))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.AnnAssign)]


def run_step(folder: Path, argv: list[str], *, parallel: bool = False) -> tuple[bytes, bytes]:
    """One step by itself: both learners' logs."""
    logs = Logs(str(folder), TWO)
    plan = {"learners": TWO, "start_deadline": 60}
    watch = supervise.Watch(plan, logs, Beats([], [], 10))
    assert supervise.run_step(step(1, argv, parallel=parallel), logs, watch) == 0
    first, second = ((folder / f"learner-{number}" / "training-log.txt").read_bytes() for number in (1, 2))
    return first, second


def test_tagged_output_goes_to_each_learners_own_log(tmp_path: Path) -> None:
    tagged = "[1,0]<stdout>:zero\n[1,1]<stderr>:one\nmpirun: noticed\n"
    assert run_step(tmp_path, say(tagged), parallel=True) == (b"[0] zero\n[mpirun] mpirun: noticed\n", b"[1] one\n")


def test_a_very_long_line_and_bytes_that_are_no_text_arrive_whole(tmp_path: Path) -> None:
    program = r"import sys; sys.stdout.buffer.write(b'\xff' * 3_000_000 + b'\r\nlast')"
    first, _ = run_step(tmp_path, [sys.executable, "-c", program])
    assert first == b"[0] " + b"\xff" * 3_000_000 + b"\n[0] last\n"


def test_a_progress_bar_that_never_ends_its_line_is_its_last_state(tmp_path: Path) -> None:
    program = r"for n in range(100_000): print(f'\r{n} of 100000', end='')"
    assert run_step(tmp_path, [sys.executable, "-c", program])[0] == b"[0] 99999 of 100000\n"


def test_long_bars_of_two_ranks_take_no_word_from_each_other(tmp_path: Path) -> None:
    program = (
        "import sys; out = sys.stdout.write; out('[1,1]<stdout>:begun, ')\n"
        r"for n in range(10_000): out(f'[1,0]<stdout>:\b\b\b\r{n} of 10000')" + "\n"
        r"out('[1,1]<stdout>:ended[1,0]<stdout>:\n')"
    )
    assert run_step(tmp_path, [sys.executable, "-c", program], parallel=True) == (
        b"[0] 9999 of 10000\n",
        b"[1] begun, ended\n",
    )


def test_a_command_reads_nothing_from_the_terminal(tmp_path: Path) -> None:
    assert run_step(tmp_path, [sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"])[0] == b"[0] ''\n"


def test_errors_and_output_are_one_log_in_their_order(tmp_path: Path) -> None:
    program = "import os; os.write(1, b'a\\n'); os.write(2, b'b\\n'); os.write(1, b'c\\n')"
    assert run_step(tmp_path, [sys.executable, "-c", program])[0] == b"[0] a\n[0] b\n[0] c\n"
