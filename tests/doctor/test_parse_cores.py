"""A host's cores from what its kernel says, and lists of CPUs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.doctor.facts import Core
from toolkit.doctor.topics.cores import cores_of, cpu_numbers
from toolkit.doctor.topics.machine import CORES
from toolkit.plural import ranges

SMT = """Cpus_allowed_list:\t0-7
/sys/devices/system/cpu/online:0-7
/sys/devices/system/cpu/cpu0/topology/thread_siblings_list:0,4
/sys/devices/system/cpu/cpu1/topology/thread_siblings_list:1,5
/sys/devices/system/cpu/cpu2/topology/thread_siblings_list:2,6
/sys/devices/system/cpu/cpu3/topology/thread_siblings_list:3,7
/sys/devices/system/cpu/cpu4/topology/thread_siblings_list:0,4
/sys/devices/system/cpu/cpu5/topology/thread_siblings_list:1,5
/sys/devices/system/cpu/cpu6/topology/thread_siblings_list:2,6
/sys/devices/system/cpu/cpu7/topology/thread_siblings_list:3,7
/sys/devices/system/node/node0/cpulist:0,2,4,6
/sys/devices/system/node/node1/cpulist:1,3,5,7
"""


@pytest.mark.parametrize(
    ("allowed", "online", "cores"),
    [
        ("0-7", "0-7", [Core((0, 4), 0), Core((2, 6), 0), Core((1, 5), 1), Core((3, 7), 1)]),
        ("0-2,4", "0-7", [Core((0, 4), 0), Core((2,), 0), Core((1,), 1)]),  # a container's own cpuset
        ("0-255", "0-3", [Core((0,), 0), Core((2,), 0), Core((1,), 1), Core((3,), 1)]),  # hyperthreads switched off
    ],
)
def test_only_cpus_that_are_online_and_allowed_count(allowed: str, online: str, cores: list[Core]) -> None:
    text = SMT.replace("list:\t0-7", f"list:\t{allowed}").replace("online:0-7", f"online:{online}")
    assert cores_of(text) == tuple(cores)


def test_without_topology_each_cpu_is_a_core() -> None:
    assert cores_of("Cpus_allowed_list:\t0-1\n") == (Core((0,)), Core((1,)))
    assert cores_of("grep: /proc/self/status: Permission denied\n") == ()


def test_this_machines_cores_are_those_of_its_kernel() -> None:
    text = subprocess.run(["sh", "-c", CORES], capture_output=True, text=True, check=False).stdout
    found = cores_of(text)
    assert sorted(cpu for core in found for cpu in core.cpus) == sorted(os.sched_getaffinity(0))
    siblings = {
        Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/core_id").read_text()
        + Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id").read_text()
        for cpu in os.sched_getaffinity(0)
    }
    assert len(found) == len(siblings)


@given(st.sets(st.integers(0, 8191)))
def test_a_list_of_cpus_is_read_as_it_was_written(cpus: set[int]) -> None:
    assert cpu_numbers(ranges(cpus)) == cpus


def test_a_list_of_cpus_is_short() -> None:
    assert [ranges(cpus) for cpus in ([], [3], [0, 1, 2, 3, 8], [5, 4, 9])] == ["", "3", "0-3,8", "4-5,9"]
    assert len(cpu_numbers("0-999999")) < 1 << 15


LINES = st.sampled_from(
    [
        *("Cpus_allowed_list:\t{}", "/sys/devices/system/cpu/online:{}", "/sys/devices/system/node/node1/cpulist:{}"),
        *(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list:{{}}" for cpu in range(6)),
    ]
)
LISTS = st.one_of(st.text(max_size=8), st.lists(st.integers(0, 9), max_size=5).map(ranges))


@given(st.lists(st.tuples(LINES, LISTS), max_size=20))
def test_no_cpu_is_in_two_cores_whatever_a_host_prints(lines: list[tuple[str, str]]) -> None:
    cpus = [cpu for core in cores_of("\n".join(line.format(one) for line, one in lines)) for cpu in core.cpus]
    assert len(cpus) == len(set(cpus))
