"""ddl over real mpirun, in the image: two and three ranks on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "ddl_programs"


def slow(way: str) -> object:
    """A parameter for `tox -e slow`."""
    return pytest.param(way, marks=pytest.mark.slow)


def run(image: str, *words: str, options: str = "") -> subprocess.CompletedProcess[str]:
    argv = [
        *("docker", "run", "--rm", "--init", "--network", "none", "--shm-size", "512m"),
        *("--volume", f"{PROGRAMS}:/programs:ro", "--env", f"DDL_OPTIONS={options}"),
        *("--env", "OMPI_MCA_btl_vader_single_copy_mechanism=none", image, "timeout", "300", *words),
    ]
    return subprocess.run(argv, capture_output=True, text=True, timeout=330, check=False)


def mpirun(image: str, ranks: int, *words: str) -> subprocess.CompletedProcess[str]:
    argv = ["mpirun", "--oversubscribe", "--np", str(ranks), "-x", "DDL_OPTIONS", "python", f"/programs/{words[0]}"]
    return run(image, *argv, *words[1:], options=f"-mode p:1x{ranks}")


def test_reductions_give_numpys_values(image: str) -> None:
    done = mpirun(image, 2, "reductions.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("right") == 16


@pytest.mark.parametrize("way", ["fit", "function", *map(slow, ("eager", "fit-deferred", "apply", "scaled", "two"))])
def test_ranks_that_start_apart_end_with_the_weights_of_one_process(image: str, way: str) -> None:
    done = mpirun(image, 3 if way == "fit" else 2, "same_weights.py", way)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("way", ["gradients-in-function", *map(slow, ("tape-alone", "two-sessions"))])
def test_variables_made_in_every_way_are_the_same_on_all_ranks(image: str, way: str) -> None:
    done = mpirun(image, 3 if way == "two-sessions" else 2, "every_variable.py", way)
    assert done.returncode == 0, done.stdout + done.stderr


def test_callbacks_and_shares_of_data(image: str) -> None:
    done = mpirun(image, 2, "callbacks.py")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("way", ["raise", "in-step", *map(slow, ("exit", "fewer-steps"))])
def test_a_rank_that_ends_early_ends_the_job(image: str, way: str) -> None:
    done = mpirun(image, 2, "ending_early.py", way)
    assert done.returncode not in (0, 124), done.stdout + done.stderr
    if way == "raise":
        assert "rank 0: reached the end" not in done.stdout


def test_a_job_in_which_all_is_well_ends_well(image: str) -> None:
    done = mpirun(image, 2, "ending_early.py", "all-well")
    assert done.returncode == 0, done.stdout + done.stderr


def test_rank_0_may_evaluate_alone(image: str) -> None:
    done = mpirun(image, 2, "rank_0_alone.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_ddlrun_starts_the_ranks_and_shows_how(image: str) -> None:
    program = "import ddl; print(f'{ddl.rank()} {ddl.size()} {ddl.bcast(ddl.rank())}\\n', end='')"
    done = run(image, "ddlrun", "--verbose", "--accelerators", "2", "-m", "b", "python", "-c", program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(done.stdout.splitlines()) == ["0 2 0", "1 2 0"]
    assert "rank 1=localhost slot=" in done.stderr
    assert "DDL_OPTIONS='-mode b:2x1' mpirun --np 2 --rankfile /tmp/ddlrun-" in done.stderr
    assert "ddl: rank 1 of 2, host 1 of 1, -mode b:2x1" in done.stderr


def test_ddlrun_has_the_programs_exit_status_and_its_own(image: str) -> None:
    assert run(image, "ddlrun", "sh", "-c", "exit 7").returncode == 7
    nowhere = run(image, "ddlrun", "-H", "nowhere.invalid", "true")
    assert nowhere.returncode == 3
    assert nowhere.stderr.startswith("error: nowhere.invalid: ")
    assert "next: make `ssh nowhere.invalid true` work" in nowhere.stderr
