"""Ranks that differ, are late, shut down or die: every rank gets an error, and none waits forever."""

from __future__ import annotations

import re
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Mpirun = Callable[..., CompletedProcess[str]]
MISMATCH, SHUT_DOWN = 3, 4


def reported(done: CompletedProcess[str]) -> dict[int, tuple[int, str]]:
    """What was reported on each rank: its number, the code and the message."""
    found = re.findall(r"^REPORTED (\d+) (\d+) (.*)$", done.stdout, re.MULTILINE)
    return {int(rank): (int(code), words) for rank, code, words in found}


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize(
    ("way", "differ"),
    [
        ("shape", ("float32[2,3]", "float32[3,2]")),
        ("type", ("float32[2,3]", "float64[2,3]")),
        ("reduction", ("allreduce sum", "allreduce max")),
        ("kind", ("allreduce sum", "broadcast")),
        ("root", ("broadcast from 0 float32[2,3]", "broadcast from {last} float32[2,3]")),
        ("sent", ("broadcast from 0 float32[2,3]", "broadcast from 0 int32[2,3]")),
        ("element", ("allreduce sum uint8[2,3]", "allreduce sum bool[2,3]")),
        ("last", ("float32[2,3] as tensor 8 of 9", "int64[2] as tensor 8 of 9")),
        ("origin", ("float32[2,3] by thread 2", "pass each one a name=")),
        ("race", ("float32[2,3] by threads 'a' and 'b' at once on rank {last}", "pass each one a name=")),
    ],
)
def test_a_difference_is_an_error_on_every_rank_that_names_the_tensor(
    mpirun: Mpirun, ranks: int, way: str, differ: tuple[str, str]
) -> None:
    done = mpirun(ranks, "differing.py", way)
    assert done.returncode == 0, done.stdout + done.stderr
    said = reported(done)
    assert sorted(said) == list(range(ranks))
    assert len(set(said.values())) == 1
    code, words = said[0]
    assert code == MISMATCH
    assert words.startswith("weights/of/a/layer: ranks differ: ")
    assert all(difference.format(last=ranks - 1) in words for difference in differ)
    assert f"rank {ranks - 1} has" in words
    assert done.stdout.count("WENT ON") == ranks


def test_a_root_that_is_no_rank_is_refused(mpirun: Mpirun) -> None:
    done = mpirun(2, "differing.py", "no-rank")
    assert done.returncode == 0, done.stdout + done.stderr
    assert reported(done)[1][1] == "weights/of/a/layer: root 2 does not exist: there are 2 ranks, numbered from 0"


def test_different_names_end_after_the_stall_time(mpirun: Mpirun) -> None:
    done = mpirun(2, "differing.py", "name")
    said = reported(done)
    assert {code for code, _ in said.values()} == {MISMATCH}
    assert "rank 0 waits in weights/of/a/layer; rank 1 waits in weights/of/another" in said[0][1]
    assert said[1][1].startswith("weights/of/another: ")
    assert done.stdout.count("WENT ON") == 2


def test_a_rank_that_is_late_is_reported_and_waited_for(mpirun: Mpirun) -> None:
    done = mpirun(3, "leaving.py", "late")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("DONE") == 3
    assert "second (allreduce sum float32[1000]): ranks 0, 1 wait for rank 2" in done.stderr


def test_what_waits_for_a_rank_that_has_shut_down_fails(mpirun: Mpirun) -> None:
    done = mpirun(3, "leaving.py", "leaves")
    assert done.returncode != 0
    said = reported(done)
    assert sorted(said) == [0, 1]
    assert {code for code, _ in said.values()} == {SHUT_DOWN}
    assert all("rank 2 has shut down" in words for _, words in said.values())


def test_a_rank_that_exits_with_a_status_ends_the_job_with_it(mpirun: Mpirun) -> None:
    done = mpirun(3, "leaving.py", "raises")
    assert done.returncode == 1
    assert reported(done) == {}
    assert "ddl: rank 2 aborts the job: exited with status 1" in done.stderr


def test_a_rank_that_dies_ends_the_job(mpirun: Mpirun) -> None:
    done = mpirun(3, "leaving.py", "killed", seconds=60)
    assert done.returncode not in (0, 124)
    assert "signal 9" in done.stderr


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_second_initialisation_is_refused_and_changes_nothing(mpirun: Mpirun, ranks: int) -> None:
    done = mpirun(ranks, "leaving.py", "twice")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("DONE") == ranks


def test_mpi_that_was_initialised_elsewhere_is_used_and_not_finalised(mpirun: Mpirun) -> None:
    done = mpirun(2, "leaving.py", "mpi4py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("DONE") == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-mode q:2x1", "the letter must be"),
        ("-mode p:2x", "dimensions are ranks per host x hosts"),
        ("-mode p:3x4", "the dimensions make 12 ranks, and mpirun started 2"),
        ("-mode", "-mode has no value"),
        ("-wire fp8", "-wire is fp16 or bf16"),
        ("-stall soon", "-stall is a number of seconds"),
        ("-explore long", "-explore is a number of seconds"),
    ],
)
def test_options_that_cannot_be_are_refused_on_every_rank(mpirun: Mpirun, options: str, words: str) -> None:
    done = mpirun(2, "plan.py", f'{{"options": "{options}", "collectives": []}}')
    assert done.returncode != 0
    assert done.stderr.count(words) >= 2, done.stderr


def test_options_of_the_old_library_are_ignored_with_a_warning(mpirun: Mpirun) -> None:
    done = mpirun(2, "plan.py", '{"options": "-dump_iter 100 -mode r:2x1 -dev_sync 1", "collectives": []}')
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("option -dump_iter is not known and has no effect") == 1
    assert done.stdout.count("RIGHT") == 2
