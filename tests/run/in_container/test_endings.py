"""What ends a step before its own end: a lost learner, a deadline, a limit, a stop; and what is tried again."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from toolkit.run.in_container import supervise

from .greeter import greeting
from .supervising import ANSWERING, BOTH_HERE, SILENT_AGENT, TWO, output, say, start, status_of, step, supervised

__all__ = ["greeting"]


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


def test_what_a_stopped_step_had_started_is_stopped_with_it(tmp_path: Path) -> None:
    program = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    status, lines = supervised(tmp_path, [{**step(1, [sys.executable, "-c", program]), "timeout": 1}])
    assert status == supervise.STOPPED
    state = Path("/proc", lines[1].removeprefix("[0] "), "stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_a_step_that_fails_is_run_again(tmp_path: Path) -> None:
    program = f"import os, sys; f = {str(tmp_path / 'n')!r}; open(f, 'a').write('x'); sys.exit(os.path.getsize(f) < 3)"
    status, lines = supervised(tmp_path, [step(1, [sys.executable, "-c", program])], retries=2)
    assert status == 0
    assert lines[1:] == [
        "[toolkit] command 1 ended with 1; attempt 2 of 3",
        "[toolkit] command 1 ended with 1; attempt 3 of 3",
    ]


def test_a_step_that_fails_for_good_keeps_its_status(tmp_path: Path) -> None:
    assert supervised(tmp_path, [step(1, say("", 7))], retries=1)[0] == 7


def test_a_step_whose_time_is_over_is_not_tried_again(tmp_path: Path) -> None:
    status, lines = supervised(tmp_path, [step(1, ["sleep", "60"]) | {"timeout": 0.3}], retries=3)
    assert (status, lines) == (supervise.STOPPED, ["[toolkit] command 1 of 1: command-1"])
