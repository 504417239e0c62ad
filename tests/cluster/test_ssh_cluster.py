"""A cluster of hosts over ssh: its file, and how a mistake in it is pointed at."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.cluster.model import DEFAULT_BINDING, Access, Cluster, Deadlines, Gpu, Host
from toolkit.cluster.reader import read_cluster
from toolkit.cluster.sections import HostSection, SshFile
from toolkit.errors import ToolkitError
from toolkit.paths import assets

SMALL = """name: lab
engine: ssh
network: 10.0.0.0/16
container_engine: docker
scratch: /var/tmp/toolkit
gpu: none
hosts:
  - {name: "p[1-2]"}
"""
EXAMPLE = assets() / "clusters" / "lab-p100.yml"


def read(folder: Path, text: str) -> Cluster:
    file = folder / "lab.yml"
    file.write_text(text)
    return read_cluster(file)


def test_little_is_needed_and_the_rest_has_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, SMALL) == Cluster(
        name="lab",
        engine="ssh",
        gpu="none",
        deadlines=Deadlines(start=60, stop=10, store=600, connect=10, lost=15),
        hosts=(Host("p1"), Host("p2")),
        access=Access("", 0, None, None, "", 8),
        network="10.0.0.0/16",
        operator="",
        container_engine="docker",
        scratch="/var/tmp/toolkit",
        registry="",
        binding=DEFAULT_BINDING,
    )
    assert read(tmp_path, SMALL + "binding: none\n").binding == "none"


def test_a_file_may_say_what_connects(tmp_path: Path) -> None:
    assert read(tmp_path, SMALL).access.ssh == "auto"
    assert read(tmp_path, SMALL + "ssh: openssh\n").access.ssh == "openssh"
    with pytest.raises(ToolkitError, match=r"lab.yml:9:6: ssh: input should be 'auto', 'fabric' or 'openssh'"):
        read(tmp_path, SMALL + "ssh: opensh\n")


def test_the_example_is_read_and_shows_every_field() -> None:
    cluster = read_cluster(EXAMPLE)
    assert [host.name for host in cluster.hosts] == [*(f"p100-{number:02}" for number in range(1, 12)), "login"]
    assert cluster.hosts[0] == Host("p100-01", gpu=Gpu("p100", 4))
    assert cluster.hosts[9] == Host("p100-10", "10.0.0.10", gpu=Gpu("p100", 4))
    assert cluster.hosts[10] == Host("p100-11", "10.0.0.11", "trainer", 2222, Gpu("p100", 2))
    assert cluster.hosts[11] == Host("login")
    assert cluster.gpu == "p100"
    assert cluster.access.identity == Path.home() / ".ssh" / "id_ed25519"
    assert cluster.access.known_hosts == EXAMPLE.parent / "lab-p100.known_hosts"
    assert (cluster.access.jump, cluster.operator) == ("me@gate.lab.example:22", "10.0.0.1")
    assert cluster.registry == "reg.lab.example:5000/toolkit"
    text = EXAMPLE.read_text()
    names = [*SshFile.model_fields, *HostSection.model_fields]
    assert [name for name in names if f"{name}:" not in text] == []


def test_a_host_may_differ_from_the_others(tmp_path: Path) -> None:
    text = (
        SMALL.replace("gpu: none", "gpu: {kind: p100, count: 4}") + "  - {name: q, gpu: none, port: 2222, user: me}\n"
    )
    cluster = read(tmp_path, text)
    assert cluster.gpu == "p100"
    assert cluster.hosts[1:] == (Host("p2", gpu=Gpu("p100", 4)), Host("q", "", "me", 2222, None))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("engine: ssh", "engine: shh", ":2:9: engine: input should be 'local' or 'ssh'"),
        ("network: 10.0.0.0/16\n", "", "network: required, but missing"),
        (
            "10.0.0.0/16",
            "10.0.0.1/16",
            "network: 10.0.0.1/16 is an address in a network; write the network: 10.0.0.0/16",
        ),
        ("10.0.0.0/16", "ten", ":3:10: network: expected a network such as 10.0.0.0/16, found 'ten'"),
        ("docker", "dokcer", "container_engine: input should be 'docker' or 'podman'"),
        (
            "/var/tmp/toolkit",
            "tmp",
            ":5:10: scratch: expected an absolute folder such as /var/tmp/toolkit, found 'tmp'",
        ),
        ("/var/tmp/toolkit", "/", "scratch: expected an absolute folder"),
        ("/var/tmp/toolkit", "/a/../b", "scratch: expected an absolute folder"),
        ("gpu: none", "gpu: p100", ":6:6: gpu: expected `none` or {kind: p100, count: 4}, found 'p100'"),
        ("gpu: none", "gpu: {kind: p100}", "gpu.count: required, but missing"),
        ("gpu: none", "gpu: {kind: p100, cuont: 1}", "gpu.cuont: unknown field; did you mean `count`?"),
        ("gpu: none", "gpu: {kind: p100, count: 0}", "gpu.count: input should be greater than or equal to 1"),
        ("gpu: none", "gpu: none\nports: 22", ":7:1: ports: unknown field; did you mean `port`?"),
        ("gpu: none", "gpu: none\nport: 70000", "port: input should be less than or equal to 65535"),
        ("gpu: none", "gpu: none\njump: a@b:c", ":7:7: jump: expected user@host:port, found 'a@b:c'"),
        ("gpu: none", "gpu: none\njump: gate:70000", "jump: expected user@host:port, found 'gate:70000'"),
        ("gpu: none", "gpu: none\noperator: here", "operator: expected an IP address, found 'here'"),
        ("gpu: none", "gpu: none\nregistry: http://x", "registry: expected host:port/name, found 'http://x'"),
        ("gpu: none", "gpu: none\nuser: -oProxyCommand=x", "user: '-oProxyCommand=x' is not a user name"),
        ("gpu: none", "gpu: none\nlimits: {connection: 8}", "limits.connection: unknown field; did you mean"),
        ("gpu: none", "gpu: none\ndeadlines: {lost: 1}", "deadlines.lost: input should be greater than or equal to 3"),
        ("p[1-2]", "p[2-1]", ":8:12: hosts[0].name: 'p[2-1]': the range 2-1 is empty; 1-2 is meant?"),
        ("p[1-2]", "p[1-9999]", "hosts[0].name: 'p[1-9999]': more than 4096 names"),
        ("p[1-2]", "-p[1-2]", "hosts[0].name: '-p1' is not a host name"),
        ("p[1-2]", "p;id", "hosts[0].name: 'p;id' is not a host name"),
        ('"p[1-2]"', "7", 'hosts[0].name: YAML reads 7 as a number; put it in quotes: "7"'),
        ('"p[1-2]"', '"p[1-2]", address: 10.0.0.1', "hosts[0].address: addresses: 1, names: 2; each name needs one"),
        ('"p[1-2]"', '"p[1-2]", adress: x', "hosts[0].adress: unknown field; did you mean `address`?"),
        ('"p[1-2]"', "[p1, p2]", ':8:12: hosts[0].name: brackets make it a list: quote a range, "node[1-8]"'),
        ('"p[1-2]"', "p, address: [2001:db8::8]", "write an IPv6 address without brackets"),
        ('"p[1-2]"', 'p, address: "[2001:db8::8]"', "write an IPv6 address without brackets here: 2001:db8::8"),
        ('"p[1-2]"', 'p, address: "[fe80::1%eth0]:22"', "brackets here: fe80::1%eth0; the port is a separate field"),
        ('"p[1-2]"', 'p, address: "10.0.0.1:22"', "neither an IP address nor a host name; the port is `port`"),
        ('"p[1-2]"', 'p, address: "ssh://me@oak:22"', "; without ssh://, the account is `user`, the port is `port`"),
        ('"p[1-2]"', "me@oak", "starting with a letter or digit; the account is `user`"),
        ("gpu: none", 'gpu: none\noperator: "[::1]"', "operator: '[::1]': write an IPv6 address without brackets"),
        ('  - {name: "p[1-2]"}', "  []", "hosts: list should have at least 1 item"),
        (
            '  - {name: "p[1-2]"}',
            "  - p1",
            "hosts[0]: expected fields below this name (name, address, user, port, gpu)",
        ),
    ],
)
def test_a_mistake_is_pointed_at(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in SMALL
    with pytest.raises(ToolkitError) as caught:
        read(tmp_path, SMALL.replace(old, new))
    assert caught.value.code.label == "C104"
    assert words in str(caught.value)


def test_a_host_that_is_listed_twice_is_reported_with_both_lines(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError) as caught:
        read(tmp_path, f'{SMALL}  - {{name: "p[2-4]"}}\n  - {{name: "q,q"}}\n')
    assert [str(problem).splitlines()[0] for problem in caught.value.problems] == [
        f"{tmp_path}/lab.yml:9:12: hosts[1].name: p2: also on line 8; a host is listed once",
        f"{tmp_path}/lab.yml:10:12: hosts[2].name: q: twice in this entry; a host is listed once",
    ]


def test_problems_are_in_the_files_order_wherever_they_are_found(tmp_path: Path) -> None:
    """That of all hosts together is found last, and is on the first line of them."""
    with pytest.raises(ToolkitError) as caught:
        read(tmp_path, f'{SMALL}  - {{name: "p[2-4096]"}}\n  - {{name: "q", address: "10.0.0.[1-2]"}}\n')
    lines = [problem.place.line for problem in caught.value.problems if problem.place]
    assert (lines, caught.value.what) == (sorted(lines), f"{tmp_path}/lab.yml has 3 problems")
    assert "4097 hosts; at most 4096 are read" in str(caught.value.problems[0])


def test_many_ranges_are_too_many_together(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="4098 hosts; at most 4096 are read"):
        read(tmp_path, f'{SMALL}  - {{name: "q[1-4096]"}}\n')


def test_paths_start_at_the_files_folder_or_at_home(tmp_path: Path) -> None:
    cluster = read(tmp_path, f"{SMALL}identity: keys/id\nknown_hosts: ~/hosts\n")
    assert cluster.access.identity == tmp_path / "keys" / "id"
    assert cluster.access.known_hosts == Path.home() / "hosts"


@pytest.mark.parametrize("name", ["node[1-2]", "node[01-08], address: 10.0.0.1", "r[1-2]n[1,3]", "node{1..8}"])
def test_a_range_in_braces_without_quotes_gets_a_hint_to_quote_it(tmp_path: Path, name: str) -> None:
    file = tmp_path / "cluster.yml"
    file.write_text(SMALL.replace('"p[1-2]"', name))
    with pytest.raises(ToolkitError, match="is not valid YAML") as caught:
        read_cluster(file)
    assert caught.value.hint == 'inside { }, quote a name with a range: {name: "node[1-8]"}'


def test_other_yaml_that_is_none_gets_no_such_hint(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yml"
    file.write_text("name: a: b\n")
    with pytest.raises(ToolkitError, match="is not valid YAML") as caught:
        read_cluster(file)
    assert caught.value.hint == ""
