"""Command lines are values: compared as lists."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.runtimes.docker import Docker
from toolkit.runtimes.docker_run import limit_options, mount_argument
from toolkit.runtimes.podman import Podman
from toolkit.runtimes.specs import HOST_NETWORK, AgentContainerSpec, Bind, LearnerContainerSpec, Limits, Network

DOCKER = Docker()

CONFINED = ("--security-opt", "no-new-privileges", "--pids-limit", "4096")

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


def test_a_learner_is_unprivileged_and_on_the_runs_network() -> None:
    argv = DOCKER.start_learner(
        LearnerContainerSpec(
            "toolkit-r-learner-2",
            "r",
            "sha256:abc",
            hostname="learner-2",
            network=Network("toolkit-r"),
            binds=[Bind("/v/mnt", "/mnt", propagation="rslave"), Bind("/v/learner-2", "/run/learner", read_only=True)],
            environment={"B": "2", "A": "1"},
            folder="/job/code",
            command=("/bin/sh", "/run/learner/entry.sh"),
        )
    )
    assert argv == [
        *("docker", "run", "--detach", "--init", "--name", "toolkit-r-learner-2", "--label", "toolkit.run=r"),
        *("--hostname", "learner-2", "--network", "toolkit-r", "--network-alias", "learner-2"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--shm-size", "1g"),
        *("--env", "A=1", "--env", "B=2"),
        *("--mount", "type=bind,source=/v/mnt,target=/mnt,bind-propagation=rslave"),
        *("--mount", "type=bind,source=/v/learner-2,target=/run/learner,readonly"),
        *("--workdir", "/job/code", "sha256:abc", "/bin/sh", "/run/learner/entry.sh"),
    ]


def test_on_a_hosts_own_network_a_learner_knows_the_others_and_has_its_gpus_and_adapters() -> None:
    argv = DOCKER.start_learner(
        LearnerContainerSpec(
            "toolkit-r-learner-1",
            "r",
            "sha256:abc",
            hostname="learner-1",
            network=Network(HOST_NETWORK, (("learner-1", "10.0.0.1"), ("learner-2", "10.0.0.2"))),
            binds=[],
            environment={},
            folder="/job/code",
            command=("true",),
            gpus=("GPU-a", "GPU-b"),
            devices=("/dev/infiniband",),
        )
    )
    assert argv == [
        *("docker", "run", "--detach", "--init", "--name", "toolkit-r-learner-1", "--label", "toolkit.run=r"),
        *("--hostname", "learner-1", "--network", "host"),
        *("--add-host", "learner-1:10.0.0.1", "--add-host", "learner-2:10.0.0.2"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--shm-size", "1g"),
        *("--gpus", '"device=GPU-a,GPU-b"', "--device", "/dev/infiniband"),
        *("--ulimit", "memlock=-1", "--cap-add", "IPC_LOCK", "--workdir", "/job/code", "sha256:abc", "true"),
    ]


def test_the_side_container_may_mount_and_nothing_more() -> None:
    argv = DOCKER.start_side_container("s", "r", "image", [Bind("/v", "/run/host", propagation="rshared")], ["x"])
    assert argv == [
        *("docker", "run", "--detach", "--rm", "--init", "--name", "s", "--label", "toolkit.run=r"),
        *("--cap-drop", "ALL", *CONFINED, "--cap-add", "SYS_ADMIN"),
        *("--cap-add", "DAC_OVERRIDE", "--cap-add", "CHOWN", "--cap-add", "FOWNER"),
        *("--tmpfs", "/run/private:mode=0700", "--network", "host", "--device", "/dev/fuse"),
        *("--security-opt", "apparmor=unconfined"),
        *("--mount", "type=bind,source=/v,target=/run/host,bind-propagation=rshared"),
        *("image", "x"),
    ]


def test_the_agent_has_no_network_no_device_and_may_mount_nothing() -> None:
    folder = Bind("/volumes/v/_data", "/run/host")
    argv = DOCKER.start_agent(
        AgentContainerSpec("a", "r", "image", folder, [Bind("/s", "/run/engine.sock")], ["x"], "0-3,8", "a record")
    )
    assert argv == [
        *("docker", "run", "--detach", "--rm", "--init", "--name", "a", "--label", "toolkit.run=r"),
        *("--cap-drop", "ALL", *CONFINED, "--cap-add", "DAC_OVERRIDE"),
        *("--cap-add", "CHOWN", "--cap-add", "FOWNER", "--tmpfs", "/run/private:mode=0700"),
        *("--label", "toolkit.cpus=0-3,8", "--label", "toolkit.lease=a record", "--network", "none"),
        *("--volume", "/volumes/v/_data:/run/host"),
        *("--mount", "type=bind,source=/s,target=/run/engine.sock", "image", "x"),
    ]
    assert "toolkit.cpus" not in " ".join(DOCKER.start_agent(AgentContainerSpec("a", "r", "image", folder, [], ["x"])))


def test_the_store_is_its_owners_and_read_only_but_for_its_folder() -> None:
    argv = DOCKER.start_store("s", "r", "image", [Bind("/home/me/buckets", "/buckets")], "1001:1001", ["x"])
    assert argv == [
        *("docker", "run", "--detach", "--rm", "--init", "--name", "s", "--label", "toolkit.run=r"),
        *("--network", "host", "--user", "1001:1001", "--cap-drop", "ALL", *CONFINED, "--read-only"),
        *("--tmpfs", "/tmp:mode=1777", "--tmpfs", "/run/private:mode=1777"),
        *("--mount", "type=bind,source=/home/me/buckets,target=/buckets", "image", "x"),
    ]


def test_a_check_has_no_network_and_leaves_no_container() -> None:
    binds, environment = [Bind("/m", "/model", True)], {"HOME": "/tmp", "A": "1"}
    assert DOCKER.check_in_image("image", "r", "1001:1001", binds, environment, ["python"]) == [
        *("docker", "run", "--rm", "--init", "--label", "toolkit.run=r", "--user", "1001:1001", "--network", "none"),
        *("--cap-drop", "ALL", *CONFINED, "--tmpfs", "/tmp"),
        *("--env", "A=1", "--env", "HOME=/tmp"),
        *("--mount", "type=bind,source=/m,target=/model,readonly", "image", "python"),
    ]


def test_a_served_model_has_no_network_writes_nowhere_and_ends_with_its_input() -> None:
    binds, limits = [Bind("/m", "/model", True)], Limits(memory=1000)
    assert DOCKER.serve_in_image("image", "r", "1001:1001", binds, {"HOME": "/tmp"}, limits, ["python"]) == [
        *("docker", "run", "--rm", "--init", "--interactive", "--label", "toolkit.run=r"),
        *("--log-driver", "none", "--user", "1001:1001"),
        *("--network", "none", "--cap-drop", "ALL", *CONFINED, "--read-only", "--tmpfs", "/tmp"),
        *("--memory", "1000", "--memory-swap", "1000", "--env", "HOME=/tmp"),
        *("--mount", "type=bind,source=/m,target=/model,readonly", "image", "python"),
    ]


def test_every_resource_carries_the_runs_label() -> None:
    label = ["--label", "toolkit.run=r"]
    for argv in (
        DOCKER.create_volume("v", "r"),
        DOCKER.create_export_volume("v", "r", "filer", "/x"),
        DOCKER.create_network("n", "r"),
        DOCKER.start_side_container("s", "r", "i", [], []),
        DOCKER.start_agent(AgentContainerSpec("a", "r", "i", Bind("/v", "/h"), [], [])),
        DOCKER.start_store("s", "r", "i", [], "0:0", []),
        DOCKER.owner_of_folder(Bind("/f", "/b"), "r", "i"),
        DOCKER.check_in_image("i", "r", "0:0", [], {}, []),
        DOCKER.serve_in_image("i", "r", "0:0", [], {}, Limits(), []),
    ):
        at = argv.index("--label")
        assert argv[at : at + 2] == label


def test_the_runs_own_are_listed_by_label() -> None:
    assert DOCKER.list_of_run("container", "r") == [
        *("docker", "container", "ls", "--all", "--filter", "label=toolkit.run=r", "--format", "{{.Names}}"),
    ]
    assert DOCKER.list_of_run("volume", "r") == [
        *("docker", "volume", "ls", "--filter", "label=toolkit.run=r", "--format", "{{.Name}}"),
    ]


def test_an_nfs_servers_export_is_a_volume_that_is_only_read() -> None:
    """The engine's own words: no NFS server was at hand to mount one from."""
    assert DOCKER.create_export_volume("v", "r", "filer.example.org", "/export/a b") == [
        *("docker", "volume", "create", "--label", "toolkit.run=r", "--driver", "local"),
        *("--opt", "type=nfs", "--opt", "o=addr=filer.example.org,ro", "--opt", "device=:/export/a b", "v"),
    ]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(), []),
        (Limits(memory=1 << 30), ["--memory", "1073741824", "--memory-swap", "1073741824"]),
        (Limits(cpus=26), ["--cpus", "26"]),
        (Limits(processes=4096), ["--pids-limit", "4096"]),
        (Limits(cpus=0.5), ["--cpus", "0.5"]),
        (Limits(cpuset="0-3,8"), ["--cpuset-cpus", "0-3,8"]),
    ],
)
def test_limits_are_the_engines_own_words(limits: Limits, words: list[str]) -> None:
    assert limit_options(limits) == words


