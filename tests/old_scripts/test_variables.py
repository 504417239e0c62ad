"""Variables made in every way, gradients of every kind, under a script's own `ddl.py`: all ranks agree."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from .conftest import Bench

pytestmark = pytest.mark.timeout(2400)

PROGRAM = Path(__file__).parent / "programs" / "variables.py"
IMAGES = [
    "tensorflow-ddl-1.5-py3.5-cpu",
    "tensorflow-ddl-1.5-py2.7-cpu",
    "tensorflow-ddl-2.19-py3.11-tf1-cpu",
    "tensorflow-ddl-2.21-py3.13-tf1-cpu",
]

Facts = dict[str, Any]


@pytest.fixture(scope="module", params=IMAGES)
def ranks(
    request: pytest.FixtureRequest,
    bench: Bench,
    document: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Facts, Facts]:
    """What each of two ranks of the program found."""
    folder = tmp_path_factory.mktemp("program")
    folder.chmod(0o777)  # the image has a user of its own
    shutil.copy(PROGRAM, folder)
    (folder / "ddl.py").write_text(document["ddl.py"])
    argv = [
        *("docker", "run", "--rm", "--init", "--network", "none", "--shm-size", "512m"),
        *("--volume", f"{folder}:/program", "--workdir", "/program", "--env", "RESULT_DIR=/program"),
        *("--env", "DDL_OPTIONS=-mode p:2x1", "--env", "OMPI_MCA_btl_vader_single_copy_mechanism=none"),
        bench.built(request.param),
        *("timeout", "240", "mpirun", "--oversubscribe", "-np", "2", "python", PROGRAM.name),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no gradient, so left unchanged: unused:0" in done.stderr
    zero, one = (json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1))
    return zero, one


@pytest.mark.parametrize("when", ["first", "last"])
def test_both_ranks_have_the_same_values(ranks: tuple[Facts, Facts], when: str) -> None:
    assert ranks[0][when] == ranks[1][when]


def test_training_moved_them(ranks: tuple[Facts, Facts]) -> None:
    assert ranks[0]["first"] != ranks[0]["last"]


def test_what_is_not_trained_stays_each_ranks_own(ranks: tuple[Facts, Facts]) -> None:
    assert [facts["of_the_rank"] for facts in ranks] == [0.0, 1.0]


def test_the_scripts_own_init_makes_the_variables_that_it_means_to(ranks: tuple[Facts, Facts]) -> None:
    made = ["by_name", "by_function", "got"]
    assert [facts["given_a_broadcast_by_ddl"] for facts in ranks] == [made, made]


def test_what_is_placed_on_a_gpu_runs_without_one(ranks: tuple[Facts, Facts]) -> None:
    assert all("gpu:0" in facts["device"].lower() for facts in ranks)
