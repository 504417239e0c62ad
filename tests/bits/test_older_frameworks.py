"""ddl on TensorFlow 2.15, whose Keras is the second: the programs that run on today's in `tests/real`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent.parent / "real" / "ddl_programs"


@pytest.fixture(scope="module")
def image() -> str:
    """TensorFlow 2.15 with ddl, built and proved."""
    argv = [sys.executable, "-m", "toolkit", "build", "--json", "--image", "tensorflow-ddl-2.15-py3.11-cpu"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=1800).stdout
    reference: str = json.loads(said)["image"]["reference"]
    return reference


def mpirun(image: str, *words: str) -> None:
    argv = [
        *("docker", "run", "--rm", "--init", "--network", "none", "--shm-size", "512m"),
        *("--volume", f"{PROGRAMS}:/programs:ro", "--env", "DDL_OPTIONS=-mode p:1x2"),
        *("--env", "OMPI_MCA_btl_vader_single_copy_mechanism=none", image),
        *("timeout", "120", "mpirun", "--oversubscribe", "--np", "2", "-x", "DDL_OPTIONS"),
        *("python", f"/programs/{words[0]}", *words[1:]),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "way", ["fit", "fit-eagerly", "fit-deferred", "function", "function-deferred", "eager", "scaled", "two", "legacy"]
)
def test_ranks_that_start_apart_end_with_the_weights_of_one_process(image: str, way: str) -> None:
    mpirun(image, "same_weights.py", way)


@pytest.mark.parametrize(
    "way",
    [
        *("tape", "tape-in-function", "tape-alone", "gradients-in-function"),
        *("optimizer-1-eager", "session", "monitored", "two-sessions"),
    ],
)
def test_variables_made_in_every_way_are_the_same_on_all_ranks(image: str, way: str) -> None:
    mpirun(image, "every_variable.py", way)


@pytest.mark.parametrize("program", ["reductions.py", "rank_0_alone.py", "callbacks.py"])
def test_what_holds_on_keras_3_holds_on_keras_2(image: str, program: str) -> None:
    mpirun(image, program)