@given(NAMES, NAMES)
def test_a_folder_of_any_name_survives_as_a_mount(source: str, target: str) -> None:
    (fields,) = csv.reader([mount_argument(Bind(source, target, True))])
    assert fields == ["type=bind", f"source={source}", f"target={target}", "readonly"]


def test_stdin_is_passed_on_only_where_it_is_wanted() -> None:
    assert DOCKER.execute("c", ["cat"]) == ["docker", "exec", "c", "cat"]
    assert DOCKER.execute("c", ["cat"], stdin=True) == ["docker", "exec", "--interactive", "c", "cat"]


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (DOCKER.create_volume("v", "r"), "docker volume create --label toolkit.run=r v"),
        (DOCKER.volume_folder("v"), "docker volume inspect --format {{.Mountpoint}} v"),
        (DOCKER.create_network("n", "r"), "docker network create --driver bridge --label toolkit.run=r n"),
        (DOCKER.logs("c"), "docker logs c"),
        (DOCKER.status_of("c"), "docker container inspect --format {{.State.Status}} c"),
        (DOCKER.volumes_folder(), "docker info --format {{.DockerRootDir}}/volumes"),
        (Podman().volumes_folder(), "podman info --format {{.Store.VolumePath}}"),
        (DOCKER.socket(), "docker context inspect --format {{.Endpoints.docker.Host}}"),
        (Podman().socket(), "podman info --format {{.Host.RemoteSocket.Path}}"),
        (DOCKER.remove("container", "c"), "docker rm --force --volumes c"),
        (DOCKER.remove("volume", "v"), "docker volume rm v"),
        (DOCKER.remove("network", "n"), "docker network rm n"),
        (DOCKER.volumes_named("v"), "docker volume ls --filter name=v --format {{.Name}}"),
        (
            DOCKER.list_of_run("network", "r"),
            "docker network ls --filter label=toolkit.run=r --format {{.Name}}",
        ),
    ],
)
def test_short_lines_are_what_a_person_would_type(argv: list[str], line: str) -> None:
    assert " ".join(argv) == line


