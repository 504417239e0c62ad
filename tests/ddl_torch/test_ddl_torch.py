"""ddl on PyTorch, over real mpirun."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    "way", ["distribute", "accumulate", "average", "momentum", "sparse", "ddp", "ddp-import-first"]
)
def test_ranks_that_start_apart_end_with_the_weights_of_one_process(ranks: Callable, way: str) -> None:
    done = ranks(3 if way == "distribute" else 2, "training.py", way)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("differ from one process's by") >= 2


@pytest.mark.parametrize("number", [2, 3])
def test_collectives_give_what_all_ranks_values_make(ranks: Callable, number: int) -> None:
    done = ranks(number, "collectives.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("right") == number


def test_gradients_through_collectives_are_those_of_all_ranks_losses(ranks: Callable) -> None:
    done = ranks(3, "gradients.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("right") == 3


def test_broadcasts_from_every_rank_are_exact_and_so_is_gathering(ranks: Callable) -> None:
    done = ranks(3, "broadcasts.py", "torch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 3


def test_what_ranks_differ_about_is_reported_to_all(ranks: Callable) -> None:
    done = ranks(3, "unlike.py", "torch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("WENT ON") == 3
    assert "NOTHING" not in done.stdout
    for what, one, other in (
        ("dtype", "ranks 0, 1 have broadcast from 0 float32[2]", "rank 2 has broadcast from 0 int32[2]"),
        ("shape", "broadcast from 0 float32[2,3]", "broadcast from 0 float32[3,2]"),
        ("root", "broadcast from 0 float32[2]", "broadcast from 1 float32[2]"),
        ("sum", "allreduce sum uint8[2]", "allreduce sum int32[2]"),
        ("model", "value of weight of model 1: ranks differ", "float32[3,2]"),
        ("group", "broadcast from 1 float32[2,3]", "broadcast from 1 float32[3,2]"),
        ("gather", "float32[2]", "float32[3]"),
    ):
        reported = [line for line in done.stdout.splitlines() if line.startswith(f"REPORTED {what} ")]
        assert len(reported) == 3, done.stdout
        assert all(one in line and other in line for line in reported), reported


@pytest.mark.parametrize("way", ["torch-named", "torch-ordered", "torch-short", "torch-unnamed-cross"])
def test_threads_never_get_each_others_tensors(ranks: Callable, way: str) -> None:
    done = ranks(2, "threads.py", way)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 2


def test_a_checkpoint_that_rank_0_has_read_is_everybodys_with_the_optimizers_state(ranks: Callable) -> None:
    done = ranks(2, "training.py", "restore")
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_rank_trains_as_without_ddl(ranks: Callable) -> None:
    done = ranks(1, "training.py", "distribute")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("too-often", "2 times before step(): pass accumulate=N to ddl.torch.distribute"),
        ("unlike", "value of second.weight of model 1"),
        ("another-optimizer", "this step of SGD would use a gradient of table.weight that is not averaged"),
    ],
)
def test_what_cannot_be_ends_the_job_and_says_what_it_is_about(ranks: Callable, way: str, says: str) -> None:
    done = ranks(2, "training.py", way)
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
def test_workers_that_load_data_may_import_ddl(ranks: Callable, way: str) -> None:
    done = ranks(2, "workers.py", way)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("right") == 2
    assert done.stderr.count("ddl: rank ") == 2, done.stderr


def test_a_forked_child_that_trains_its_ranks_model_is_reported_and_alone_fails(ranks: Callable) -> None:
    done = ranks(2, "workers.py", "child")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("right") == 2
    for rank in range(2):
        assert f"this process was forked by rank {rank}'s (process " in done.stderr
