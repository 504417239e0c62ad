"""Which CPUs each rank runs on: pure, from a host's cores, the GPUs that its ranks have, and what others use.

A rank's share is whole cores, with all their hardware threads, as long as there are enough of them. Shares of one host
are disjoint, differ by one core at most, and leave no core out. The engine confines a learner's container to its ranks'
CPUs (`docker run --cpuset-cpus`); if it has several ranks, `rank.sh` binds each to its own. mpirun binds nothing: it
would divide cores evenly over all hosts, in its own order, whatever GPU a rank has, and fails if ranks outnumber cores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from toolkit.cluster.model import UNBOUND
from toolkit.doctor.facts import Core, EngineFacts, HostFacts
from toolkit.doctor.topics.cores import cpu_numbers
from toolkit.plural import counted, ranges
from toolkit.run.plan.run_plan import ALL_CPUS, RankCpus

Cores = tuple[Core, ...]
NO_CPUSET = "its engine has no cpuset controller, so containers cannot be bound to CPUs"


@dataclass(frozen=True)
class Machine:
    """This machine: its cores, why its engine cannot confine a container to some of them (empty: it can), and the CPUs
    of the learners that other runs have here."""

    cores: Cores
    why_not: str = ""
    taken: frozenset[int] = frozenset()


def machine_of(cores: Cores, engine: EngineFacts, kernel: str, used: str) -> Machine:
    """This machine with kernel release `kernel`; each line of `used` is another learner's list of CPUs."""
    why_not = ""
    if engine.kernel != kernel:
        why_not = f"its engine runs on another kernel ({engine.kernel or 'unknown'}), which has other CPUs"
    elif not engine.cpuset:
        why_not = NO_CPUSET
    return Machine(cores, why_not, frozenset().union(*map(cpu_numbers, used.splitlines())))


def bind_here(machine: Machine, learners: int, ranks: int, cpus: float) -> tuple[RankCpus, ...]:
    """Shares for `learners` learners on this machine, each of `ranks` ranks and at most `cpus` CPUs (0: no limit).

    CPUs that other runs' learners are bound to are not used; if too few are left, nothing is bound.
    """
    if machine.why_not:
        return (RankCpus(why_not=machine.why_not),) * learners
    free = [core for core in machine.cores if not machine.taken & set(core.cpus)]
    found = even_shares(free, learners * ranks)
    if not found:
        return (_unshared("rank", learners * ranks, machine.cores, machine.taken),) * learners
    lists = _limited(found, cpus / ranks)
    return tuple(RankCpus(lists[start : start + ranks]) for start in range(0, learners * ranks, ranks))


def bind_on(facts: HostFacts, gpus: Sequence[str], binding: str, ranks: int, cpus: float) -> RankCpus:
    """Shares for the learner of a host: with the GPUs `gpus` (UUIDs), each rank has its GPU's share of the cores.

    All GPUs of a host divide its cores, leased or not: runs with different GPUs have different cores.
    """
    if binding == UNBOUND:
        return ALL_CPUS
    if not facts.engine.cpuset:
        return RankCpus(why_not=NO_CPUSET)
    if gpus:
        shares = dict(zip((gpu.uuid for gpu in facts.gpus), gpu_shares(facts), strict=False))
        found = tuple(shares[gpu] for gpu in gpus if gpu in shares)
    else:
        found = even_shares(facts.cores, ranks)
    if len(found) != ranks:
        return _unshared(*(("GPU", len(facts.gpus)) if gpus else ("rank", ranks)), facts.cores)
    return RankCpus(_limited(found, cpus / ranks))


def even_shares(cores: Sequence[Core], count: int) -> tuple[Cores, ...]:
    """`count` shares of neighbouring cores, or of single CPUs if there are fewer cores than that.

    Empty if there are fewer CPUs than shares.
    """
    units = _units(cores, count)
    if len(units) < count:
        return ()
    return tuple(units[len(units) * n // count : len(units) * (n + 1) // count] for n in range(count))


def gpu_shares(facts: HostFacts) -> tuple[Cores, ...]:
    """For each GPU of the host its share of the cores, those of its own NUMA node first. Empty as in `even_shares`."""
    count = len(facts.gpus)
    units = _units(facts.cores, count)
    if len(units) < count:
        return ()
    sizes = [len(units) * (n + 1) // count - len(units) * n // count for n in range(count)]
    near: list[Cores] = []
    left = list(units)
    for gpu, size in zip(facts.gpus, sizes, strict=True):
        near.append(tuple(unit for unit in left if unit.node == gpu.node)[:size])
        used = set(near[-1])
        left = [unit for unit in left if unit not in used]
    shares = []
    for own, size in zip(near, sizes, strict=True):
        lacking = size - len(own)
        shares.append((*own, *left[:lacking]))
        left = left[lacking:]
    return tuple(shares)


def _units(cores: Sequence[Core], count: int) -> Cores:
    """The units to divide: cores, or their CPUs if there are fewer cores than `count`."""
    if len(cores) >= count:
        return tuple(cores)
    return tuple(Core((cpu,), core.node) for core in cores for cpu in core.cpus)


def _limited(shares: Iterable[Cores], cpus: float) -> tuple[str, ...]:
    """Each share as a list of CPUs, with no more cores than a limit of `cpus` for each rank can use (0: no limit).

    A program that sees more CPUs than it may use starts a thread for each, and they exhaust its quota early in each of
    the scheduler's periods.
    """
    lists = []
    for share in shares:
        numbers: list[int] = []
        for core in share:
            if not cpus or len(numbers) < math.ceil(cpus):
                numbers += core.cpus
        lists.append(ranges(numbers))
    return tuple(lists)


def _unshared(noun: str, count: int, cores: Sequence[Core], taken: frozenset[int] = frozenset()) -> RankCpus:
    """The result if there are too few CPUs."""
    cpus = counted(sum(len(core.cpus) for core in cores), "CPU")
    others = f", of which other runs use {ranges(taken)}" if taken else ""
    return RankCpus(why_not=f"{counted(count, noun)} on {cpus}{others}" if cores else "its CPUs are unknown")
