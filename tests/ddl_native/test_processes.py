"""Processes that ranks start, ranks that never start the engine, and what status the job ends with."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import NATIVE, PROGRAMS, Finished, mpirun_argv, run_ranks

Job = Callable[..., Finished]
CHILDREN = [
    *("spawn", "forkserver", "fork", "executor", "refused_in_workers", "worker_raises"),
    *("forked_raises", "forked_exits", "forked_interrupted", "forked_thread_raises", "forked_collective"),
    *("forked_amid_collectives", "forked_twice", "program", "program_without_the_environment", "program_collective"),
    *("program_init", "program_without_options", "program_of_a_shell", "spawned_by_os", "forked_and_replaced"),
]


@pytest.fixture
def job(libraries: Path) -> Job:
    """Runs a command on so many ranks, with ddl; one that does not end in time fails the test."""

    def run(ranks: int, *argv: str, options: str = "", seconds: float = 60, **variables: str) -> Finished:
        package = {"PYTHONPATH": str(NATIVE.parent), "LD_LIBRARY_PATH": str(libraries)}
        package["DDL_OPTIONS"] = f"-mode p:{ranks}x1 {options}".strip()
        return run_ranks(mpirun_argv(ranks, *argv), {**package, **variables}, seconds)

    return run


def python(program: str, *words: str) -> list[str]:
    return [sys.executable, str(PROGRAMS / program), *words]


def code(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.mark.parametrize("way", CHILDREN)
def test_a_child_starts_no_mpi_and_harms_neither_its_rank_nor_the_job(job: Job, way: str) -> None:
    done = job(2, *python("children.py", way))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("GOES ON") == 2, done.stdout + done.stderr
    # Two ranks say that they are there; children say nothing of ddl's that is no error.
    assert len(re.findall(r"^ddl: rank \d of 2, ", done.stderr, re.MULTILINE)) == 2, done.stderr


@pytest.mark.parametrize("way", ["outlives", "forked_outlives"])
def test_a_child_that_outlives_its_rank_does_not_keep_mpirun_waiting(job: Job, way: str) -> None:
    done = job(2, *python("children.py", way))  # the child sleeps for five minutes
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("GOES ON") == 2


@pytest.mark.parametrize(
    ("way", "status"),
    [
        ("exit", 3),
        ("raise-exit", 3),
        ("quit", 3),
        ("imported-exit", 3),
        ("unfinished", 3),
        ("unfinished-raise-exit", 3),
        ("hooked-raise", 1),
        ("words", 1),
        ("true", 1),
        ("large", 3),
        ("at-once", 3),
        ("thread", 3),
        ("raise", 1),
        ("interrupted", 128 + signal.SIGINT),
        ("terminated", 128 + signal.SIGTERM),
        ("killed", 128 + signal.SIGKILL),
    ],
)
@pytest.mark.parametrize("others", ["wait", "busy"])
def test_the_job_ends_at_once_with_the_status_of_the_rank_that_failed(
    job: Job, way: str, status: int, others: str
) -> None:
    done = job(3, *python("exits.py", way, others))
    assert done.returncode == status, done.stdout + done.stderr
    assert "GOES ON" not in done.stdout
    assert "EngineError" not in done.stderr  # of ranks that were left waiting


@pytest.mark.parametrize("way", ["caught-exit", "raise-exit-0"])
def test_a_rank_that_ends_well_waits_for_the_others(job: Job, way: str) -> None:
    done = job(3, *python("exits.py", way, "well"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_status_is_kept_though_all_others_end_well(job: Job) -> None:
    done = job(3, *python("exits.py", "exit", "well"))
    assert done.returncode == 3, done.stdout + done.stderr


@pytest.mark.parametrize("way", ["none", "exec-well"])
def test_a_rank_that_ends_well_but_early_fails_those_that_wait_for_it(job: Job, way: str) -> None:
    done = job(2, *python("exits.py", way))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "rank 0 waits; rank 1 has shut down" in done.stderr
    assert job(2, *python("exits.py", way, "well")).returncode == 0


def test_a_rank_that_becomes_another_program_passes_its_status_on(job: Job) -> None:
    done = job(2, *python("exits.py", "exec", "well"))
    assert done.returncode == 3, done.stdout + done.stderr


@pytest.mark.parametrize(
    "shell",
    [
        "exec {python} {program} forked_raises",
        "bash -c 'cd / && {python} {program} spawn; exit $?'",
        "env A=1 nohup {python} {program} program | cat",
        "{python} -c 'pass' && {python} {program} fork",
        "({python} {program} forked_collective)",
        "{python} -c 'import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))' {python} {program} program",
    ],
)
def test_the_rank_may_be_started_by_a_shell_or_another_program(job: Job, shell: str) -> None:
    line = shell.format(python=sys.executable, program=PROGRAMS / "children.py")
    done = job(2, "sh", "-c", line)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("GOES ON") == 2, done.stdout + done.stderr


def test_a_second_program_of_one_rank_gets_an_error_if_mpi_has_ended(job: Job) -> None:
    one = f"{sys.executable} -c 'import ddl'"
    done = job(2, "sh", "-c", f"{one} && {one} && echo GOES ON")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "GOES ON" not in done.stdout
    assert "has already started ddl, and this Open MPI can be initialised only once per rank" in done.stderr
    assert "MPI_Init" not in done.stderr


def test_two_programs_at_once_in_one_place_are_an_error(job: Job) -> None:
    first = f"{sys.executable} -c 'import ddl, time; time.sleep(300)'"
    done = job(2, "sh", "-c", f"{first} & sleep 2; {sys.executable} -c 'import ddl'")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(
        r"process \d+, .*python.* -c import ddl, time.*, has already started ddl for rank [01]", done.stderr
    )


def test_a_program_without_options_may_run_beside(job: Job) -> None:
    first = f"env -u DDL_OPTIONS {sys.executable} -c 'import ddl, time; time.sleep(3)'"
    program = f"{sys.executable} {PROGRAMS / 'children.py'} program"
    assert job(2, "sh", "-c", f"{first} & {program}").returncode == 0


LATE = "import {module}, os, sys\n{before}\nimport ddl, numpy\nddl.allreduce_n([numpy.ones(1)])\nprint('GOES ON')"


@pytest.mark.parametrize(
    ("module", "before"),
    [
        (
            "multiprocessing",
            "p = multiprocessing.get_context('fork').Process(target=lambda: __import__('ddl')); p.start()",
        ),
        (
            "signal",
            "p = os.fork()\nif p == 0:\n    import ddl\n    print(ddl.rank())\n    os._exit(0)\nos.waitpid(p, 0)",
        ),
    ],
)
def test_a_child_that_imports_ddl_before_the_rank_does_leaves_the_engine_to_it(
    job: Job, module: str, before: str
) -> None:
    done = job(2, *code(LATE.format(module=module, before=before)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("GOES ON") == 2, done.stdout + done.stderr


def test_a_worker_that_trains_before_its_rank_has_started_ddl_gets_an_error(job: Job) -> None:
    text = (
        "import multiprocessing\ndef train():\n    import ddl, numpy\n    ddl.allreduce_n([numpy.ones(1)])\n"
        "p = multiprocessing.get_context('fork').Process(target=train)\np.start()\np.join()\n"
        "raise SystemExit(p.exitcode)"
    )
    done = job(2, *code(text))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "main program, which has not started ddl: import ddl in the main program" in done.stderr


def test_an_mpirun_in_a_rank_ends(job: Job) -> None:
    """Open MPI 4.1 refuses it; 5 starts ranks of another job."""
    inner = f"mpirun --oversubscribe -np 2 {sys.executable} {PROGRAMS / 'children.py'} program"
    done = job(2, "sh", "-c", inner)
    assert done.returncode == 0 or "mpirun does not support recursive calls" in done.stderr, done.stderr


def ended(done: Finished, status: int = 86) -> str:
    """The reason for which a job of ranks that were not synchronised ended."""
    assert done.returncode == status, done.stdout + done.stderr
    assert "GOES ON 2" not in done.stdout
    found = re.findall(r"^ddl: rank \d aborts the job: (.*)$", done.stderr, re.MULTILINE)
    assert found, done.stderr
    return str(found[0])


@pytest.mark.parametrize("absent", ["0", "1"])
@pytest.mark.parametrize("way", ["goes-on", "without-init"])
def test_a_rank_that_goes_on_without_ddl_is_named_and_ends_the_job(job: Job, absent: str, way: str) -> None:
    done = job(2, *python("missing.py", absent, way), options="-stall 2 -start 6", TRAINING_ID="training-x")
    other = 1 - int(absent)
    why = ended(done)
    assert why.startswith(f"rank {absent} has not started ddl within 6 s, while rank {other} on "), why
    warned = rf"^ddl: rank {other} has waited \d s for rank {absent} to start ddl; the job is aborted after 6 s"
    assert re.search(warned, done.stderr, re.MULTILINE), done.stderr
    (line,) = re.findall(r"^\x1etoolkit unsynchronised (.*)$", done.stdout, re.MULTILINE)
    assert json.loads(line)["why"].startswith(why)


def test_several_ranks_that_do_not_come_are_named(job: Job) -> None:
    done = job(4, *python("missing.py", "1,3", "goes-on"), options="-stall 2 -start 4")
    assert ended(done).startswith("ranks 1, 3 have not started ddl within 4 s, while rank 0 on ")
    assert "\x1e" not in done.stdout  # no supervisor is there


@pytest.mark.parametrize("late", ["0", "1"])
def test_a_rank_that_comes_late_is_waited_for(job: Job, late: str) -> None:
    done = job(2, *python("missing.py", late, "late"), options="-stall 2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("GOES ON 2") == 2
    assert f"s for rank {late} to start ddl; the job is aborted after 10 s" in done.stderr


def test_the_limit_is_five_times_the_time_of_the_first_warning(job: Job) -> None:
    done = job(2, *python("missing.py", "1", "goes-on"), options="-stall 1.5")
    assert ended(done).startswith("rank 1 has not started ddl within 8 s")


@pytest.mark.parametrize(("way", "status"), [("ends", None), ("fails", 3), ("without-options", 1)])
def test_a_rank_that_ends_without_ddl_ends_the_job(job: Job, way: str, status: int | None) -> None:
    done = job(3, *python("missing.py", "1", way), options="-stall 2 -start 4")
    # One that ends with 0: mpirun itself ends the job (1) where another has started MPI by then, else ddl does (86).
    assert done.returncode in ((1, 86) if status is None else (status,)), done.stdout + done.stderr


def test_a_rank_that_has_ended_before_another_starts_is_named(job: Job) -> None:
    text = "import os, time\nif os.environ['OMPI_COMM_WORLD_RANK'] == '0':\n    time.sleep(2)\n    import ddl"
    done = job(2, *code(text), options="-stall 2 -start 4")
    assert ended(done).startswith("rank 1 has not started ddl within 4 s")


def test_ranks_on_other_hosts_are_named(job: Job, libraries: Path, tmp_path: Path) -> None:
    """Each "host" is an orted of its own on this machine, with its own session directory."""
    agent = tmp_path / "agent"
    agent.write_text(f'#!/bin/sh\nmkdir -p {tmp_path}/$1\nexport TMPDIR={tmp_path}/$1\nshift\nexec /bin/sh -c "$*"\n')
    agent.chmod(0o755)
    flags = ["--mca", "plm_rsh_agent", str(agent), "--mca", "plm_rsh_no_tree_spawn", "1", "--host", "a:1,b:1,c:1"]
    argv = mpirun_argv(3, *python("missing.py", "1", "goes-on"))
    variables = {"PYTHONPATH": str(NATIVE.parent), "LD_LIBRARY_PATH": str(libraries)}
    variables["DDL_OPTIONS"] = "-mode p:1x3 -stall 2 -start 4"
    done = run_ranks([argv[0], *flags, *argv[1:]], variables, 60)
    assert ended(done).startswith("rank 1 has not started ddl within 4 s, while rank 0 on ")


def test_no_file_is_left_behind(job: Job, tmp_path: Path) -> None:
    done = job(2, *python("children.py", "program"), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [name for _, folders, files in os.walk(tmp_path) for name in (*folders, *files) if "ddl" in name] == []
