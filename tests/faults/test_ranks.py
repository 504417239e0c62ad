"""2 and 7 of the table: a rank that ends as it should not, and commands that fail; on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from ..real.bench import Bench
from .local import Expected, LocalRun
from .page import Page
from .program import WRITER
from .shell import docker

LEAVES_WITH_3 = WRITER + "sys.exit(3 if rank == '1' else 0)\n"
EATS = WRITER + (
    "print('about to eat', flush=True)\n"
    "eaten = []\n"
    "while rank == '1':\n"
    "    eaten.append(bytearray(os.urandom(1 << 20) * 8)); time.sleep(0.02)\n"
    "time.sleep(100)\n"
)


def rank_process(container: str, words: str) -> int:
    """The id, on this machine, of the process in the container whose command line is `words`."""
    shown = docker("top", container, "-eo", "pid,args").splitlines()[1:]
    return next(int(pid) for pid, args in (line.split(None, 1) for line in shown) if args == words)


def test_a_rank_killed_with_9_is_named(bench: Bench, tmp_path: Path, page: Page) -> None:
    run = LocalRun(bench, tmp_path / "run")
    run.launch()
    run.until_files()
    pid = rank_process(run.learner(2), "python program.py 300 0.2 20000")
    run.fault()
    os.kill(pid, signal.SIGKILL)
    names = r"rank 1 exited with status 137 \(SIGKILL\)"
    run.must_end(page, Expected("2", "a rank is killed with -9", "FAILED", "program failed", names))


def test_a_rank_that_exits_with_3_is_named(bench: Bench, tmp_path: Path, page: Page) -> None:
    run = LocalRun(bench, tmp_path / "run", "python program.py 10 0.2 20000 ; echo not reached", LEAVES_WITH_3)
    shell = run.launch()
    run.at = shell.until("part-1-9")
    names = "rank 1 exited with status 3"
    record = run.must_end(page, Expected("2", "a rank exits with 3", "FAILED", "program failed", names))
    assert [step["number"] for step in record["steps"]] == [1]


def memory_can_be_limited() -> bool:
    """Whether this machine's kernel keeps a container's limit at all; some engines in boxes have no such group."""
    return docker("info", "--format", "{{.MemoryLimit}}") == "true"


@pytest.mark.skipif(not memory_can_be_limited(), reason="this machine's engine has no memory limits")
def test_a_rank_that_meets_its_memory_limit_is_reported_as_that(bench: Bench, tmp_path: Path, page: Page) -> None:
    run = LocalRun(bench, tmp_path / "run", "python program.py 10 0.1 20000", EATS)
    run.launch().until("learner-2")
    run.shell.until("part-1-0")
    docker("update", "--memory", "200m", "--memory-swap", "200m", run.learner(2))
    run.at = run.shell.until("[1] about to eat")
    names = "learner-2, rank 1 reached its memory limit"
    run.must_end(page, Expected("2", "a rank reaches its memory limit", "FAILED", "out of memory", names))


def test_the_first_command_fails_and_the_second_is_not_run(bench: Bench, tmp_path: Path, page: Page) -> None:
    run = LocalRun(bench, tmp_path / "run", "python program.py 3 0.1 20000 && false ; echo not reached", WRITER)
    run.at = run.launch().until("part-1-2")
    names = r"command 1 of 2, .*: rank 0 exited with status 1, rank 1 exited with status 1|command 1 of 2"
    record = run.must_end(page, Expected("7", "the first command fails", "FAILED", "program failed", names))
    assert len(record["steps"]) == 1
    assert not any(line.startswith("[0] not reached") for line in run.shell.said.splitlines())


def test_the_second_command_fails_and_what_the_first_wrote_is_stored(bench: Bench, tmp_path: Path, page: Page) -> None:
    run = LocalRun(bench, tmp_path / "run", "python program.py 3 0.1 20000 ; sh -c 'exit 7' ; echo never", WRITER)
    run.at = run.launch().until("command 2 of 3")
    names = "command 2 of 3, .*: exit status 7"
    record = run.must_end(page, Expected("7", "the second command fails", "FAILED", "program failed", names))
    assert [step["exit_status"] for step in record["steps"]] == [0, 7]


def test_a_learners_container_that_is_killed_is_named(bench: Bench, tmp_path: Path, page: Page) -> None:
    run = LocalRun(bench, tmp_path / "run")
    run.launch()
    run.until_files()
    run.fault()
    subprocess.run(["docker", "kill", run.learner(2)], check=True, capture_output=True)
    expected = Expected("3", "a learner's container is killed", "FAILED", "host lost", "learner-2 is lost", lost=True)
    run.must_end(page, expected)


def test_the_first_learners_container_that_is_killed_is_named(bench: Bench, tmp_path: Path, page: Page) -> None:
    run = LocalRun(bench, tmp_path / "run")
    run.launch()
    run.until_files()
    run.fault()
    subprocess.run(["docker", "kill", run.learner(1)], check=True, capture_output=True)
    names = r"learner-1 ended \(status 137 \(SIGKILL\)\)"
    fault = "the first learner's container is killed"
    run.must_end(page, Expected("3", fault, "FAILED", "host lost", names, lost=True))
