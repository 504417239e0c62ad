"""Which CPUs ranks get: shares that are disjoint, leave nothing out and respect what is taken, on any host."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from toolkit.doctor.facts import Core, EngineFacts, Gpu, HostFacts
from toolkit.doctor.topics.cores import cpu_numbers
from toolkit.manifest.model import Compute
from toolkit.run.plan.binding import Machine, bind_here, bind_on, even_shares, gpu_shares, machine_of
from toolkit.run.plan.learner_command import learner_argv
from toolkit.run.plan.run_plan import ALL_CPUS, Placement, RankCpus
from toolkit.runtimes.docker import Docker

from .test_plan import asking

DOCKER = EngineFacts("24.0.7", cpuset=True, kernel="6.1.0")


def host(nodes: int, cores: int, threads: int, gpu_nodes: tuple[int | None, ...] = ()) -> HostFacts:
    """A host as Linux numbers its CPUs: every core's first thread, node by node, then every core's second."""
    count = nodes * cores
    found = tuple(
        Core(tuple(core + count * thread for thread in range(threads)), core // cores) for core in range(count)
    )
    gpus = tuple(Gpu(number, f"GPU-{number}", "Tesla P100", node=node) for number, node in enumerate(gpu_nodes))
    return HostFacts("h", cores=found, engine=DOCKER, gpus=gpus)


def uuids(*numbers: int) -> list[str]:
    return [f"GPU-{number}" for number in numbers]


@pytest.mark.parametrize(
    ("facts", "gpus", "ranks", "cpus", "lists"),
    [
        (host(1, 2, 1), (), 1, 0, ("0-1",)),
        (host(1, 2, 1), (), 2, 0, ("0", "1")),
        (host(1, 4, 2), (), 3, 0, ("0,4", "1,5", "2-3,6-7")),
        (host(1, 2, 2), (), 4, 0, ("0", "2", "1", "3")),  # fewer cores than ranks: single threads
        (host(2, 14, 2), (), 4, 0, ("0-6,28-34", "7-13,35-41", "14-20,42-48", "21-27,49-55")),
        # A GPU has the cores of its own NUMA node, wherever it stands in the driver's order.
        (host(2, 14, 2, (1, 1, 0, 0)), (0, 2), 2, 0, ("14-20,42-48", "0-6,28-34")),
        (host(2, 4, 1, (0, 0, 0, 0)), (0, 1, 2, 3), 4, 0, ("0-1", "2-3", "4-5", "6-7")),
        (host(2, 4, 1, (None, None)), (1,), 1, 0, ("4-7",)),
        # A limit of CPU time: no more cores than it fills, and always whole ones.
        (host(1, 8, 1), (), 1, 2.5, ("0-2",)),
        (host(1, 8, 2), (), 2, 4, ("0,8", "4,12")),
        (host(2, 14, 2, (0, 1)), (0, 1), 2, 8, ("0-1,28-29", "14-15,42-43")),
        (host(1, 4, 1), (), 2, 1, ("0", "2")),
    ],
)
def test_the_shares_of_known_hosts(
    facts: HostFacts, gpus: tuple[int, ...], ranks: int, cpus: float, lists: tuple[str, ...]
) -> None:
    assert bind_on(facts, uuids(*gpus), "cores", ranks, cpus) == RankCpus(lists)


@pytest.mark.parametrize(
    ("facts", "gpus", "why"),
    [
        (host(1, 2, 1), (), "4 ranks on 2 CPUs"),
        (host(1, 1, 1, (0, 0)), (0, 1, 2, 3), "2 GPUs on 1 CPU"),
        (HostFacts("h", engine=DOCKER), (), "its CPUs are unknown"),
        (replace(host(1, 8, 1), engine=EngineFacts("4.3.1")), (), "its engine has no cpuset controller"),
    ],
)
def test_where_there_are_no_shares_ranks_are_not_bound_and_the_plan_says_why(
    facts: HostFacts, gpus: tuple[int, ...], why: str
) -> None:
    found = bind_on(facts, uuids(*gpus), "cores", 4, 0)
    assert found.lists == ()
    assert found.why_not.startswith(why)


def test_none_binds_nothing() -> None:
    assert bind_on(host(1, 8, 1), [], "none", 2, 0) == ALL_CPUS


def test_on_this_machine_learners_have_cpus_of_their_own() -> None:
    machine = Machine(host(1, 4, 1).cores)
    assert bind_here(machine, 2, 1, 0) == (RankCpus(("0-1",)), RankCpus(("2-3",)))
    assert bind_here(machine, 2, 2, 0) == (RankCpus(("0", "1")), RankCpus(("2", "3")))
    taken = replace(machine, taken=frozenset({0, 7}))
    assert bind_here(taken, 1, 2, 0) == (RankCpus(("1", "2-3")),)
    (first, second) = bind_here(taken, 2, 2, 0)
    assert first == second == RankCpus(why_not="4 ranks on 4 CPUs, of which other runs use 0,7")


def test_this_machine_as_its_engine_describes_it() -> None:
    cores = host(1, 2, 1).cores
    assert machine_of(cores, DOCKER, "6.1.0", "0-1\n5\n\nnonsense\n") == Machine(cores, "", frozenset({0, 1, 5}))
    virtual = machine_of(cores, replace(DOCKER, kernel="5.10.0-linuxkit"), "6.1.0", "")
    assert "another kernel (5.10.0-linuxkit)" in virtual.why_not
    assert "no cpuset controller" in machine_of(cores, replace(DOCKER, cpuset=False), "6.1.0", "").why_not
    (found,) = bind_here(virtual, 1, 1, 0)
    assert found == RankCpus(why_not=virtual.why_not)


@st.composite
def hosts(draw: st.DrawFn) -> HostFacts:
    """Hosts of any shape, a container's cpuset and single threads that are offline included."""
    facts = host(draw(st.integers(1, 4)), draw(st.integers(1, 9)), draw(st.integers(1, 4)))
    usable = draw(st.sets(st.sampled_from([cpu for core in facts.cores for cpu in core.cpus])))
    cores = tuple(Core(cpus, core.node) for core in facts.cores if (cpus := tuple(c for c in core.cpus if c in usable)))
    nodes = draw(st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=9))
    return replace(host(1, 1, 1, tuple(nodes)), cores=cores)


