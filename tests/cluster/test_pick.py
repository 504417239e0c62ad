"""Which hosts a run gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.cluster.model import Cluster, Deadlines, Gpu, Host
from toolkit.cluster.pick import pick_hosts
from toolkit.errors import ToolkitError

TIMES = Deadlines(60, 10, 600)
FOUR, TWO, OTHER = Gpu("p100", 4), Gpu("p100", 2), Gpu("v100", 4)
MIXED = Cluster(
    "lab",
    "ssh",
    "p100, v100",
    TIMES,
    (Host("a", gpu=FOUR), Host("b", gpu=OTHER), Host("c", gpu=TWO), Host("d"), Host("e", gpu=FOUR)),
)
PLAIN = Cluster("plain", "ssh", "none", TIMES, (Host("a"), Host("b"), Host("c")))


def names(hosts: tuple[Host, ...]) -> list[str]:
    return [host.name for host in hosts]


def test_the_first_hosts_of_the_file_that_have_kind_and_count() -> None:
    assert names(pick_hosts(MIXED, "p100", 1, 2)) == ["a", "c"]
    assert names(pick_hosts(MIXED, "p100", 4, 2)) == ["a", "e"]
    assert names(pick_hosts(MIXED, "V100", 4, 1)) == ["b"]
    written = Cluster("lab", "ssh", "RTX-2080-Ti", TIMES, (Host("a", gpu=Gpu("rtx-2080-ti", 4)),))
    assert names(pick_hosts(written, "rtx2080ti", 4, 1)) == ["a"]


def test_gpus_that_others_hold_are_not_given_again() -> None:
    assert names(pick_hosts(MIXED, "p100", 2, 2, taken={"a": 2})) == ["a", "c"]
    assert names(pick_hosts(MIXED, "p100", 2, 2, taken={"a": 3})) == ["c", "e"]


def test_without_gpus_the_cpu_takes_their_place_and_a_host_is_taken_whole() -> None:
    assert names(pick_hosts(PLAIN, "p100", 2, 2)) == ["a", "b"]
    assert names(pick_hosts(PLAIN, "k80", 1, 2, taken={"a": 1})) == ["b", "c"]


@pytest.mark.parametrize(
    ("taken", "nodes", "gpus", "what", "line"),
    [
        ({}, 3, 4, "cluster lab does not have 3 × 4 p100: 2 of its hosts fit", "it has 2 × 4 p100, 1 × 4 v100,"),
        (
            {"a": 4},
            2,
            4,
            "cluster lab: 1 of the 2 hosts that 2 × 4 p100 needs are free now",
            "taken on a: 4 of 4 GPUs",
        ),
    ],
)
def test_what_is_there_and_what_is_taken_is_reported(
    taken: dict[str, int], nodes: int, gpus: int, what: str, line: str
) -> None:
    with pytest.raises(ToolkitError) as caught:
        pick_hosts(MIXED, "p100", gpus, nodes, taken=taken)
    assert caught.value.code.label == "C104"
    assert caught.value.what == what
    assert line in str(caught.value)


def test_ranks_without_a_gpu_take_whole_hosts_those_without_gpus_first() -> None:
    assert names(pick_hosts(MIXED, "cpu", 4, 3)) == ["d", "a", "b"]
    assert names(pick_hosts(MIXED, "cpu", 1, 3, taken={"d": 1, "a": 1})) == ["b", "c", "e"]
    assert names(pick_hosts(PLAIN, "cpu", 2, 2, taken={"a": 1})) == ["b", "c"]


def test_what_is_said_where_too_few_hosts_are_free_for_ranks_without_a_gpu() -> None:
    with pytest.raises(ToolkitError) as caught:
        pick_hosts(MIXED, "cpu", 4, 5, taken={"a": 1 << 16})
    assert caught.value.what == "cluster lab: 4 of the 5 hosts that 5 × 4 CPU ranks needs are free now"
    assert "taken on a: 4 of 4 GPUs" in str(caught.value)
    with pytest.raises(ToolkitError, match="cluster lab does not have 6 × 4 CPU ranks: 5 of its hosts fit"):
        pick_hosts(MIXED, "cpu", 4, 6)


HOSTS = st.lists(st.none() | st.builds(Gpu, st.sampled_from(["p100", "v100"]), st.integers(1, 8)), max_size=12)


@given(HOSTS, st.lists(st.integers(0, 8), min_size=12, max_size=12), st.integers(1, 4), st.integers(1, 4))
def test_no_gpu_is_given_twice_and_none_is_withheld(
    gpus: list[Gpu | None], held: list[int], count: int, nodes: int
) -> None:
    hosts = tuple(Host(f"h{index}", gpu=gpu) for index, gpu in enumerate(gpus))
    kinds = dict.fromkeys(gpu.kind for gpu in gpus if gpu)
    cluster = Cluster("lab", "ssh", ", ".join(kinds) or "none", TIMES, hosts)
    taken = {host.name: held[index] for index, host in enumerate(hosts)}
    if kinds:
        free = [h for h in hosts if h.gpu and h.gpu.kind == "p100" and h.gpu.count - taken[h.name] >= count]
    else:
        free = [host for host in hosts if not taken[host.name]]
    if len(free) >= nodes:
        assert pick_hosts(cluster, "p100", count, nodes, taken=taken) == tuple(free[:nodes])
        return
    with pytest.raises(ToolkitError):
        pick_hosts(cluster, "p100", count, nodes, taken=taken)
