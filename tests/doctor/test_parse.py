"""Facts from what hosts printed: a P100 host, one with busybox alone, one with podman, and any text at all."""

from __future__ import annotations

import os
import pwd
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.cluster.gpu_kinds import kind_of, same_kind
from toolkit.doctor.examine import host_facts, program, question
from toolkit.doctor.facts import Core, EngineFacts, Gpu, HostFacts, Interface, Room, SshdLimits
from toolkit.doctor.printed import MARK, Printed
from toolkit.errors import ToolkitError

from .recordings import facts_of, text_of

SECTIONS = [line.removeprefix(MARK) for line in text_of("p100").splitlines() if line.startswith(MARK)]


def test_a_p100_host() -> None:
    facts = facts_of("p100")
    uuid = "GPU-6f2b8c1a-3c0e-4c6e-9d2a-0c5b7a1e0a0"
    assert facts == HostFacts(
        name="p100-1",
        whole=True,
        user="trainer",
        uid=1004,
        groups=("trainer", "docker"),
        hostname="p100-01",
        kernel="Linux 5.15.0-112-generic",
        boot="5f0c1f0e-6d0b-4a43-9f5e-0d8a7c2b4e01",
        clock_offset=0.5,
        cpus=56,
        cores=tuple(Core((cpu, cpu + 28), cpu // 14) for cpu in range(28)),
        memory=263856316 << 10,
        fuse="opens",
        shm=131928156 << 10,
        memlock=64 << 20,
        rdma_devices=tuple(f"/dev/infiniband/{name}" for name in ("issm0", "rdma_cm", "umad0", "uverbs0")),
        rdma_adapters=("mlx5_0",),
        interfaces=(
            Interface("docker0", 1500, None, ("172.17.0.1",)),
            Interface("eno1", 1500, 1000, ("192.168.10.21",)),
            Interface("enp130s0f0", 9000, 100000, ("10.0.0.1", "fe80::ba59:9fff:fe34:1a2c")),
            Interface("lo", 65536, None, ("127.0.0.1", "::1")),
        ),
        ports_in_use=frozenset({22, 20000}),
        sshd=SshdLimits("10:30:60", 4, effective=False),
        engine=EngineFacts(
            *("24.0.7", "/data/docker", "overlay2", ("io.containerd.runc.v2", "nvidia", "runc")),
            cpuset=True,
            kernel="5.15.0-112-generic",
        ),
        images=Room("/data/docker", 880000000 << 10, writable=False),
        scratch=Room("/var/tmp", 335209812 << 10, writable=True),
        driver="535.104.05",
        gpus=tuple(
            Gpu(number, f"{uuid}{number + 1}", "Tesla P100-SXM2-16GB", 16384, used, "Enabled", errors, number // 2)
            for number, (used, errors) in enumerate([(0, 0), (0, 0), (9821, 0), (3, 2)])
        ),
    )


def test_a_host_with_busybox_alone() -> None:
    facts = facts_of("busybox")
    assert facts.interfaces == (
        Interface("docker0", 1500, None, ("172.17.0.1",)),
        Interface("eth0", 1400, None, ("10.0.0.2", "fd00::2")),
        Interface("lo", 65536, None, ("127.0.0.1", "::1")),
    )
    assert (facts.fuse, facts.shm, facts.memlock) == ("missing", 64 << 20, -1)
    assert facts.sshd == SshdLimits("10:30:100", 10, effective=False)
    assert facts.scratch == Room("/var", 3632308 << 10, writable=False)
    # Its clock tells whole seconds, 1718000000 both times: half a second further on average.
    assert facts.clock_offset == 0.0
    said = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
    assert facts.engine == EngineFacts(said=f"{said} errors pretty printing info")
    assert (facts.images, facts.driver, facts.gpus, facts.gpu_trouble) == (None, "", (), "")


def test_a_host_with_podman() -> None:
    assert facts_of("podman").engine == EngineFacts(
        "4.3.1",
        "/home/trainer/.local/share/containers/storage",
        "overlay",
        ("crun",),
        kernel="6.1.0-18-amd64",
        own=True,
        pids=True,
    )


@pytest.mark.parametrize(
    ("printed", "trouble"),
    [
        ("missing\n", ""),
        (
            "NVIDIA-SMI has failed because it couldn't communicate\nstatus 9\n",
            "NVIDIA-SMI has failed because it couldn't",
        ),
        ("status 124\n", "nvidia-smi does not answer"),
        ("No devices were found\nstatus 0\n", "No devices were found"),
    ],
)
def test_why_no_gpu_is_listed(printed: str, trouble: str) -> None:
    facts = host_facts("h", Printed(f"@toolkit gpus\n{printed}", 0, 0))
    assert facts.gpus == ()
    assert facts.gpu_trouble.startswith(trouble)
    assert bool(facts.gpu_trouble) == bool(trouble)


def test_gpus_that_count_no_errors() -> None:
    line = "0, GPU-1, NVIDIA GeForce RTX 2080 Ti, 550.54.14, 11264, 1, [N/A], [N/A], 00000000:01:00.0"
    facts = host_facts("h", Printed(f"@toolkit gpus\n{line}\nstatus 0\n", 0, 0))
    assert facts.gpus == (Gpu(0, "GPU-1", "NVIDIA GeForce RTX 2080 Ti", 11264, 1, "[N/A]", None),)
    assert facts.driver == "550.54.14"


@pytest.mark.parametrize(("printed", "node"), [("0000:3b:00.0 1", 1), ("0000:3B:00.0 0", 0), ("0000:3b:00.0 -1", None)])
def test_the_numa_node_of_a_gpu(printed: str, node: int | None) -> None:
    line = "0, GPU-1, Tesla V100-PCIE-32GB, 550.54.14, 32768, 1, Enabled, 0, 00000000:3B:00.0"
    text = f"@toolkit gpus\n{line}\nstatus 0\n@toolkit gpu_nodes\n{printed}\n0000:3c:00.0 2\nnonsense\n"
    assert [gpu.node for gpu in host_facts("h", Printed(text, 0, 0)).gpus] == [node]


def test_the_driver_of_open_kernel_modules_is_read_without_nvidia_smi() -> None:
    text = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder)\n"
    assert host_facts("h", Printed(f"@toolkit driver\n{text}", 0, 0)).driver == "570.86.15"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Tesla P100-SXM2-16GB", "p100"),
        ("Tesla V100-PCIE-32GB", "v100"),
        ("Tesla K80", "k80"),
        ("NVIDIA A100 80GB PCIe", "a100"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 NVL", "h100"),
        ("NVIDIA GeForce RTX 2080 Ti", "rtx2080ti"),
        ("GeForce GTX 1080 Ti", "gtx1080ti"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA H200", "h200"),
        ("", ""),
    ],
)
def test_the_kind_of_a_gpu(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_a_kind_is_the_same_however_it_is_spelled() -> None:
    assert same_kind("RTX-2080-Ti", "rtx2080ti")
    assert not same_kind("p100", "p10")


def test_the_one_address_in_a_network() -> None:
    facts = facts_of("p100")
    assert facts.address_in("10.0.0.0/16") == "10.0.0.1"
    assert facts.place_in("10.0.0.0/16")[0].name == "enp130s0f0"
    with pytest.raises(
        ToolkitError, match=r"needs exactly one address in the cluster's network 10.9.0.0/16, found none"
    ):
        facts.address_in("10.9.0.0/16")
    with pytest.raises(
        ToolkitError, match=r"found 172.17.0.1 on docker0, 192.168.10.21 on eno1, 10.0.0.1 on enp130s0f0"
    ):
        facts.address_in("0.0.0.0/0")


def test_a_clock_is_compared_in_the_middle_of_the_way() -> None:
    def offset(begin: str, end: str) -> float | None:
        text = f"@toolkit begin\n{begin}\n@toolkit end\n{end}\n"
        return host_facts("h", Printed(text, 1000.0, 1002.0)).clock_offset

    assert offset("1000.5", "1001.5") == 0.0
    assert offset("1070.5", "1071.5") == 70.0
    assert offset("930.5", "931.5") == -70.0
    assert offset("", "1001.5") is None


def test_what_a_login_shell_says_first_is_no_fact() -> None:
    assert facts_of("p100").whole
    assert not host_facts("h", Printed("Welcome\nNLP node\n", 0, 0)).whole


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert host_facts("h", Printed(text, 0.0, 1.0)).name == "h"


@given(st.dictionaries(st.sampled_from(SECTIONS), st.text()))
def test_any_text_in_sections_is_read(sections: dict[str, str]) -> None:
    text = "".join(f"{MARK}{name}\n{body}\n" for name, body in sections.items())
    facts = host_facts("h", Printed(text, 0.0, 1.0))
    assert facts.addresses_in("0.0.0.0/0") is not None
    assert facts.sshd is None or facts.sshd.startups >= 0


@given(st.sampled_from(["p100", "busybox", "podman"]), st.data())
def test_a_recording_that_is_cut_and_spoilt_is_read(recording: str, data: st.DataObject) -> None:
    text = text_of(recording)
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 80))
    spoilt = text[:at] + data.draw(st.text(max_size=40)) + text[at + length :]
    cut = spoilt[: data.draw(st.integers(0, len(spoilt)))]
    for facts in (host_facts("h", Printed(spoilt, 0, 1)), host_facts("h", Printed(cut, 0, 1))):
        assert all(one.kind == kind_of(one.name) for one in facts.gpus)


@pytest.mark.parametrize(
    ("said", "account"), [("", ""), ("ada:x:61000:61000:Ada:/home/ada:/bin/sh", "ada"), ("\n", ""), (":x:61000", "")]
)
def test_who_has_the_learners_uid_is_read(said: str, account: str) -> None:
    assert host_facts("h", Printed(f"@toolkit learner\n{said}\n@toolkit end\n", 0, 0)).learner_account == account


def test_the_program_asks_for_the_account_with_the_learners_uid() -> None:
    argv = question("docker", "")
    assert "learner_uid=61000" in argv
    asked = [word.replace("learner_uid=61000", f"learner_uid={os.getuid()}") for word in argv]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert host_facts("h", Printed(done.stdout, 0, 0)).learner_account == pwd.getpwuid(os.getuid()).pw_name


def test_the_program_is_a_posix_shell_s() -> None:
    argv = question("docker", "/var/tmp/a b")
    assert argv[:4] == ["sh", "-c", program(), "sh"]
    assert argv[4:6] == ["docker", "/var/tmp/a b"]
    done = subprocess.run(["sh", "-n", "-c", program()], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ""),
        ("-P INPUT ACCEPT", "open"),
        ("-P INPUT DROP\n-A INPUT -i lo -j ACCEPT", "closed"),
        (
            "table inet filter {\n\tchain in {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}",
            "closed",
        ),
        ("-P INPUT ACCEPT\n\t\ttype filter hook input priority 0; policy drop;", "closed"),
        ("\t\ttype filter hook forward priority 0; policy drop;", ""),
    ],
)
def test_a_firewall_is_closed_where_one_of_its_chains_is(said: str, found: str) -> None:
    assert host_facts("h", Printed(f"@toolkit firewall\n{said}\n@toolkit end\n", 0, 0)).firewall == found
