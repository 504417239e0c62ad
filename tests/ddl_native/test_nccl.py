"""Tensors on GPUs. There is none here: the NCCL library is compiled with the packaged headers, linked with the packaged
libraries, and run over a stand-in for both (`stand_in.py`). Nothing here has run on a GPU.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from . import stand_in
from .conftest import NATIVE, PROGRAMS, Finished, mpirun_argv, run_ranks
from .test_values import every_type

PACKAGES = Path(sysconfig.get_paths()["purelib"])
FAILED, MISMATCH = 5, 3
RunOnGpus = Callable[..., Finished]


@pytest.fixture(scope="session")
def with_nccl(build: ModuleType, headers: list[str], libraries: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the engine and the NCCL library, as in an image for GPUs."""
    folder = tmp_path_factory.mktemp("with-nccl")
    shutil.copy(libraries / build.ENGINE, folder)
    build.build_nccl(str(folder), headers, ["-Wextra", "-Werror"], ["-Wl,--no-undefined"])
    return folder


@pytest.fixture(scope="session")
def ops_library(build: ModuleType, headers: list[str], with_nccl: Path, tensorflow: Path) -> Path:
    """The folder with TensorFlow's ops besides, their kernels for tensors on GPUs among them."""
    build.build_tensorflow_ops(str(with_nccl), str(tensorflow), headers)
    return with_nccl


@pytest.fixture
def on_gpus(with_nccl: Path, stood_in: Path) -> RunOnGpus:
    """Carries out a plan with tensors on the stand-in's GPUs. `alone`: what the last rank's environment has else."""

    def run(
        ranks: int, plan: dict[str, object], alone: dict[str, str] | None = None, seconds: float = 120, **others: str
    ) -> Finished:
        program = [sys.executable, str(PROGRAMS / "gpu_plan.py"), json.dumps(plan)]
        argv = mpirun_argv(ranks if alone is None else ranks - 1, *program)
        if alone is not None:
            argv += [":", "-np", "1", "env", *(f"{name}={value}" for name, value in alone.items()), *program]
        engine = str(with_nccl / "libddl_engine.so")
        return run_ranks(argv, stand_in.variables(stood_in, DDL_ENGINE=engine, **others), seconds)

    return run


def ways(done: Finished) -> list[str]:
    """How each rank that has a GPU reduced what was there."""
    return re.findall(r"^BY \d+ (\w+)$", done.stdout, re.MULTILINE)


def reductions(elements: int, kinds: tuple[str, ...] = ("float32", "float64", "int32", "int64")) -> list[object]:
    """Each reduction of each type that the stand-in can reduce, and a broadcast of each."""
    reduced = [one for one in every_type(elements) if one["tensors"][0][0] in kinds]
    sent = [
        {"name": f"{kind} from {root}", "kind": "broadcast", "root": root, "tensors": [[kind, [elements]]]}
        for root, kind in enumerate((*kinds, "uint8"))
    ]
    return [*reduced, *sent]


def test_every_function_that_is_used_is_in_the_packaged_libraries(headers: list[str], tmp_path: Path) -> None:
    libraries = [PACKAGES / "nvidia/cuda_runtime/lib" / stand_in.CUDA, PACKAGES / "nvidia/nccl/lib" / stand_in.NCCL]
    program = tmp_path / "symbols"
    words = ["g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-Wl,--no-as-needed", "-I", str(NATIVE)]
    words += [word for place in headers for word in ("-isystem", place)]
    words += [str(PROGRAMS / "symbols.cc"), *map(str, libraries), "-o", str(program)]
    words += [f"-Wl,-rpath,{library.parent}" for library in libraries]
    subprocess.run(words, check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"[1-9]\d there, 0 missing\n", done.stdout)


@pytest.mark.parametrize("name", ["nvidia-nccl-cu12", "nvidia-cuda-runtime-cu12", "nvidia-cuda-nvcc-cu12"])
def test_the_wheels_are_those_of_the_image(name: str) -> None:
    lock = (NATIVE.parents[1] / "tensorflow/locks/2.19-py3.11-cuda.lock").read_text()
    assert f" {name} {importlib.metadata.version(name)} " in lock


