"""Which hosts a run takes: the fit ones, in the file's order, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.cluster.model import Cluster, Deadlines, Gpu, Host
from toolkit.doctor.facts import Gpu as FoundGpu
from toolkit.doctor.facts import HostFacts, Interface
from toolkit.doctor.finding import Finding, fail, ok, warn
from toolkit.errors import Code, ToolkitError
from toolkit.leases.model import Holder, new_lease
from toolkit.manifest.model import Compute
from toolkit.run.launch.placement import (
    choose_hosts,
    free_gpus,
    free_port,
    master_port,
    placement_on,
    skipped,
    taken_by,
)
from toolkit.run.launch.ssh_allocation import with_holders
from toolkit.run.plan.run_plan import Placement

HOSTS = tuple(Host(f"h{number}") for number in (1, 2, 3))
CLUSTER = Cluster("lab", "ssh", "none", Deadlines(60, 10, 600), hosts=HOSTS, network="10.0.0.0/16")
GPUS = replace(CLUSTER, gpu="p100", hosts=tuple(replace(host, gpu=Gpu("p100", 4)) for host in HOSTS))
TWO = Compute("p100x2", 2)
DOWN = fail("h1", "ssh", "does not answer", "switch it on")
WELL: tuple[Finding, ...] = (ok("h1", "engine", "docker 20.10"), warn("h2", "clock", "3 s ahead", "ntp"))


def names(hosts: tuple[Host, ...]) -> list[str]:
    return [host.name for host in hosts]


def test_the_first_fit_hosts_are_taken_and_a_warning_keeps_none_out() -> None:
    assert names(choose_hosts(CLUSTER, TWO, WELL, {})) == ["h1", "h2"]


def test_a_host_that_fails_is_skipped_where_there_are_others_and_that_is_reported() -> None:
    chosen = choose_hosts(CLUSTER, TWO, (*WELL, DOWN), {})
    assert names(chosen) == ["h2", "h3"]
    assert skipped(CLUSTER, chosen, (*WELL, DOWN)) == (DOWN,)
    assert skipped(CLUSTER, HOSTS[:2], (fail("h3", "ssh", "down", "hint"),)) == ()


def test_where_too_few_are_fit_the_findings_are_the_error() -> None:
    with pytest.raises(ToolkitError) as caught:
        choose_hosts(CLUSTER, Compute("p100", 3), (*WELL, DOWN), {})
    assert caught.value.code is Code.RESOURCES
    assert "h1: ssh: does not answer" in str(caught.value)


def test_what_others_hold_is_not_taken() -> None:
    assert names(choose_hosts(GPUS, TWO, (), {"h1": 3})) == ["h2", "h3"]
    assert names(choose_hosts(GPUS, TWO, (), {"h1": 2})) == ["h1", "h2"]
    with pytest.raises(ToolkitError, match="1 of the 2 hosts") as caught:
        choose_hosts(GPUS, TWO, (), {"h1": 3, "h2": 4})
    assert caught.value.code is Code.RESOURCES_ASKED


def test_a_placement_has_the_address_in_the_clusters_network_and_the_adapters_folder() -> None:
    facts = HostFacts(
        "h1",
        rdma_devices=("/dev/infiniband/uverbs0", "/dev/infiniband/rdma_cm"),
        interfaces=(Interface("eno1", addresses=("192.168.1.5",)), Interface("ib0", addresses=("10.0.3.4",))),
    )
    assert placement_on(facts, replace(CLUSTER, binding="none"), ["GPU-a"], TWO) == Placement(
        *("h1", "10.0.3.4", "ib0", ("GPU-a",), ("/dev/infiniband",))
    )


def held(*gpus: str) -> Holder:
    return Holder(new_lease("training-abcd2345", "ada", "desk", gpus), "2026-03-04T05:06:07Z", 60, "held")


def test_a_lease_of_gpus_counts_them_and_one_of_the_host_takes_all() -> None:
    assert taken_by({"h1": (held("a", "b"), held("c")), "h2": ()}) == {"h1": 3}
    with pytest.raises(ToolkitError):
        choose_hosts(GPUS, Compute("p100", 3), (), taken_by({"h2": (held(),)}))


def test_a_run_without_gpus_is_given_none_and_leases_hosts_as_a_whole() -> None:
    assert names(choose_hosts(GPUS, Compute("cpux4", 2), (), taken_by({"h2": (held("GPU-a"),)}))) == ["h1", "h3"]
    facts = HostFacts("h1", gpus=(FoundGpu(0, "GPU-a", "Tesla P100-PCIE-16GB", 16384, 1, "0", 0),))
    assert free_gpus(facts, GPUS.hosts[0], {}, Compute("cpux4", 2).gpus_per_node) == ()
    assert new_lease("training-abcd2345", "me", "desk", ()).wanted == "*"


def test_gpus_are_given_by_uuid_and_those_that_others_hold_are_not() -> None:
    found = tuple(FoundGpu(n, f"GPU-{n}", "Tesla P100-PCIE-16GB") for n in range(4))
    facts = HostFacts("h1", gpus=(*found, FoundGpu(4, "GPU-4", "Tesla V100-SXM2-16GB")))
    assert free_gpus(facts, GPUS.hosts[0], {"h1": (held("GPU-0", "GPU-2"),)}, 2) == ("GPU-1", "GPU-3")
    assert free_gpus(facts, CLUSTER.hosts[0], {}, 2) == ()


def test_who_holds_the_hosts_is_said_where_they_are_taken() -> None:
    error = ToolkitError(Code.RESOURCES_ASKED, "0 of the 2 hosts are free now")
    reported = with_holders(error, {"h1": (held(),), "h2": ()})
    assert "h1: the whole host: run training-abcd2345 of ada (launched from desk)" in str(reported)
    assert (reported.code, "--wait" in reported.hint) == (Code.RESOURCES, True)
    assert with_holders(error, {"h1": ()}) is error


def test_a_port_is_one_at_which_nobody_listens() -> None:
    busy = [HostFacts("h1", ports_in_use=frozenset(range(20000, 29999))), HostFacts("h2")]
    assert free_port(busy) == 29999


def test_runs_that_share_a_host_meet_at_other_ports() -> None:
    found = tuple(FoundGpu(n, f"GPU-{n}", "Tesla P100-PCIE-16GB") for n in range(8))
    facts = HostFacts("h1", gpus=found)
    assert [master_port(facts, (f"GPU-{n}", f"GPU-{n + 1}")) for n in (0, 2, 6)] == [30000, 30002, 30006]
    assert master_port(facts, ()) == 30000
    busy = replace(facts, ports_in_use=frozenset({30002, 30066}))
    assert master_port(busy, ("GPU-3", "GPU-2")) == 30130
