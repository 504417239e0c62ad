"""A host's cores, from what its kernel reports of its CPUs. Pure; accepts any text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from toolkit.doctor.facts import Core

_MOST = 1 << 14
"""CPU numbers that are accepted: Linux has 8192 at most."""
_MOST_NODES, _MOST_THREADS = 1 << 10, 1 << 6
"""NUMA nodes of a host, and hardware threads of a core, that are accepted."""
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
_ALLOWED = re.compile(r"^Cpus_allowed_list:\s*(\S+)", re.MULTILINE)
_ONLINE = re.compile(r"cpu/online:(\S+)")
_SIBLINGS = re.compile(r"/cpu([0-9]{1,6})/topology/thread_siblings_list:(\S+)")
_NODE = re.compile(r"/node([0-9]{1,6})/cpulist:(\S+)")


def cores_of(text: str) -> tuple[Core, ...]:
    """The cores in the output of `cores.sh`, by NUMA node and then by their first CPU.

    Only CPUs that are online and allowed count. If the kernel reports no siblings, each CPU is a core.
    """
    allowed = _cpus(_ALLOWED.findall(text)) & (_cpus(_ONLINE.findall(text)) or frozenset(range(_MOST)))
    node_of = {cpu: int(node) for node, cpus in _NODE.findall(text)[:_MOST_NODES] for cpu in _cpus([cpus])}
    siblings = {int(cpu): frozenset(islice(_numbers(cpus), _MOST_THREADS)) for cpu, cpus in _SIBLINGS.findall(text)}
    found = {frozenset({cpu} | siblings.get(cpu, frozenset())) & allowed for cpu in allowed}
    cores = (Core(tuple(sorted(cpus)), node_of.get(min(cpus), 0)) for cpus in _apart(found))
    return tuple(sorted(cores, key=lambda core: (core.node, core.cpus)))


def cpu_numbers(text: str) -> frozenset[int]:
    """The numbers of a list such as `0-3,8`; empty for anything else."""
    return frozenset(_numbers(text))


def _cpus(lists: Iterable[str]) -> frozenset[int]:
    return frozenset().union(*map(cpu_numbers, lists))


def _numbers(text: str) -> Iterator[int]:
    for part in text.split(","):
        if match := _RANGE.fullmatch(part.strip()):
            yield from range(int(match[1]), min(int(match[2] or match[1]), _MOST - 1) + 1)


def _apart(cores: Iterable[frozenset[int]]) -> Iterator[frozenset[int]]:
    """Make the cores disjoint, whatever the text said."""
    seen: set[int] = set()
    for core in sorted(cores, key=min):
        if own := core - seen:
            seen |= own
            yield own
