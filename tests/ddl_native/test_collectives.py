"""`ddl`'s own functions over real mpirun, on NumPy's arrays and TensorFlow's tensors. PyTorch's: tests/ddl_torch."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import NATIVE, PROGRAMS, Finished, mpirun_argv, run_ranks

Ranks = Callable[..., Finished]


@pytest.fixture
def ranks(ops_library: Path) -> Ranks:
    """Runs a program with the package: ``ranks(2, "gradients.py", "eager")``."""

    def run(number: int, program: str, *words: str) -> Finished:
        argv = mpirun_argv(number, sys.executable, str(PROGRAMS / program), *words)
        variables = {
            "DDL_OPTIONS": f"-mode b:{number}x1 -stall 8",
            "LD_LIBRARY_PATH": str(ops_library),
            "PYTHONPATH": str(NATIVE.parent),
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        return run_ranks(argv, variables, 300)

    return run


def right(done: Finished, ranks: int) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == ranks, done.stdout + done.stderr


@pytest.mark.parametrize("way", ["eager", "function", "graph"])
def test_gradients_are_those_of_all_ranks_losses(ranks: Ranks, way: str) -> None:
    right(ranks(3, "gradients.py", way), 3)


@pytest.mark.parametrize("way", ["numpy", "tensorflow"])
def test_broadcasts_from_every_rank_are_exact(ranks: Ranks, way: str) -> None:
    right(ranks(3, "broadcasts.py", way), 3)


DIFFERENCES = {
    "numpy": {
        "shape": ("ranks 0, 1 have broadcast from 0 float64[2,3]", "rank 2 has broadcast from 0 float64[3,2]"),
        "dtype": ("broadcast from 0 float32[2]", "broadcast from 0 int32[2]"),
        "fields": ("('b', '<f4')][2]", "('c', '<f4')][2]"),
        "root": ("broadcast from 0 object", "broadcast from 1 object"),
        "number": ("allreduce avg float64[] float64[]", "allreduce avg float64[]"),
        "sum": ("allreduce sum uint8[2]", "allreduce sum int32[2]"),
        "complex": ("allreduce avg complex64[2,3]", "allreduce avg complex64[3,2]"),
        "name": ("bcast the weights: ranks differ", "float64[3]"),
    },
    "tensorflow": {
        "variable": ("value of w: ranks differ", "broadcast from 0 float32[3,2]", "(w:0 on this rank)"),
        "read": ("value of r: ranks differ", "broadcast from 0 float32[3,2]", "(r:0 on this rank)"),
        "tensor": ("ranks 0, 1 have broadcast from 0 float32[2,3]", "rank 2 has broadcast from 0 float32[3,2]"),
        "dtype": ("broadcast from 0 float32[2]", "broadcast from 0 int32[2]"),
        "bool": ("broadcast from 0 uint8[2]", "broadcast from 0 bool[2]"),
        "complex": ("broadcast from 0 float64[1]", "broadcast from 0 complex64[1]"),
        "root": ("broadcast from 0 float32[2]", "broadcast from 1 float32[2]"),
        "function": ("broadcast from 0 float32[2,3]", "broadcast from 0 float32[3,2]"),
        "sum": ("allreduce sum uint8[2]", "allreduce sum int32[2]"),
        "kind": ("broadcast from 0 float32[2]", "broadcast from 0 object"),
    },
}


@pytest.mark.parametrize("way", DIFFERENCES)
def test_a_mismatch_is_reported_on_all_ranks(ranks: Ranks, way: str) -> None:
    done = ranks(3, "unlike.py", way)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("WENT ON") == 3
    assert "NOTHING" not in done.stdout
    for what, words in DIFFERENCES[way].items():
        reported = re.findall(rf"^REPORTED {what} \d (.*)$", done.stdout, re.MULTILINE)
        assert len(reported) == 3, done.stdout
        assert all(word in line for line in reported for word in words), (what, reported)


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("way", ["named", "ordered", "short", "unnamed-cross"])
def test_threads_never_get_each_others_arrays(ranks: Ranks, way: str, number: int) -> None:
    right(ranks(number, "threads.py", way), number)


@pytest.mark.parametrize("way", ["named", "unnamed-cross", "function", "variables"])
def test_threads_never_get_each_others_tensors(ranks: Ranks, way: str) -> None:
    right(ranks(2, "threads.py", f"tensorflow-{way}"), 2)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("sequential", ()), ("functional", ("bare",)), ("subclass", ("optimizer=SGD",)), ("sequential", ("bare",))],
)
def test_rank_0_may_load_a_model_that_the_others_build(
    ranks: Ranks, tmp_path: Path, kind: str, words: tuple[str, ...]
) -> None:
    right(ranks(2, "rank_0_loads.py", kind, str(tmp_path), *words), 2)
