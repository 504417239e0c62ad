"""The ops in the TensorFlow that is installed beside the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .conftest import PROGRAMS, mpirun_argv, run_ranks


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("way", ["graph", "orders", "two_graphs", "eager", "retraced", "gpu_placed"])
def test_ops_give_numpys_values(ops_library: Path, ranks: int, way: str) -> None:
    argv = mpirun_argv(ranks, sys.executable, str(PROGRAMS / "tensorflow_ops.py"), way)
    done = run_ranks(argv, {"LD_LIBRARY_PATH": str(ops_library)}, 300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == ranks


@pytest.mark.parametrize("way", ["difference", "before_init"])
def test_errors_are_tensorflows_own(ops_library: Path, way: str) -> None:
    argv = mpirun_argv(2, sys.executable, str(PROGRAMS / "tensorflow_ops.py"), way)
    done = run_ranks(argv, {"LD_LIBRARY_PATH": str(ops_library)}, 300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 2
