"""ddl's native library as an image has it: the engine by its C interface, and the ops in the image's TensorFlow."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "ddl_native" / "programs"


def in_image(image: str, ranks: int, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [
        *("docker", "run", "--rm", "--init", "--network", "none", "--shm-size", "512m"),
        *("--volume", f"{PROGRAMS}:/programs:ro", "--env", "DDL_ENGINE=libddl_engine.so"),
        *("--env", "OMPI_MCA_btl_vader_single_copy_mechanism=none", image, "timeout", "120"),
        *("mpirun", "--oversubscribe", "-np", str(ranks), "python", f"/programs/{words[0]}", *words[1:]),
    ]
    return subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)


def test_the_engine_gives_numpys_values_in_any_order(image: str) -> None:
    tensors = [
        {"name": f"{kind} {op}", "op": op, "tensors": [[kind, [7, 1001]], [kind, []]]}
        for kind in ("float16", "bfloat16", "float32", "float64")
        for op in ("sum", "avg", "min", "max")
    ]
    small = [{"name": f"small {number}", "tensors": [["int64", [number % 9]]]} for number in range(500)]
    plan = {"options": "-mode p:1x3", "shuffle": True, "rounds": 2, "collectives": [*tensors, *small]}
    done = in_image(image, 3, "plan.py", json.dumps(plan))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 3


def test_a_difference_between_ranks_names_the_tensor_on_both(image: str) -> None:
    done = in_image(image, 2, "differing.py", "shape")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("weights/of/a/layer: ranks differ: rank 0 has allreduce sum float32[2,3]") == 2


def test_the_ops_give_numpys_values_in_a_graph(image: str) -> None:
    done = in_image(image, 2, "tensorflow_ops.py", "graph")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 2


def test_no_compiler_is_in_the_image(image: str) -> None:
    command = "ls /opt/ddl/lib; command -v g++ cc1plus mpicc || echo none"
    argv = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", command]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["ddl_MDR.so", "libddl_engine.so", "none"]
