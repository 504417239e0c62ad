"""Variables made in every way, gradients of every kind, under a script's own `ddl.py`: all ranks agree."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

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

Said = dict[str, dict[str, list[str]]]


@pytest.fixture(scope="module", params=IMAGES)
def said(
    request: pytest.FixtureRequest,
    bench: Bench,
    document: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Said:
    """What two ranks of the program printed: the values of each fact by rank."""
    folder = tmp_path_factory.mktemp("program")
    folder.chmod(0o755)
    shutil.copy(PROGRAM, folder)
    (folder / "ddl.py").write_text(document["ddl.py"])
    argv = [
        *("docker", "run", "--rm", "--init", "--network", "none", "--shm-size", "512m"),
        *("--volume", f"{folder}:/program:ro", "--workdir", "/program", "--env", "DDL_OPTIONS=-mode p:2x1"),
        *("--env", "OMPI_MCA_btl_vader_single_copy_mechanism=none", bench.built(request.param)),
        *("timeout", "120", "mpirun", "--oversubscribe", "-np", "2", "-x", "DDL_OPTIONS", "python", PROGRAM.name),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no gradient, so left as they are: unused:0" in done.stderr
    found: Said = {}
    for line in done.stdout.splitlines():
        what, rank, value = line.split(" ", 2)
        found.setdefault(what, {}).setdefault(rank, []).append(value)
    return found


@pytest.mark.parametrize("when", ["first", "last"])
def test_both_ranks_have_the_same_values(said: Said, when: str) -> None:
    assert said[when]["0"] == said[when]["1"]
    assert len(said[when]["0"]) == 1


def test_training_moved_them(said: Said) -> None:
    assert said["first"] != said["last"]


def test_what_is_not_trained_stays_each_ranks_own(said: Said) -> None:
    assert said["own"] == {"0": ["[0.0]"], "1": ["[1.0]"]}


def test_the_scripts_own_init_makes_those_that_it_means_to(said: Said) -> None:
    assert said["by_ddl"] == {rank: ["by_name", "by_function", "got"] for rank in ("0", "1")}


def test_what_it_places_on_a_gpu_runs_without_one(said: Said) -> None:
    assert all("gpu:0" in device.lower() for devices in said["asked"].values() for device in devices)
