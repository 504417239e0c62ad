"""ddl over real mpirun, in the image: two and three ranks on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "ddl_programs"


def mpirun(image: str, ranks: int, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [
        *("docker", "run", "--rm", "--init", "--network", "none", "--shm-size", "512m"),
        *("--volume", f"{PROGRAMS}:/programs:ro", "--env", f"DDL_OPTIONS=-mode p:1x{ranks}"),
        *("--env", "OMPI_MCA_btl_vader_single_copy_mechanism=none", image),
        *("timeout", "120", "mpirun", "--oversubscribe", "--np", str(ranks), "-x", "DDL_OPTIONS"),
        *("python", f"/programs/{words[0]}", *words[1:]),
    ]
    return subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)


def test_reductions_give_numpys_values(image: str) -> None:
    done = mpirun(image, 2, "reductions.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("right") == 16


@pytest.mark.parametrize("way", ["fit", "fit-deferred", "function", "function-deferred", "apply", "scaled", "two"])
def test_ranks_that_start_apart_end_with_the_weights_of_one_process(image: str, way: str) -> None:
    done = mpirun(image, 3 if way == "fit" else 2, "same_weights.py", way)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("way", ["raise", "exit", "fewer-steps", "in-step"])
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
