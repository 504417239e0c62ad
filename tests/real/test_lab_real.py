"""A lab for real: hosts that behave like bare metal, and no trace of them afterwards."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.image.tool_images import lab_recipe
from toolkit.image.version import read_inputs
from toolkit.lab.create import BringUp, take_down
from toolkit.lab.model import lab_named
from toolkit.paths import assets
from toolkit.progress import silent

from .bench import Bench, interrupt
from .lab import NAME, RealLab, bring_up

OTHER = f"{NAME}-other"
SIDE = (
    "docker run --detach --init --name {name} --network host --cap-drop ALL --cap-add SYS_ADMIN --cap-add DAC_OVERRIDE "
    "--cap-add CHOWN --cap-add FOWNER --device /dev/fuse --security-opt apparmor=unconfined "
    "--tmpfs /run/private:mode=0700 --mount type=bind,source={folder},target=/run/host,bind-propagation=rshared "
    "{image} sh -c 'mkdir -p /run/host/mnt/data /files; echo seen > /files/a; "
    "exec rclone mount /files /run/host/mnt/data --allow-other --config /run/private/none'"
)
LEARNER = (
    "docker run --rm --user 1000:1000 --cap-drop ALL "
    "--mount type=bind,source={folder}/mnt,target=/mnt,bind-propagation=rslave {image} cat /mnt/data/a"
)


def docker(*words: str) -> list[str]:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.split()


def things(name: str) -> dict[str, list[str]]:
    """What the engine and the checkout have of a lab."""
    label = ("--filter", f"label=toolkit.lab={name}")
    return {
        "containers": docker("ps", "--all", *label, "--format", "{{.Names}}"),
        "volumes": docker("volume", "ls", *label, "--format", "{{.Name}}"),
        "networks": docker("network", "ls", *label, "--format", "{{.Name}}"),
        "files": [str(file) for file in (assets() / "clusters").glob(f"{name}.yml")],
    }


NOTHING: dict[str, list[str]] = {"containers": [], "volumes": [], "networks": [], "files": []}


def control_groups(container_id: str) -> list[str]:
    """Those of a container, and of what ran inside it."""
    found = subprocess.run(
        ["find", "/sys/fs/cgroup", "-type", "d", "-path", f"*{container_id}*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.split()


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Bench]:
    """A home for a lab `OTHER` that a test makes itself."""
    bench = Bench(tmp_path / "home")
    yield bench
    bench.ok("lab", "down", "--name", OTHER)
    assert things(OTHER) == NOTHING


def test_two_hosts_are_up_in_seconds(lab: RealLab) -> None:
    assert lab.hosts == [f"{NAME}-1", f"{NAME}-2"]
    assert lab.facts["seconds"] < 15


def test_each_host_has_its_own_name_engine_and_overlay(lab: RealLab) -> None:
    for host in lab.hosts:
        assert lab.ok(host, "hostname") == host
        assert lab.ok(host, "docker version --format '{{.Server.Version}}'") == "20.10.24+dfsg1"
        info = json.loads(lab.ok(host, "docker info --format '{{json .}}'"))
        assert (info["Name"], info["Driver"], info["Swarm"]["LocalNodeState"]) == (host, "overlay2", "inactive")
    assert len({lab.ok(host, "docker info --format '{{.ID}}'") for host in lab.hosts}) == 2


def test_a_user_of_the_group_docker_drives_the_engine_too(lab: RealLab) -> None:
    assert lab.ok(lab.hosts[0], "id -u; docker ps --quiet", user="operator") == "1001"


def test_a_host_with_another_ones_key_is_refused(lab: RealLab, tmp_path: Path) -> None:
    lines = [line.split(" ", 1) for line in Path(lab.facts["known_hosts"]).read_text().splitlines()]
    swapped = tmp_path / "known_hosts"
    swapped.write_text(f"{lines[0][0]} {lines[1][1]}\n{lines[1][0]} {lines[0][1]}\n")
    done = lab.ssh(lab.hosts[0], "true", known_hosts=swapped)
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_hosts_reach_each_other_and_this_machine(lab: RealLab) -> None:
    first, second = lab.hosts
    for address in (lab.address(second), second):  # the network has names, too
        assert lab.ok(first, f"exec 3<> /dev/tcp/{address}/22; head -c 4 <&3") == "SSH-"
    with socket.create_server((lab.facts["operator"], 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].sendall(b"operator\n"), daemon=True).start()
        assert lab.ok(first, f"head -1 < /dev/tcp/{lab.facts['operator']}/{server.getsockname()[1]}") == "operator"


def test_an_image_of_one_host_is_not_on_the_other(lab: RealLab, buckets_image: str) -> None:
    first, second = lab.hosts
    lab.give(first, buckets_image)
    images = "docker image ls --format '{{.Repository}}:{{.Tag}}'"
    assert (lab.ok(first, images), lab.ok(second, images)) == (buckets_image, "")


def test_a_side_container_mounts_for_a_learner_that_may_not(lab: RealLab, buckets_image: str) -> None:
    host = lab.hosts[0]
    lab.give(host, buckets_image)
    folder = lab.ok(host, "docker volume create stage > /dev/null; docker volume inspect -f '{{.Mountpoint}}' stage")
    lab.ok(host, SIDE.format(name="side", folder=folder, image=buckets_image))
    until(lambda: "rclone" in lab.ok(host, "grep fuse /proc/mounts || true"))
    assert lab.ok(host, LEARNER.format(folder=folder, image=buckets_image)) == "seen"
    lab.ok(host, f"docker rm --force side; umount {folder}/mnt/data 2> /dev/null; docker volume rm stage")
    assert lab.ok(host, "grep fuse.rclone /proc/mounts || true; docker ps --all --quiet") == ""


def test_a_container_on_the_hosts_network_has_the_hosts_address(lab: RealLab, buckets_image: str) -> None:
    host = lab.hosts[0]
    lab.give(host, buckets_image)
    run = f"docker run --rm --network host --shm-size 300m --tmpfs /t:size=7m --device /dev/fuse {buckets_image}"
    assert lab.address(host) in lab.ok(host, f"{run} cat /proc/net/fib_trie")
    sizes = lab.ok(host, f"{run} df --output=size --block-size=1M /dev/shm /t").split()
    assert sizes[-2:] == ["300", "7"]
    assert lab.ok(host, f"{run} stat -c %F /dev/fuse") == "character special file"


def test_an_engine_can_be_stopped_while_the_host_stays(lab: RealLab) -> None:
    host = lab.hosts[1]
    lab.ok(host, "service docker stop")
    assert "Cannot connect to the Docker daemon" in lab.ssh(host, "docker ps").stderr
    lab.ok(host, "service docker start")
    until(lambda: lab.ssh(host, "docker ps").returncode == 0)


def test_up_again_changes_nothing(lab: RealLab) -> None:
    before = lab.cluster_file.read_text(), Path(lab.facts["known_hosts"]).read_text(), things(NAME)
    again = bring_up(lab.bench)
    assert (again.facts["made"], again.facts["removed"]) == ([], [])
    assert (lab.cluster_file.read_text(), Path(lab.facts["known_hosts"]).read_text(), things(NAME)) == before


def test_hosts_come_and_go_while_the_others_stay(lab: RealLab) -> None:
    lab.ok(lab.hosts[0], "touch /root/stays")
    more = bring_up(lab.bench, hosts=3)
    assert (more.facts["made"], more.facts["removed"]) == ([f"{NAME}-3"], [])
    assert more.ok(f"{NAME}-3", "hostname") == f"{NAME}-3"
    fewer = bring_up(lab.bench, hosts=2)
    assert (fewer.facts["made"], fewer.facts["removed"]) == ([], [f"{NAME}-3"])
    assert fewer.ok(lab.hosts[0], "ls /root") == "stays"
    assert sorted(things(NAME)["volumes"]) == [f"toolkit-lab-{host}" for host in lab.hosts]


def test_show_tells_every_host(lab: RealLab) -> None:
    hosts = json.loads(lab.bench.ok("lab", "show", "--json").stdout)["labs"][NAME]
    assert [(host["name"], host["address"], host["running"]) for host in hosts] == [
        (host, lab.address(host), True) for host in lab.hosts
    ]


def test_a_lab_of_another_home_is_left_alone(lab: RealLab, tmp_path: Path) -> None:
    done = Bench(tmp_path).run("lab", "up", "--name", NAME)
    assert (done.returncode, f"lab `{NAME}` is already up" in done.stderr) == (2, True)
    assert lab.ok(lab.hosts[0], "hostname") == lab.hosts[0]


@pytest.mark.parametrize("noun", ["network", "volume", "container"])
def test_an_interrupted_up_leaves_nothing(lab: RealLab, other: Bench, noun: str) -> None:
    process = other.start("lab", "up", "--name", OTHER)
    until(lambda: docker(noun, "ls", "--filter", f"label=toolkit.lab={OTHER}", "--quiet"))
    interrupt(process)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert things(OTHER) == NOTHING
    assert not (other.home / "labs").exists()


def test_an_interrupt_while_hosts_are_added_takes_only_those(lab: RealLab) -> None:
    process = lab.bench.start("lab", "up", "--name", NAME, "--hosts", "4")
    until(lambda: f"toolkit-lab-{NAME}-3" in things(NAME)["containers"])
    interrupt(process)
    assert process.wait(timeout=60) == 130
    assert sorted(things(NAME)["containers"]) == [f"toolkit-lab-{host}" for host in lab.hosts]
    assert sorted(things(NAME)["volumes"]) == [f"toolkit-lab-{host}" for host in lab.hosts]
    assert lab.ok(lab.hosts[1], "hostname") == lab.hosts[1]


def test_what_a_killed_up_left_is_taken_over_by_the_next_and_by_down(lab: RealLab, other: Bench) -> None:
    for _ in range(2):  # once nothing of the first try was whole, once its hosts were
        process = other.start("lab", "up", "--name", OTHER)
        until(lambda: things(OTHER)["containers"])
        process.kill()
        process.wait()
        repaired = bring_up(other, OTHER)
        assert [repaired.ok(host, "hostname") for host in repaired.hosts] == repaired.hosts
    other.ok("lab", "down", "--name", OTHER)
    assert things(OTHER) == NOTHING
    assert not (other.home / "labs").exists()


def test_a_host_that_does_not_start_is_named_with_its_last_lines(lab: RealLab, tmp_path: Path) -> None:
    broken, image = lab_named(OTHER, tmp_path), f"{NAME}-broken"
    start = "echo 'echo no disk in the drive; exit 5' > /usr/local/lib/lab-host.sh"
    dockerfile = f"FROM {read_inputs(lab_recipe()).reference}\nRUN {start}\n"
    subprocess.run(["docker", "build", "--tag", image, "-"], input=dockerfile.encode(), check=True, capture_output=True)
    try:
        with pytest.raises(ToolkitError) as caught:
            BringUp(broken, 2, image, silent).run()
    finally:
        docker("image", "rm", image)
    assert caught.value.what in {f"host {OTHER}-{number} of the lab exited during startup" for number in (1, 2)}
    assert caught.value.evidence.strip() == "no disk in the drive"
    assert things(OTHER) == NOTHING


def test_down_leaves_nothing_even_of_what_runs_inside(other: Bench, buckets_image: str) -> None:
    up = bring_up(other, OTHER, hosts=1)
    (host,) = up.hosts
    up.give(host, buckets_image)
    folder = up.ok(host, "docker volume create stage > /dev/null; docker volume inspect -f '{{.Mountpoint}}' stage")
    up.ok(host, SIDE.format(name="side", folder=folder, image=buckets_image))
    until(lambda: "rclone" in up.ok(host, "grep fuse /proc/mounts || true"))
    (container_id,) = docker("ps", "--no-trunc", "--quiet", "--filter", f"label=toolkit.lab={OTHER}")
    assert len(control_groups(container_id)) > 1
    before = Path("/proc/self/mounts").read_text().count("fuse.rclone")
    gone = json.loads(other.ok("lab", "down", "--name", OTHER, "--json").stdout)["removed"]
    assert len(gone) == 6  # a container, a volume, a network, the key, known_hosts, the cluster file
    assert things(OTHER) == NOTHING
    assert control_groups(container_id) == []
    assert Path("/proc/self/mounts").read_text().count("fuse.rclone") == before
    assert not (other.home / "labs").exists()
    assert json.loads(other.ok("lab", "down", "--name", OTHER, "--json").stdout)["removed"] == []
    assert take_down(lab_named(OTHER, other.home)) == []
