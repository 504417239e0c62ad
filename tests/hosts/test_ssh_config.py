"""What a destination becomes by a cluster's file and the person's ssh_config."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from toolkit.cluster.model import Access, Host
from toolkit.errors import ToolkitError
from toolkit.hosts.ssh import config as ssh_config
from toolkit.hosts.ssh.config import destination, read_ssh_config
from toolkit.hosts.ssh.destination import Destination, Hop, parse_hop

HOME_KNOWN = (Path.home() / ".ssh" / "known_hosts", Path("/etc/ssh/ssh_known_hosts"))


@pytest.fixture(autouse=True)
def _no_system_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_config, "_SYSTEM", tmp_path / "system")


def way(folder: Path, text: str, host: Host, access: Access | None = None) -> Destination:
    (folder / "config").write_text(text)
    return destination(host, access or Access(), read_ssh_config(folder))


def test_without_any_word_ssh_defaults_hold(tmp_path: Path) -> None:
    to = destination(Host("h"), Access(), read_ssh_config(tmp_path))
    shared = tmp_path / "system" / "ssh_known_hosts"
    assert to == Destination("h", "h", 22, getpass.getuser(), (), True, "h", (HOME_KNOWN[0], shared))
    assert to.socket_name == "h:22"


def test_ssh_config_is_followed(tmp_path: Path) -> None:
    text = """
Host p-*
  HostName %h.lab
  User me
  Port 2222
  IdentityFile ~/.ssh/lab
  IdentitiesOnly yes
  UserKnownHostsFile /k1 /k2
  GlobalKnownHostsFile none
"""
    assert way(tmp_path, text, Host("p-1")) == Destination(
        "p-1",
        "p-1.lab",
        2222,
        "me",
        (Path.home() / ".ssh" / "lab",),
        False,
        "[p-1.lab]:2222",
        (Path("/k1"), Path("/k2")),
    )
    assert way(tmp_path, text, Host("q")).port == 22


def test_the_clusters_file_comes_before_ssh_config(tmp_path: Path) -> None:
    text = "Host *\n  HostName elsewhere\n  User me\n  Port 2222\n  IdentityFile /mine\n  ProxyJump gate\n"
    access = Access("root", 23, Path("/id"), Path("/known"), "op@gate:24")
    gate = Destination("gate", "elsewhere", 24, "op", (Path("/id"),), False, "[elsewhere]:24", (Path("/known"),))
    to = way(tmp_path, text.replace("  ProxyJump gate\n", ""), Host("h", "10.0.0.9"), access)
    assert to == Destination(
        "h", "10.0.0.9", 23, "root", (Path("/id"),), False, "[10.0.0.9]:23", (Path("/known"),), gate
    )
    own = way(tmp_path, "", Host("h", "", "trainer", 25), access)
    assert (own.user, own.port) == ("trainer", 25)


def test_jump_hosts_are_a_chain_and_each_has_its_own_lines(tmp_path: Path) -> None:
    text = "Host inner\n  Port 23\nHost outer\n  ProxyJump first\nHost h\n  ProxyJump op@outer:24,inner\n"
    to = way(tmp_path, text, Host("h"))
    chain = []
    while to.through:
        to = to.through
        chain.append((to.user if to.user == "op" else "", to.address, to.port))
    assert chain == [("", "inner", 23), ("op", "outer", 24), ("", "first", 22)]
    assert way(tmp_path, "Host h\n  ProxyJump none\nHost *\n  ProxyJump gate\n", Host("h")).through is None


def test_what_cannot_be_followed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="host h: ssh_config gives it a ProxyCommand"):
        way(tmp_path, "Host h\n  ProxyCommand nc %h %p\n", Host("h"))
    assert way(tmp_path, "Host h\n  ProxyCommand nc %h %p\n", Host("h"), Access(jump="gate")).through is not None
    with pytest.raises(ToolkitError, match="its jump hosts lead to each other"):
        way(tmp_path, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", Host("a"))
    with pytest.raises(ToolkitError, match="config: Unparsable line"):
        way(tmp_path, "Host\n", Host("h"))


def test_includes_at_the_head_are_read_first(tmp_path: Path) -> None:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "a").write_text("Host h\n  User first\n")
    assert way(tmp_path, "Include config.d/*\nHost *\n  User second\n", Host("h")).user == "first"
    assert way(tmp_path, f"Include {tmp_path}/config.d/a\nHost *\n  User second\n", Host("g")).user == "second"


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("gate", Hop("gate")),
        ("me@gate:23", Hop("gate", "me", 23)),
        ("ssh://me@gate", Hop("gate", "me")),
        ("me@[fe80::1]:23", Hop("fe80::1", "me", 23)),
    ],
)
def test_a_jump_host_is_read(text: str, hop: Hop) -> None:
    assert parse_hop(text) == hop


@pytest.mark.parametrize("text", ["", "@gate", "gate:", "gate:0", "gate:65536", "a@b@c", "gate:22:22"])
def test_what_is_no_jump_host_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="expected user@host:port"):
        parse_hop(text)


@pytest.mark.parametrize(
    "line", ["Include config.d/*", "include\tconfig.d/*", "Include=config.d/*", '  Include = "config.d/a"']
)
def test_an_include_is_read_however_it_is_written(tmp_path: Path, line: str) -> None:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "a").write_text("Host h\n  User first\n")
    assert way(tmp_path, f"{line}\nHost *\n  User second\n", Host("h")).user == "first"


@pytest.mark.parametrize("rest", ['"open', "'open", "open\\", '""', "~no-such-user-here/x", "a\0b", "/"])
def test_an_include_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, rest: str) -> None:
    try:
        way(tmp_path, f"# mine\nInclude {rest}\nHost *\n  User me\n", Host("h"))
    except ToolkitError as error:
        assert error.code.label == "C104"
        assert str(tmp_path / "config") in error.what


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "9" * 30, "22 22", "\u0661"])
def test_a_port_that_is_none_is_told(tmp_path: Path, port: str) -> None:
    with pytest.raises(ToolkitError, match="host h: ssh_config gives it port"):
        way(tmp_path, f"Host h\n  Port {port}\n", Host("h"))