def test_the_runs_on_a_host_are_found_by_their_label() -> None:
    assert DOCKER.runs_of("container") == [
        *("docker", "container", "ls", "--all", "--filter", "label=toolkit.run"),
        *("--format", '{{.Label "toolkit.run"}}'),
    ]
    assert "--all" not in DOCKER.runs_of("volume")


def test_a_file_of_a_volume_is_read_by_someone_without_network_or_rights() -> None:
    assert DOCKER.read_from_volume("v", "sha256:abc", "state.json") == [
        *("docker", "run", "--rm", "--network", "none", "--cap-drop", "ALL", *CONFINED),
        *("--mount", "type=volume,source=v,target=/volume,readonly"),
        *("--entrypoint", "cat", "sha256:abc", "/volume/state.json"),
    ]


def test_a_subnet_is_asked_for_in_one_word() -> None:
    assert DOCKER.network_subnet("n") == [
        *("docker", "network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", "n"),
    ]


@given(st.text(), st.text())
def test_a_value_stays_one_word_whatever_it_holds(value: str, folder: str) -> None:
    argv = DOCKER.start_learner(
        LearnerContainerSpec(
            "c",
            "r",
            "i",
            hostname="h",
            network=Network("n"),
            binds=[],
            environment={"K": value},
            folder=folder,
            command=[value],
        )
    )
    assert argv[argv.index("--env") + 1] == f"K={value}"
    assert argv[argv.index("--workdir") + 1 :] == [folder, "i", value]