def numbers(facts: HostFacts) -> list[int]:
    return sorted(cpu for core in facts.cores for cpu in core.cpus)


def all_of(lists: tuple[str, ...]) -> list[int]:
    return sorted(cpu for cpus in lists for cpu in cpu_numbers(cpus))


@given(hosts(), st.integers(1, 12))
def test_shares_are_disjoint_and_leave_no_cpu_out(facts: HostFacts, ranks: int) -> None:
    found = bind_on(facts, [], "cores", ranks, 0)
    if ranks > len(numbers(facts)):
        assert found.lists == ()
        assert found.why_not
        return
    assert len(found.lists) == ranks
    assert all_of(found.lists) == numbers(facts)
    sizes = [len(share) for share in even_shares(facts.cores, ranks)]
    assert max(sizes) - min(sizes) <= 1
    if ranks <= len(facts.cores):
        owners = {cpu: rank for rank, cpus in enumerate(found.lists) for cpu in cpu_numbers(cpus)}
        assert all(len({owners[cpu] for cpu in core.cpus}) == 1 for core in facts.cores)


@given(hosts(), st.data())
def test_runs_that_have_different_gpus_have_different_cpus(facts: HostFacts, data: st.DataObject) -> None:
    assume(facts.gpus)
    order = data.draw(st.permutations([gpu.uuid for gpu in facts.gpus]))
    cut = data.draw(st.integers(0, len(order)))
    runs = [bind_on(facts, gpus, "cores", len(gpus), 0) for gpus in (order[:cut], order[cut:]) if gpus]
    if len(facts.gpus) > len(numbers(facts)):
        assert all(run.lists == () and run.why_not for run in runs)
        return
    lists = tuple(cpus for run in runs for cpus in run.lists)
    assert all_of(lists) == numbers(facts)
    sizes = [len(share) for share in gpu_shares(facts)]
    assert max(sizes) - min(sizes) <= 1


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # one host in six has GPUs, and cores for all of them
@given(hosts())
def test_a_gpu_has_cores_of_another_node_only_where_its_own_has_none_left(facts: HostFacts) -> None:
    assume(0 < len(facts.gpus) <= len(facts.cores))
    shares = gpu_shares(facts)
    near = {(gpu.node, core) for gpu, share in zip(facts.gpus, shares, strict=True) for core in share}
    for gpu, share in zip(facts.gpus, shares, strict=True):
        if any(core.node != gpu.node for core in share):
            assert all((gpu.node, core) in near for core in facts.cores if core.node == gpu.node)


@given(hosts(), st.integers(1, 4), st.integers(1, 4), st.floats(0.1, 16), st.sets(st.integers(0, 40)))
def test_a_limit_and_other_runs_are_respected(
    facts: HostFacts, learners: int, ranks: int, cpus: float, taken: set[int]
) -> None:
    found = bind_here(Machine(facts.cores, taken=frozenset(taken)), learners, ranks, cpus)
    assert len(found) == learners
    lists = tuple(cpus for one in found for cpus in one.lists)
    used = all_of(lists)
    assert len(used) == len(set(used))
    assert not taken & set(used)
    assert set(used) <= set(numbers(facts))
    threads = max((len(core.cpus) for core in facts.cores), default=1)
    assert all(0 < len(cpu_numbers(one)) < cpus / ranks + 1 + threads for one in lists)
    assert lists == () or len(lists) == learners * ranks


@pytest.mark.parametrize(
    ("cpus", "words"),
    [
        (RankCpus(("0-1", "2-3")), ["--cpuset-cpus", "0-1,2-3"]),
        (RankCpus(why_not="4 ranks on 2 CPUs"), []),
    ],
)
def test_the_engine_confines_a_learner_to_its_ranks_cpus(cpus: RankCpus, words: list[str]) -> None:
    plan = asking(compute=Compute("p100x2", 2))
    plan = replace(plan, learners=tuple(replace(one, placement=Placement(cpus=cpus)) for one in plan.learners))
    assert plan.cpus_on("") == ",".join([*words[1:], *words[1:]])
    argv = learner_argv(Docker(), plan, plan.learners[0], "/volume")
    first = argv.index("--shm-size") + 2
    assert argv[first : first + len(words)] == words
    assert ("--cpuset-cpus" in argv) == bool(words)
