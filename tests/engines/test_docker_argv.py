"""Command lines are values: compared as lists."""

from __future__ import annotations

import csv

from hypothesis import given
from hypothesis import strategies as st

from toolkit.engines import docker_argv
from toolkit.engines.docker_argv import Bind

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


def test_a_learner_is_unprivileged_and_on_the_runs_network() -> None:
    argv = docker_argv.start_learner(
        "toolkit-r-learner-2",
        "r",
        "sha256:abc",
        hostname="learner-2",
        network="toolkit-r",
        binds=[Bind("/v/mnt", "/mnt", propagation="rslave"), Bind("/v/learner-2", "/run/learner", read_only=True)],
        environment={"B": "2", "A": "1"},
        folder="/job/code",
        command=("/bin/sh", "/run/learner/entry.sh"),
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


def test_the_side_container_may_mount_and_nothing_more() -> None:
    argv = docker_argv.start_side_container("s", "r", "image", [Bind("/v", "/run/host", propagation="rshared")], ["x"])
    capabilities = [argv[index + 1] for index, word in enumerate(argv) if word == "--cap-add"]
    assert capabilities == ["SYS_ADMIN", "DAC_OVERRIDE", "CHOWN", "FOWNER"]
    assert "--privileged" not in argv
    assert argv[argv.index("--cap-drop") + 1] == "ALL"
    assert "type=bind,source=/v,target=/run/host,bind-propagation=rshared" in argv
    assert argv[-2:] == ["image", "x"]


def test_the_store_is_its_owners_and_read_only_but_for_its_folder() -> None:
    argv = docker_argv.start_store("s", "r", "image", "/home/me/buckets", "1001:1001", ["x"])
    assert argv[argv.index("--user") + 1] == "1001:1001"
    assert "--read-only" in argv
    assert "type=bind,source=/home/me/buckets,target=/buckets" in argv


def test_a_check_has_no_network_and_leaves_no_container() -> None:
    argv = docker_argv.check_in_image("image", "r", "1001:1001", [Bind("/m", "/model", True)], {}, ["python"])
    assert argv[:4] == ["docker", "run", "--rm", "--init"]
    assert argv[argv.index("--network") + 1] == "none"
    assert "type=bind,source=/m,target=/model,readonly" in argv


def test_every_resource_carries_the_runs_label() -> None:
    label = ["--label", "toolkit.run=r"]
    for argv in (
        docker_argv.create_volume("v", "r"),
        docker_argv.create_network("n", "r"),
        docker_argv.start_side_container("s", "r", "i", [], []),
        docker_argv.start_store("s", "r", "i", "/f", "0:0", []),
        docker_argv.check_in_image("i", "r", "0:0", [], {}, []),
    ):
        at = argv.index("--label")
        assert argv[at : at + 2] == label


def test_the_runs_own_are_listed_by_label() -> None:
    assert docker_argv.list_of_run("container", "r") == [
        *("docker", "container", "ls", "--all", "--filter", "label=toolkit.run=r", "--format", "{{.Names}}"),
    ]
    assert docker_argv.list_of_run("volume", "r") == [
        *("docker", "volume", "ls", "--filter", "label=toolkit.run=r", "--format", "{{.Name}}"),
    ]


@given(NAMES, NAMES)
def test_a_folder_of_any_name_survives_as_a_mount(source: str, target: str) -> None:
    (fields,) = csv.reader([Bind(source, target, True).argument])
    assert fields == ["type=bind", f"source={source}", f"target={target}", "readonly"]


def test_stdin_is_passed_on_only_where_it_is_wanted() -> None:
    assert docker_argv.execute("c", ["cat"]) == ["docker", "exec", "c", "cat"]
    assert docker_argv.execute("c", ["cat"], stdin=True) == ["docker", "exec", "--interactive", "c", "cat"]
