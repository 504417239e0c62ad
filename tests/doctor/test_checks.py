"""What each check says of facts: the verdict, what was found, how to fix it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from toolkit.cluster.model import Cluster, Deadlines, Gpu
from toolkit.compatibility.reader import read_table
from toolkit.doctor.facts import EngineFacts, HostFacts, Interface, Room, SshdLimits
from toolkit.doctor.finding import Finding, Verdict
from toolkit.doctor.requirements import Asked, DriverNeed, LastDriver, driver_need, last_drivers
from toolkit.doctor.topics import accounts, clock, disk, engine, fuse, gpu, memory, network, rdma, registry, sshd
from toolkit.doctor.topics.alike import alike
from toolkit.paths import assets

from .recordings import P100, asked, cluster_of, facts_of

GOOD = facts_of("p100")
NO_ANSWER = EngineFacts(said="Cannot connect to the Docker daemon")
DENIED = EngineFacts(said="permission denied while trying to connect to the Docker daemon socket")


def verdict_and_found(finding: Finding) -> tuple[str, str]:
    return finding.verdict.value, finding.found


def test_every_check_tells_its_own_name_and_the_host_s() -> None:
    for facts in (GOOD, facts_of("busybox"), HostFacts("nothing known")):
        for name, check in registry.every().checks.items():
            finding = check(facts, asked(facts.name))
            assert (finding.check, finding.host) == (name, facts.name)
            assert bool(finding.hint) == (finding.verdict in (Verdict.WARN, Verdict.FAIL))


def test_of_a_host_of_which_nothing_is_known_nothing_is_called_good_that_was_not_seen() -> None:
    verdicts = {
        name: check(HostFacts("h"), asked("h")).verdict.value for name, check in registry.every().checks.items()
    }
    assert {name for name, verdict in verdicts.items() if verdict == "ok"} == set()


@pytest.mark.parametrize(
    ("found", "account", "of_engine"),
    [
        (EngineFacts("20.10.24+dfsg1", "/d", "overlay2"), "ok", "ok"),
        (EngineFacts("20.10"), "ok", "ok"),
        (EngineFacts("19.03.15"), "ok", "fail"),
        (NO_ANSWER, "skipped", "fail"),
        (DENIED, "fail", "fail"),
        (EngineFacts(missing=True, said="no such command"), "skipped", "fail"),
    ],
)
def test_engine_and_account(found: EngineFacts, account: str, of_engine: str) -> None:
    facts = replace(GOOD, engine=found)
    assert engine.account(facts, asked()).verdict.value == account
    assert engine.engine(facts, asked()).verdict.value == of_engine


def test_podman_counts_otherwise() -> None:
    of_podman = asked("podman-1", engine="podman")
    assert verdict_and_found(engine.engine(facts_of("podman"), of_podman))[0] == "ok"
    assert verdict_and_found(engine.engine(replace(GOOD, engine=EngineFacts("3.4.4")), of_podman)) == (
        "fail",
        "podman 3.4.4",
    )


def test_the_hint_says_how_an_account_gets_leave() -> None:
    finding = engine.account(replace(GOOD, engine=DENIED), asked())
    assert finding.found.startswith("trainer may not use docker: permission denied")
    assert "usermod -aG docker trainer" in finding.hint


@pytest.mark.parametrize(
    ("uid", "opened", "verdict"),
    [
        (0, "opens", "ok"),
        (0, "missing", "fail"),
        (0, "sh: 1: cannot open /dev/fuse: No such device", "fail"),
        (0, "sh: 1: cannot open /dev/fuse: Permission denied", "fail"),
        (1004, "sh: 1: cannot open /dev/fuse: Permission denied", "ok"),  # the container that mounts is root
        (0, "", "skipped"),
    ],
)
def test_fuse(uid: int, opened: str, verdict: str) -> None:
    assert fuse.fuse(replace(GOOD, uid=uid, fuse=opened), asked()).verdict.value == verdict


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(0, "fail"), (5 * disk.GB - 1, "fail"), (5 * disk.GB, "warn"), (20 * disk.GB, "ok"), (None, "skipped")],
)
def test_room(free: int | None, verdict: str) -> None:
    facts = replace(GOOD, images=Room("/data", free), scratch=Room("/var/tmp", free, writable=True))
    assert disk.disk_of_images(facts, asked()).verdict.value == verdict
    assert disk.disk_of_scratch(facts, asked()).verdict.value == verdict


@pytest.mark.parametrize(("free", "said"), [(900, "900 B"), (52_400_000, "52.4 MB"), (5 * disk.GB, "5.0 GB")])
def test_room_is_in_the_unit_that_shows_how_little_it_is(free: int, said: str) -> None:
    assert disk.disk_of_images(replace(GOOD, images=Room("/data", free)), asked()).found.startswith(f"{said} free in /")
    assert memory.shared_memory(replace(GOOD, shm=free), asked()).found.startswith(f"{said} in /dev/shm")


def test_a_scratch_folder_that_may_not_be_written() -> None:
    facts = replace(GOOD, scratch=Room("/var", 100 * disk.GB, writable=False))
    finding = disk.disk_of_scratch(facts, asked())
    assert verdict_and_found(finding) == ("fail", "trainer cannot write to /var")
    assert "install -d -o trainer /var/tmp/toolkit" in finding.hint


@pytest.mark.parametrize(
    ("offset", "verdict", "found"),
    [
        (0.4, "ok", "0.4 s ahead of this machine's"),
        (-2.0, "ok", "2.0 s behind this machine's"),
        (2.1, "warn", "2.1 s ahead of this machine's"),
        (-60.0, "warn", "60.0 s behind this machine's"),
        (3600.0, "fail", "3600.0 s ahead of this machine's"),
        (-61.0, "fail", "61.0 s behind this machine's"),
        (None, "skipped", "could not be determined"),
    ],
)
def test_clock(offset: float | None, verdict: str, found: str) -> None:
    assert verdict_and_found(clock.clock(replace(GOOD, clock_offset=offset), asked())) == (verdict, found)


def test_locked_memory_matters_where_rdma_is() -> None:
    assert verdict_and_found(rdma.memlock(GOOD, asked())) == (
        "warn",
        "65536 KiB of locked memory allowed, but there are RDMA devices",
    )
    assert rdma.memlock(replace(GOOD, rdma_devices=()), asked()).verdict is Verdict.OK
    assert rdma.memlock(replace(GOOD, memlock=-1), asked()).verdict is Verdict.OK


def test_shared_memory() -> None:
    assert memory.shared_memory(GOOD, asked()).verdict is Verdict.OK
    assert memory.shared_memory(replace(GOOD, shm=1 << 20), asked()).verdict is Verdict.WARN
    assert memory.shared_memory(replace(GOOD, shm=None), asked()).verdict is Verdict.WARN


def test_sshd_s_limits() -> None:
    names = tuple(f"p100-{number}" for number in range(1, 13))
    usual = replace(GOOD, sshd=SshdLimits("10:30:100", 10, effective=True))
    assert verdict_and_found(sshd.sshd(usual, asked(*names))) == ("ok", "MaxStartups 10:30:100, MaxSessions 10")
    gate = sshd.sshd(usual, asked(*names, jump="me@p100-1:22"))
    assert verdict_and_found(gate) == (
        "warn",
        "MaxStartups 10:30:100, MaxSessions 10, and it is the jump host of 11 hosts",
    )
    assert sshd.sshd(usual, asked(*names[:11], jump="me@p100-1")).verdict is Verdict.OK
    assert sshd.sshd(usual, asked(*names, jump="me@elsewhere")).verdict is Verdict.OK
    few = sshd.sshd(GOOD, asked())
    assert verdict_and_found(few) == (
        "warn",
        "MaxStartups 10:30:60, MaxSessions 4, from its configuration or OpenSSH's default",
    )


@pytest.mark.parametrize(
    ("wanted", "verdict", "found"),
    [
        (Gpu("p100", 4), "ok", "4 × p100"),
        (Gpu("P100", 4), "ok", "4 × p100"),
        (Gpu("p100", 8), "fail", "4 × p100; the cluster file says 8 × p100"),
        (Gpu("v100", 4), "fail", "4 × p100; the cluster file says 4 × v100"),
        (Gpu("p100", 2), "warn", "4 × p100; the cluster file says 2 × p100"),
        (None, "ok", "the cluster file lists no GPU here; it has 4 × p100, which no run uses"),
    ],
)
def test_gpus_as_the_inventory_says(wanted: Gpu | None, verdict: str, found: str) -> None:
    assert verdict_and_found(gpu.gpu(GOOD, asked("p100-1", gpu=wanted))) == (verdict, found)


def test_a_run_without_gpus_asks_for_no_gpu() -> None:
    question = replace(asked(), on_cpu=True)
    assert verdict_and_found(gpu.gpu(GOOD, question)) == (
        "ok",
        "the manifest asks for no GPU; it has 4 × p100, which this run does not use",
    )
    for check in (gpu.driver, gpu.gpu_errors, gpu.gpu_memory):
        assert verdict_and_found(check(replace(GOOD, gpus=(), driver=""), question)) == (
            "ok",
            "the manifest asks for no GPU",
        )


def test_gpus_that_are_not_there() -> None:
    facts = replace(GOOD, gpus=(), gpu_trouble="NVIDIA-SMI has failed")
    says = "no GPU, and the cluster file says 4 × p100"
    assert verdict_and_found(gpu.gpu(facts, asked())) == ("fail", f"{says}: NVIDIA-SMI has failed")
    assert verdict_and_found(gpu.gpu(replace(facts, gpu_trouble=""), asked())) == (
        "fail",
        f"{says}: nvidia-smi lists none",
    )


def test_memory_errors_and_memory_in_use_name_the_gpu() -> None:
    assert verdict_and_found(gpu.gpu_errors(GOOD, asked())) == ("fail", "GPU 3 has 2 uncorrected memory errors")
    assert verdict_and_found(gpu.gpu_memory(GOOD, asked())) == ("warn", "GPU 2: 9821 of 16384 MiB in use")
    well = replace(GOOD, gpus=GOOD.gpus[:2])
    assert verdict_and_found(gpu.gpu_errors(well, asked())) == ("ok", "no uncorrected memory errors")
    assert verdict_and_found(gpu.gpu_memory(well, asked())) == ("ok", "free")
    off = replace(GOOD, gpus=(replace(GOOD.gpus[0], ecc="Disabled", ecc_errors=None),))
    assert verdict_and_found(gpu.gpu_errors(off, asked())) == ("warn", "ECC is off on GPU 0")


NEED = DriverNeed(Version("525.60.13"), "CUDA 12.5", "NVIDIA")


@pytest.mark.parametrize(
    ("driver", "verdict", "found"),
    [
        ("535.104.05", "ok", "driver 535.104.5; CUDA 12.5 needs 525.60.13"),
        ("525.60.13", "ok", "driver 525.60.13; CUDA 12.5 needs 525.60.13"),
        ("470.57.02", "fail", "driver 470.57.2; CUDA 12.5 needs 525.60.13 or newer"),
        ("590.48.01", "fail", "driver 590.48.1; 580 is the last branch with Pascal, and so with p100"),
        ("", "fail", "NVIDIA's driver is not loaded: its version is unknown"),
    ],
)
def test_driver(driver: str, verdict: str, found: str) -> None:
    question = replace(asked(), driver=NEED, last_drivers=(LastDriver("p100", 580, "Pascal"),))
    assert verdict_and_found(gpu.driver(replace(GOOD, driver=driver), question)) == (verdict, found)


def test_what_the_table_asks_of_a_driver() -> None:
    table = read_table(assets() / "images")
    assert [str(need.at_least) for cuda in ("9.0", "11.2", "12.5") if (need := driver_need(table, cuda))] == [
        "384.81",
        "450.80.2",
        "525.60.13",
    ]
    oldest = driver_need(table)
    assert oldest and (str(oldest.at_least), oldest.why.startswith("any image")) == ("384.81", True)
    assert LastDriver("p100", 580, "Pascal") in last_drivers(table)


def test_a_container_sees_the_gpus_or_it_is_said_why_not() -> None:
    listed = "".join(f"GPU {one.index}: {one.name} (UUID: {one.uuid})\n" for one in GOOD.gpus)
    assert verdict_and_found(gpu.gpu_container(GOOD, listed)) == ("ok", "a container sees 4 × p100")
    assert verdict_and_found(gpu.gpu_container(GOOD, listed.splitlines()[0])) == (
        "fail",
        "a container does not see GPU 1, 2, 3",
    )
    refused = "could not select device driver with capabilities: [[gpu]]"
    assert verdict_and_found(gpu.gpu_container(GOOD, "", refused)) == (
        "fail",
        f"a container with GPUs does not start: {refused}",
    )
    assert verdict_and_found(gpu.gpu_container(GOOD, None, "no image")) == ("skipped", "no image")


def test_one_address_in_the_network() -> None:
    assert verdict_and_found(network.network(GOOD, asked())) == ("ok", "10.0.0.1 on enp130s0f0")
    assert verdict_and_found(network.link(GOOD, asked())) == ("ok", "enp130s0f0: MTU 9000, 100000 Mb/s")
    elsewhere = Asked(replace(cluster_of("p100-1"), network="10.1.0.0/16"))
    finding = network.network(GOOD, elsewhere)
    assert verdict_and_found(finding) == (
        "fail",
        "needs exactly one address in the cluster's network 10.1.0.0/16, found none",
    )
    assert network.link(GOOD, elsewhere).verdict is Verdict.SKIPPED
    slow = replace(GOOD, interfaces=(replace(GOOD.interfaces[2], speed=100),))
    assert verdict_and_found(network.link(slow, asked())) == ("warn", "enp130s0f0: MTU 9000, 100 Mb/s")


def test_adapters_without_device_files() -> None:
    assert verdict_and_found(rdma.rdma(GOOD, asked())) == ("ok", "mlx5_0")
    assert verdict_and_found(rdma.rdma(replace(GOOD, rdma_devices=()), asked())) == (
        "warn",
        "mlx5_0 without /dev/infiniband",
    )


def test_on_this_machine_alone_there_is_no_network_to_check() -> None:
    local = Asked(Cluster("local", "local", "none", Deadlines(60, 10, 600)))
    facts = replace(GOOD, name="this machine")
    assert {
        name for name, check in registry.every().checks.items() if check(facts, local).verdict is not Verdict.OK
    } == {
        "gpu errors",
        "gpu memory",
        "memlock",
    }


def test_hosts_that_are_alike_and_one_that_is_not() -> None:
    names = ("p100-1", "p100-2", "p100-3")
    same = [replace(GOOD, name=name) for name in names]
    assert {verdict_and_found(one) for one in alike(same, asked(*names))} == {("ok", "same as the others")}
    other = replace(
        same[2],
        cpus=28,
        driver="470.57.02",
        gpus=GOOD.gpus[:2],
        engine=EngineFacts("20.10.24"),
        rdma_adapters=(),
        interfaces=(replace(GOOD.interfaces[2], mtu=1500, speed=10000),),
    )
    found = alike([same[0], other, same[1]], asked(*names))
    assert [(one.host, one.verdict.value) for one in found] == [
        ("p100-1", "ok"),
        ("p100-3", "warn"),
        ("p100-2", "ok"),
    ]
    assert found[1].found == (
        "GPUs 2 × p100, others 4 × p100; driver 470.57.02, others 535.104.05; CPUs 28, others 56; "
        "engine 20, others 24; RDMA adapters none, others mlx5_0; MTU 1500, others 9000; "
        "link speed in Mb/s 10000, others 100000"
    )


def test_hosts_are_compared_with_those_that_shall_be_the_same() -> None:
    cluster = cluster_of("p100-1", "p100-2", "login")
    cluster = replace(cluster, hosts=(*cluster.hosts[:2], replace(cluster.hosts[2], gpu=None)))
    login = replace(GOOD, name="login", cpus=4, gpus=(), driver="")
    every = [replace(GOOD, name="p100-1"), replace(GOOD, name="p100-2"), login]
    assert [one.verdict.value for one in alike(every, Asked(cluster))] == ["ok", "ok", "ok"]
    assert cluster.hosts[0].gpu == P100


def test_a_bridge_that_every_host_has_for_itself_is_no_network_that_they_share() -> None:
    first, second = replace(GOOD, name="h1"), replace(GOOD, name="h2", boot="another")
    found = network.own_address([first, second], "172.17.0.0/16")
    assert [verdict_and_found(one) for one in found] == [
        ("ok", "172.17.0.1 is unique"),
        ("fail", "h1 also has 172.17.0.1"),
    ]
    twice = network.own_address([first, replace(GOOD, name="h2")], "172.17.0.0/16")
    assert verdict_and_found(twice[1]) == ("warn", "h2 and h1 are one machine: 172.17.0.1")
    assert {verdict_and_found(one)[0] for one in network.own_address([first, second], "")} == {"ok"}


def with_addresses(*found: tuple[str, str], firewall: str = "") -> HostFacts:
    names = dict.fromkeys(name for name, _ in found)
    those = tuple(Interface(name, 1500, None, tuple(at for one, at in found if one == name)) for name in names)
    return replace(GOOD, interfaces=those, firewall=firewall)


INSIDE = (("lo", "127.0.0.1"), ("lo", "::1"), ("eth0", "10.0.0.7"), ("eth0", "fe80::1"), ("docker0", "172.17.0.1"))


def test_a_host_that_is_reached_from_the_clusters_network_alone() -> None:
    found = network.other_networks(with_addresses(*INSIDE, ("br-0a1b", "172.23.0.1")), asked())
    assert verdict_and_found(found) == ("ok", "no address outside 10.0.0.0/16")


@pytest.mark.parametrize(
    ("firewall", "verdict", "said"),
    [
        ("", "warn", "its firewall rules could not be read"),
        ("open", "warn", "its firewall accepts by default"),
        ("closed", "ok", "its firewall denies by default"),
    ],
)
def test_what_open_mpi_can_be_reached_on_besides_is_named(firewall: str, verdict: str, said: str) -> None:
    facts = with_addresses(*INSIDE, ("eth0", "2001:db8::7"), ("wlan0", "192.0.2.7"), firewall=firewall)
    finding = network.other_networks(facts, asked())
    assert finding.verdict.value == verdict
    assert "2001:db8::7 on eth0, 192.0.2.7 on wlan0" in finding.found
    assert finding.found.endswith(said)


@pytest.mark.parametrize(
    ("changes", "verdict"), [({}, "ok"), ({"own": True}, "warn"), ({"pids": False}, "warn"), ({"pids": None}, "ok")]
)
def test_accounts_share_an_engine_that_limits_their_processes(changes: dict[str, bool], verdict: str) -> None:
    facts = replace(GOOD, engine=replace(GOOD.engine, **changes))
    assert accounts.accounts(facts, asked()).verdict.value == verdict


def test_an_account_that_is_the_learners_user_is_named() -> None:
    finding = accounts.accounts(replace(GOOD, learner_account="ada"), asked())
    assert (finding.verdict.value, finding.hint) == ("warn", "give that account another uid")
    assert finding.found == "account ada has uid 61000, like learners: it can read and kill them"
