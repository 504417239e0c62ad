"""What comes out of a collective is what NumPy says, on any number of ranks, in any order, by any algorithm."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import PROGRAMS, mpirun_argv, run_ranks

RunPlan = Callable[..., CompletedProcess[str]]

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int32", "int64")
RANKS = (1, 2, 3, 4, 8)

shapes = st.lists(st.integers(0, 40), max_size=3) | st.lists(st.integers(1, 3000), min_size=1, max_size=1)
reduced = st.tuples(st.sampled_from(FLOATS + INTEGERS), shapes)
sent = st.tuples(st.sampled_from((*FLOATS, *INTEGERS, "uint8")), shapes)


@st.composite
def collectives(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from("abcdefgh"))
    if draw(st.integers(0, 4)) == 0:
        tensors, root = draw(st.lists(sent, max_size=6)), draw(st.integers(0, 3))
        return {"name": name, "kind": "broadcast", "root": root, "tensors": tensors, "in_place": draw(st.booleans())}
    tensors = draw(st.lists(reduced, max_size=6))
    whole = any(kind in INTEGERS for kind, _ in tensors)
    op = draw(st.sampled_from(("sum", "min", "max") if whole else ("sum", "avg", "min", "max")))
    return {"name": name, "op": op, "tensors": tensors, "in_place": draw(st.booleans())}


plans = st.fixed_dictionaries(
    {
        "collectives": st.lists(collectives(), min_size=1, max_size=12),
        "shuffle": st.booleans(),
        "rounds": st.integers(1, 3),
    }
)


def every_type(elements: int) -> list[dict[str, Any]]:
    """Each type with each reduction that it has."""
    return [
        {"name": f"{kind} {op}", "op": op, "tensors": [[kind, [elements]]]}
        for kind in (*FLOATS, *INTEGERS)
        for op in ("sum", "min", "max", *(() if kind in INTEGERS else ("avg",)))
    ]


def from_every_rank(elements: int, ranks: int) -> list[dict[str, Any]]:
    """A broadcast from each rank: of one large tensor, and of several small ones of a type."""
    small = [["float32", [3]], ["float32", [0]], ["float32", []], ["float32", [elements % 700]]]
    return [
        {
            "name": f"{what} from {root}",
            "kind": "broadcast",
            "root": root,
            "tensors": tensors,
            "in_place": root % 2 == 1,
        }
        for root in range(ranks)
        for what, tensors in (("one", [["uint8", [elements]]]), ("several", small))
    ]


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("elements", [1, 7, 4099, 300_001])
def test_every_type_and_reduction(run_plan: RunPlan, ranks: int, elements: int) -> None:
    run_plan(ranks, {"collectives": every_type(elements)})


@pytest.mark.parametrize("ranks", [2, 3, 4])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans)
def test_any_shapes_orders_and_mixtures(run_plan: RunPlan, ranks: int, plan: dict[str, Any]) -> None:
    run_plan(ranks, plan)


@pytest.mark.parametrize("ranks", [2, 4])
def test_thousands_of_small_tensors_in_orders_of_their_own(run_plan: RunPlan, ranks: int) -> None:
    small = [{"name": f"tensor {number}", "tensors": [["float32", [number % 50]]]} for number in range(3000)]
    done = run_plan(ranks, {"collectives": small, "shuffle": True, "rounds": 2})
    collectives, batches = (int(word) for word in done.stdout.split("RIGHT 0 ")[1].split("\n")[0].split(" in "))
    assert collectives == 6000
    assert batches < collectives / 2  # they were fused


def test_a_list_of_thousands_is_one_collective(run_plan: RunPlan) -> None:
    tensors = [["float32" if number % 3 else "float64", [number % 70]] for number in range(5000)]
    done = run_plan(3, {"collectives": [{"name": "all", "op": "avg", "tensors": tensors, "in_place": True}]})
    assert "RIGHT 0 1 in 1" in done.stdout


def test_a_gigabyte(mpirun: RunPlan) -> None:
    done = mpirun(2, "gigabyte.py", seconds=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("RIGHT") == 2


# Four and eight ranks of this machine, taken for hosts of one, two and four ranks, in one rack and in two.
@pytest.mark.parametrize(
    ("ranks", "mode"),
    [
        (2, "m:2x1"),
        (3, "m:3x1"),
        (2, "r:1x2"),
        (3, "r:3x1"),
        (4, "r:2x2"),
        (8, "r:2x4"),
        (2, "b:1x2"),
        (3, "b:1x3"),
        (4, "b:2x2"),
        (4, "b:1x2x2"),
        (8, "b:2x2x2"),
        (8, "b:4x2"),
        (6, "b:2x3"),
        (2, "n:2x1"),
        (2, "p:1x2"),
        (4, "p:2x2"),
    ],
)
def test_every_mode(run_plan: RunPlan, ranks: int, mode: str) -> None:
    plan = {"options": f"-mode {mode}", "shuffle": True, "collectives": every_type(5) + every_type(70_001)}
    run_plan(ranks, plan)


@pytest.mark.parametrize(
    ("ranks", "mode"),
    [
        (1, "b:1x1"),
        (3, "b:3x1"),
        (4, "b:2x2"),
        (4, "b:1x2x2"),
        (8, "b:2x2x2"),
        (6, "b:2x3"),
        (3, "r:3x1"),
        (3, "m:3x1"),
    ],
)
def test_every_rank_broadcasts_in_every_mode_with_reductions_in_between(
    run_plan: RunPlan, ranks: int, mode: str
) -> None:
    sent = from_every_rank(5, ranks) + from_every_rank(3_000_001, ranks)
    run_plan(ranks, {"options": f"-mode {mode}", "shuffle": True, "rounds": 2, "collectives": sent + every_type(4099)})


@pytest.mark.parametrize("wire", ["fp16", "bf16"])
def test_fp32_in_16_bits_between_hosts_is_rounded_and_no_more(run_plan: RunPlan, wire: str) -> None:
    one = {"op": "sum", "tensors": [["float32", [40_000]]]}
    # What has few digits passes unharmed; what has many is off by a rounding of the 16-bit type, and not by less.
    run_plan(4, {"options": f"-mode b:2x2 -wire {wire}", "exact": True, "collectives": [{"name": "few", **one}]})
    run_plan(4, {"options": f"-mode b:2x2 -wire {wire}", "wire": wire, "collectives": [{"name": "many", **one}]})


def test_measuring_at_start_ends_for_all_ranks_when_its_time_is_up_for_one(libraries: Path) -> None:
    words = [sys.executable, str(PROGRAMS / "plan.py")]
    plans = [json.dumps({"options": f"-mode p:2x1 -explore {n}", "collectives": every_type(70_001)}) for n in (0, 600)]
    argv = [*mpirun_argv(1, *words, plans[0]), ":", "-np", "1", *words, plans[1]]
    done = run_ranks(argv, {"DDL_ENGINE": str(libraries / "libddl_engine.so")}, 120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("-mode p: measurements were stopped after 0 s; unmeasured sizes use b") == 1
    assert done.stdout.count("hierarchical hierarchical hierarchical hierarchical\n") == 2, done.stdout
