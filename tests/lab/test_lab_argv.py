"""Command lines are values: compared as lists."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.lab import lab_argv
from toolkit.lab.model import Lab
from toolkit.runtimes.docker import list_names, list_values

LAB = Lab("lab", Path("/home/me/labs/lab"))
LABELS = ["--label", "toolkit.lab=lab", "--label", "toolkit.lab.folder=/home/me/labs/lab"]


def test_a_host_has_its_own_name_disk_and_control_groups() -> None:
    assert lab_argv.start_host(LAB, 2, "lab-host:abc", "ssh-ed25519 AAAA") == [
        *("docker", "run", "--detach", "--init", "--pull", "never", "--name", "toolkit-lab-lab-2"),
        *(*LABELS, "--label", "toolkit.lab.host=2", "--hostname", "lab-2", "--network", "toolkit-lab-lab"),
        *("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE", "--cap-add", "SYS_CHROOT"),
        *("--cap-add", "MKNOD", "--cap-add", "DAC_READ_SEARCH", "--cap-add", "IPC_LOCK", "--cap-add", "SYS_NICE"),
        *("--cap-add", "LINUX_IMMUTABLE", "--security-opt", "seccomp=unconfined"),
        *("--security-opt", "apparmor=unconfined", "--security-opt", "systempaths=unconfined"),
        *("--device", "/dev/fuse", "--device-cgroup-rule", "a *:* rwm", "--cgroupns", "private"),
        *("--mount", "type=volume,source=toolkit-lab-lab-2,target=/var/lib/docker"),
        *("--env", "TOOLKIT_LAB_KEY=ssh-ed25519 AAAA", "lab-host:abc", "sh", "/usr/local/lib/lab-host.sh"),
    ]


def test_no_host_is_privileged_or_publishes_a_port() -> None:
    argv = lab_argv.start_host(LAB, 1, "i", "k")
    assert not {"--privileged", "--publish", "-p", "--publish-all"} & set(argv)


@given(st.characters(exclude_categories=["Cs", "Cc"]))
def test_everything_carries_the_labs_name_and_its_folder(odd: str) -> None:
    lab = Lab("lab", Path(f"/home/{odd}x"))
    for argv in (
        lab_argv.create_network(lab),
        lab_argv.create_disk(lab, 1),
        lab_argv.start_host(lab, 1, "i", "k"),
    ):
        labels = [word for before, word in pairwise(argv) if before == "--label"]
        assert labels[:2] == ["toolkit.lab=lab", f"toolkit.lab.folder={lab.folder}"]


def test_what_belongs_to_a_lab_is_listed_by_label_running_or_not() -> None:
    assert list_names("docker", "container", f"{lab_argv.LAB_LABEL}=lab") == [
        *("docker", "container", "ls", "--all", "--filter", "label=toolkit.lab=lab", "--format", "{{.Names}}"),
    ]
    assert list_names("docker", "volume", f"{lab_argv.LAB_LABEL}=lab") == [
        *("docker", "volume", "ls", "--filter", "label=toolkit.lab=lab", "--format", "{{.Name}}"),
    ]
    assert list_values("docker", "network", lab_argv.LAB_LABEL) == [
        *("docker", "network", "ls", "--filter", "label=toolkit.lab", "--format", '{{.Label "toolkit.lab"}}'),
    ]


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (
            lab_argv.create_network(LAB),
            f"docker network create --driver bridge {' '.join(LABELS)} toolkit-lab-lab",
        ),
        (lab_argv.create_disk(LAB, 3), f"docker volume create {' '.join(LABELS)} toolkit-lab-lab-3"),
        (lab_argv.inspect("container", ["a", "b"]), "docker container inspect a b"),
        (lab_argv.host_key("c"), "docker exec c cat /etc/ssh/ssh_host_ed25519_key.pub"),
        (lab_argv.engine_version("c"), "docker exec c docker version --format {{.Server.Version}}"),
        (lab_argv.last_lines("c", 20), "docker logs --tail 20 c"),
    ],
)
def test_short_lines_are_what_a_person_would_type(argv: list[str], line: str) -> None:
    assert " ".join(argv) == line
