"""The engine, compiled once, and PyTorch's programs over real mpirun. Needs g++, libopenmpi-dev and openmpi-bin."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
SHARED = Path(__file__).parents[1] / "ddl_native" / "programs"
PACKAGE = Path(__file__).parents[2] / "images" / "ddl"

Finished = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the engine in it: without TensorFlow, build.py makes nothing else."""
    folder = tmp_path_factory.mktemp("libraries")
    subprocess.run([sys.executable, PACKAGE / "native" / "build.py", folder], check=True, capture_output=True)
    return folder


@pytest.fixture
def ranks(libraries: Path) -> Callable[..., Finished]:
    """Runs a program under mpirun, on more ranks than processors where need be: ``ranks(2, "training.py", "ddp")``."""

    def run(number: int, *words: str) -> Finished:
        environment = {
            **os.environ,
            "DDL_OPTIONS": f"-mode p:{number}x1",
            "LD_LIBRARY_PATH": str(libraries),
            "OMP_NUM_THREADS": "1",
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "PYTHONPATH": str(PACKAGE),
        }
        argv = ["mpirun", "--oversubscribe", "--bind-to", "none", "--np", str(number), sys.executable]
        # A program of tests/ddl_native is for every framework.
        program = next(folder / words[0] for folder in (PROGRAMS, SHARED) if (folder / words[0]).exists())
        return subprocess.run(
            [*argv, str(program), *words[1:]],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