def test_the_packaged_libraries_are_found_beside_numpy_and_say_why_there_is_no_gpu(with_nccl: Path) -> None:
    argv = mpirun_argv(2, sys.executable, str(PROGRAMS / "plan.py"), '{"options": "-mode n:2x1", "collectives": []}')
    # Without a GPU to be seen, whether this machine has a driver or not.
    hidden = {"DDL_ENGINE": str(with_nccl / "libddl_engine.so"), "CUDA_VISIBLE_DEVICES": ""}
    done = run_ranks(argv, hidden, 120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("ddl: -mode n: no rank has a GPU (cudaGetDeviceCount: ") == 1, done.stderr


def test_they_are_found_before_a_framework_is_imported(with_nccl: Path) -> None:
    program = "import sys, ddl; assert not {'tensorflow', 'keras', 'torch'} & sys.modules.keys()"
    argv = mpirun_argv(2, sys.executable, "-c", program)
    package = {"PYTHONPATH": str(NATIVE.parent), "LD_LIBRARY_PATH": str(with_nccl), "DDL_OPTIONS": "-mode n:2x1"}
    done = run_ranks(argv, {**package, "CUDA_VISIBLE_DEVICES": ""}, 120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("ddl: -mode n: no rank has a GPU (cudaGetDeviceCount: ") == 1, done.stderr


def test_without_the_library_an_engine_says_so_only_where_nccl_was_asked_for(
    libraries: Path, mpirun: RunOnGpus
) -> None:
    done = mpirun(2, "plan.py", '{"options": "-mode n:2x1", "collectives": []}')
    assert done.stderr.count("ddl: -mode n: no rank has a GPU (libddl_nccl.so: ") == 1, done.stderr
    assert mpirun(2, "plan.py", '{"options": "-mode b:2x1", "collectives": []}').stderr == ""


def test_the_same_bytes_come_out_wherever_the_sources_and_the_headers_lie(
    build: ModuleType, with_nccl: Path, headers: list[str], tmp_path: Path
) -> None:
    shutil.copytree(NATIVE, tmp_path / "a folder" / "native")
    moved = [tmp_path / "headers" / str(number) for number, _ in enumerate(headers)]
    for place, copied in zip(headers, moved, strict=True):
        shutil.copytree(place, copied)
    program = "import build, sys; build.build_nccl(sys.argv[1], sys.argv[2:], ['-Wextra', '-Werror'])"
    argv = [sys.executable, "-c", program, str(tmp_path), *map(str, moved)]
    subprocess.run(argv, cwd=tmp_path / "a folder" / "native", check=True, timeout=600)
    assert (tmp_path / build.NCCL).read_bytes() == (with_nccl / build.NCCL).read_bytes()


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("mode", ["n", "p"])
def test_stand_in_nccl_gives_numpys_values_in_any_order(on_gpus: RunOnGpus, ranks: int, mode: str) -> None:
    mixed = {"name": "mixed", "op": "min", "tensors": [["float32", [3, 5]], ["int64", [0]], ["float64", [700]]]}
    collectives = [*reductions(5), *reductions(70_001), mixed, {"name": "nothing", "tensors": [["float32", [0]]]}]
    options = f"-mode {mode}:{ranks}x1"
    done = on_gpus(ranks, {"options": options, "collectives": collectives, "shuffle": True, "rounds": 2})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == ranks
    assert ways(done) == ["nccl"] * ranks


@pytest.mark.parametrize("mode", ["b", "r", "m"])
def test_other_modes_stage_gpu_tensors_through_host_memory(on_gpus: RunOnGpus, mode: str) -> None:
    collectives = [*every_type(5), *every_type(70_001), *reductions(9)]
    done = on_gpus(2, {"options": f"-mode {mode}:2x1", "collectives": collectives, "shuffle": True, "rounds": 2})
    assert done.returncode == 0, done.stdout + done.stderr
    assert ways(done) == ["host"] * 2


@pytest.mark.parametrize("in_place", [True, False])
def test_results_lie_where_they_were_asked_for(on_gpus: RunOnGpus, in_place: bool) -> None:
    one = {"name": "one", "tensors": [["float32", [1000]], ["float32", [10]]], "in_place": in_place}
    for mode in ("n", "b"):
        done = on_gpus(2, {"options": f"-mode {mode}:2x1", "collectives": [one], "rounds": 3})
        assert done.returncode == 0, done.stdout + done.stderr


def test_one_rank_without_nccl_stages_all_through_host_memory(
    on_gpus: RunOnGpus, stood_in: Path, tmp_path: Path
) -> None:
    shutil.copy(stood_in / stand_in.CUDA, tmp_path)
    (tmp_path / stand_in.NCCL).write_text("no library")
    plan = {"options": "-mode n:1x3", "collectives": reductions(999)}
    done = on_gpus(3, plan, alone=stand_in.variables(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ways(done) == ["host"] * 3
    assert done.stderr.count("no NCCL: GPU tensors are staged through host memory: rank 2: ") == 1, done.stderr


def test_ranks_without_a_gpu_reduce_with_the_others_in_host_memory(on_gpus: RunOnGpus) -> None:
    plan = {"options": "-mode p:1x3", "on_host": [2], "collectives": reductions(999), "shuffle": True}
    done = on_gpus(3, plan, alone={"STAND_IN_GPUS": "0"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 3
    assert ways(done) == ["host"] * 2
    assert "through host memory: rank 2: cudaGetDeviceCount: no device" in done.stderr


def test_two_ranks_on_one_gpu_are_reported_and_staged_through_host_memory(on_gpus: RunOnGpus) -> None:
    done = on_gpus(4, {"options": "-mode n:4x1", "collectives": reductions(99)}, STAND_IN_GPUS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ways(done) == ["host"] * 4
    assert "ranks 0 and 1 share one GPU (and 2 more)" in done.stderr


def test_one_rank_that_cannot_connect_does_not_leave_the_others_waiting(on_gpus: RunOnGpus) -> None:
    plan = {"options": "-mode n:3x1", "collectives": reductions(99)}
    done = on_gpus(3, plan, STAND_IN_NCCL_FAILS="connect 1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ways(done) == ["host"] * 3
    assert "through host memory: rank 1: ncclCommInitRankConfig: " in done.stderr


def test_nccl_that_fails_ends_the_job_and_says_so(on_gpus: RunOnGpus) -> None:
    one = {"name": "one", "tensors": [["float32", [100_000]]]}
    plan = {"options": "-mode n:2x1", "collectives": [one], "rounds": 50}
    done = on_gpus(2, plan, STAND_IN_NCCL_FAILS="reduce 1")
    assert done.returncode not in (0, 124)
    assert "stand-in: the communicator is ended" in done.stderr
    assert "ddl: rank 1 aborts the job: NCCL: an error (a stand-in's)" in done.stderr


def test_a_rank_that_dies_among_nccls_collectives_ends_the_job(on_gpus: RunOnGpus) -> None:
    one = {"name": "one", "tensors": [["float32", [100_000]]]}
    done = on_gpus(3, {"options": "-mode n:3x1", "collectives": [one], "rounds": 500, "killed": 2}, seconds=60)
    assert done.returncode not in (0, 124)
    assert "signal 9" in done.stderr


def test_a_rank_that_waits_for_nccl_reports_it_and_continues(on_gpus: RunOnGpus) -> None:
    one = {"name": "one", "tensors": [["float32", [1000]]]}
    plan = {"options": "-mode n:3x1 -stall 0.5", "collectives": [one], "rounds": 3}
    done = on_gpus(3, plan, STAND_IN_NCCL_LATE="2 2.2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 3
    reported = re.findall(r"^ddl: rank (\d) has waited (\d) s for NCCL to reduce (\w+)$", done.stderr, re.MULTILINE)
    assert {(rank, name) for rank, _, name in reported} == {(str(rank), "one") for rank in range(3)}, done.stderr


def test_a_tensor_on_a_gpu_does_not_meet_one_on_a_host_in_nccl(on_gpus: RunOnGpus) -> None:
    plan = {"options": "-mode n:2x1", "on_host": [1], "collectives": [{"name": "one", "tensors": [["float32", [7]]]}]}
    done = on_gpus(2, plan)
    assert done.returncode != 0
    differ = "rank 0 has allreduce sum float32[7] on GPUs; rank 1 has allreduce sum float32[7]"
    assert f"REPORTED 0 {MISMATCH} one: ranks differ: {differ}" in done.stdout


def test_a_tensor_on_anothers_gpu_is_refused(on_gpus: RunOnGpus) -> None:
    plan = {"options": "-mode n:2x1", "on_first": True, "collectives": [{"name": "one", "tensors": [["float32", [7]]]}]}
    done = on_gpus(2, plan)
    assert f"REPORTED 1 {FAILED} one: the tensor is on GPU 0, but this rank uses GPU 1" in done.stdout


def host_memory(done: Finished) -> dict[str, list[str]]:
    """By op: which of its kernel's tensors are in the host's memory, where the op is placed on a GPU."""
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_tensorflow_gets_kernels_for_gpus_memory_only_where_a_gpu_is_seen(ops_library: Path, stood_in: Path) -> None:
    argv = [sys.executable, str(PROGRAMS / "tensorflow_kernels.py")]
    here = run_ranks(argv, {"LD_LIBRARY_PATH": str(ops_library), "CUDA_VISIBLE_DEVICES": ""}, 120)
    assert host_memory(here) == {"Bcast": ["x", "y"], "AllReduce": ["x", "y"], "AllReduceN": ["xs", "ys"]}
    there = run_ranks(argv, {"LD_LIBRARY_PATH": f"{ops_library}:{stood_in}"}, 120)
    assert host_memory(there) == {"Bcast": [], "AllReduce": [], "AllReduceN": []}


def test_beside_nccl_tensorflows_tensors_in_the_hosts_memory_go_as_ever(ops_library: Path, stood_in: Path) -> None:
    argv = mpirun_argv(2, sys.executable, str(PROGRAMS / "tensorflow_ops.py"), "graph")
    done = run_ranks(argv, {"LD_LIBRARY_PATH": f"{ops_library}:{stood_in}"}, 300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 2
