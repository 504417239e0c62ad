"""What a compute configuration may be called, and what is said of a name that is none."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.compatibility.gpus import KIND, gpu_kinds
from toolkit.manifest.compute import (
    CPU,
    MAX_CPU_RANKS,
    MAX_GPUS,
    Configuration,
    name_pattern,
    read_configuration,
    split,
)
from toolkit.manifest.model import Compute
from toolkit.paths import assets

KINDS = gpu_kinds(assets() / "images")


def test_the_kinds_are_those_of_the_compatibility_table() -> None:
    assert {"k80", "p100", "v100", "t4", "l4", "rtx3090", "gtx1080ti", "h100", "b200"} < set(KINDS)
    assert all(re.fullmatch(KIND, kind) for kind in KINDS)


@pytest.mark.parametrize("kind", ["cpu", "P100", "a100-80gb", "p100x2", "rtx30", "80", ""])
def test_a_kind_that_would_read_as_something_else_is_none(kind: str) -> None:
    assert not re.fullmatch(KIND, kind)


@given(st.sampled_from(KINDS), st.integers(1, MAX_GPUS))
def test_any_kind_in_any_count_is_read_and_written_back(kind: str, count: int) -> None:
    asked = read_configuration(f"{kind}x{count}", KINDS)
    assert asked == Configuration(kind, count) == split(asked.name) == read_configuration(asked.name, KINDS)
    compute = Compute(asked.name, 3)
    assert (compute.kind, compute.gpus_per_node, compute.ranks_per_node, compute.ranks, compute.on_cpu) == (
        *(kind, count, count, 3 * count),
        False,
    )


@given(st.integers(1, MAX_CPU_RANKS))
def test_ranks_without_a_gpu(count: int) -> None:
    compute = Compute(read_configuration(f"cpux{count}", KINDS).name, 2)
    assert (compute.kind, compute.gpus_per_node, compute.ranks_per_node, compute.ranks, compute.on_cpu) == (
        *(CPU, 0, count, 2 * count),
        True,
    )


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("p100", ("p100", 1)),
        ("p100x1", ("p100", 1)),
        ("p100x4", ("p100", 4)),
        ("rtx3090", ("rtx3090", 1)),
        ("rtx3090x16", ("rtx3090", 16)),
        ("gtx1080ti", ("gtx1080ti", 1)),
        ("cpu", ("cpu", 1)),
        ("cpux128", ("cpu", 128)),
    ],
)
def test_names(name: str, read: tuple[str, int]) -> None:
    assert read_configuration(name, KINDS) == Configuration(*read)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("P100", "p100"),
        ("V100x2", "v100x2"),
        ("v100X2", "v100x2"),
        ("CPUx4", "cpux4"),
        ("cpus", "cpu"),
        ("p100x", "p100"),
        ("p10", "p100"),
        ("v10x2", "v100x2"),
        ("2xp100", "p100x2"),
        ("p100*2", "p100x2"),
        ("p100:2", "p100x2"),
        ("p100 x2", "p100x2"),
        ("a100-80gb", "a100"),
        ("nvidia-TeslaP100", "p100"),
        ("rtx-2080-ti", "rtx2080ti"),
        ("p100x02", "p100x2"),
    ],
)
def test_the_nearest_is_named(name: str, meant: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"unknown compute configuration `{name}`; did you mean `{meant}`?")):
        read_configuration(name, KINDS)


@pytest.mark.parametrize("name", ["gpu", "tpu", "x", "", "x2", "large-machine", "p100x2x2"])
def test_no_near_name_is_guessed_that_would_mean_something_else(name: str) -> None:
    with pytest.raises(ValueError, match="known: k80, ") as caught:
        read_configuration(name, KINDS)
    assert "`cpu`?" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("k80x0", "a node has 1 to 16 GPUs; `cpu` asks for no GPU"),
        ("p100x17", "a node has 1 to 16 GPUs; `nodes` says how many nodes"),
        ("p100x100", "a node has 1 to 16 GPUs; `nodes` says how many nodes"),
        ("cpux0", "a node has 1 to 256 ranks"),
        ("cpux1000", "a node has 1 to 256 ranks; `nodes` says how many nodes"),
    ],
)
def test_a_count_that_no_node_has(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}`: {re.escape(words)}"):
        read_configuration(name, KINDS)


def _is_read(name: str) -> bool:
    try:
        read_configuration(name, KINDS)
    except ValueError:
        return False
    return True


@given(
    st.text(max_size=12)
    | st.builds(
        "{}x{}".format, st.sampled_from((*KINDS, CPU, "p10")), st.integers(0, 400) | st.sampled_from(["", "01"])
    )
)
@example("p100\n")
@example("p100x٢")
def test_the_schema_s_pattern_takes_what_is_read(name: str) -> None:
    assert bool(re.fullmatch(name_pattern(KINDS), name)) == _is_read(name)
