"""The engine, compiled once, and real mpirun. Needs g++, libopenmpi-dev and openmpi-bin: `tox -e ddl` says so."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from . import stand_in

PROGRAMS = Path(__file__).parent / "programs"
NATIVE = Path(__file__).parents[2] / "images" / "ddl" / "native"

Finished = subprocess.CompletedProcess[str]
Mpirun = Callable[..., Finished]


def mpirun_argv(ranks: int, *words: str) -> list[str]:
    """mpirun of this machine, with more ranks than processors where need be, whoever the user is."""
    return ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(ranks), *words]


def run_ranks(argv: list[str], variables: dict[str, str], seconds: float) -> Finished:
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", **variables}
    return subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=seconds, check=False, errors="replace"
    )


@pytest.fixture(scope="session")
def build() -> ModuleType:
    """The build program, as a module."""
    spec = importlib.util.spec_from_file_location("ddl_native_build", NATIVE / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def libraries(build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the engine in it."""
    folder = tmp_path_factory.mktemp("libraries")
    build.build_engine(str(folder))
    return folder


@pytest.fixture(scope="session")
def headers(build: ModuleType) -> list[str]:
    """The folders of CUDA's and NCCL's, out of NVIDIA's wheels."""
    found: list[str] = build.find_cuda(sysconfig.get_paths()["purelib"])
    assert found, "NVIDIA's wheels are needed: tox -e ddl installs them"
    return found


@pytest.fixture(scope="session")
def stood_in(build: ModuleType, headers: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the stand-in's libraries."""
    folder = tmp_path_factory.mktemp("stand-in")
    stand_in.compile_stand_in(build, headers, folder)
    return folder


@pytest.fixture(scope="session")
def tensorflow() -> Path:
    """The folder of the TensorFlow that is installed beside the tests."""
    found = importlib.util.find_spec("tensorflow")
    assert found and found.origin, "TensorFlow is needed: tox -e ddl installs it"
    return Path(found.origin).parent


@pytest.fixture(scope="session")
def ops_library(build: ModuleType, libraries: Path, tensorflow: Path) -> Path:
    """The folder with both libraries."""
    build.build_tensorflow_ops(str(libraries), str(tensorflow))
    return libraries


@pytest.fixture
def mpirun(libraries: Path) -> Mpirun:
    """Runs one of the programs on so many ranks: `mpirun(2, "plan.py", …)`."""

    def run(ranks: int, program: str, *words: str, seconds: float = 120, **variables: str) -> Finished:
        argv = mpirun_argv(ranks, sys.executable, str(PROGRAMS / program), *words)
        return run_ranks(argv, {"DDL_ENGINE": str(libraries / "libddl_engine.so"), **variables}, seconds)

    return run


@pytest.fixture
def run_plan(mpirun: Mpirun, tmp_path: Path) -> Callable[..., Finished]:
    """Runs a plan, and asserts that every rank found every value right."""

    def run(ranks: int, plan: dict[str, Any], seconds: float = 120, **variables: str) -> Finished:
        file = tmp_path / "plan.json"
        file.write_text(json.dumps(plan))
        done = mpirun(ranks, "plan.py", f"@{file}", seconds=seconds, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("RIGHT") == ranks, done.stdout + done.stderr
        return done

    return run
