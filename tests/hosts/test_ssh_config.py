"""What a destination becomes by a cluster file and the person's ssh_config, which the system's ssh reads."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.cluster.jump import Hop, parse_hop
from toolkit.cluster.model import Access, Host
from toolkit.errors import ToolkitError
from toolkit.hosts.ssh import config as ssh_config
from toolkit.hosts.ssh.config import destinations
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.openssh import agent_socket, read_settings, split_files

ACCOUNT = pwd.getpwuid(os.getuid())
SSH = Path(ACCOUNT.pw_dir, ".ssh")
OWN_KNOWN = (SSH / "known_hosts", SSH / "known_hosts2")
SHARED_KNOWN = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))


def way(folder: Path, text: str, host: Host | str, access: Access | None = None) -> Destination:
    file = folder / "config"
    file.write_text(text)
    (to,) = destinations([Host(host) if isinstance(host, str) else host], access or Access(), file)
    return without_system(to)


def without_system(to: Destination) -> Destination:
    """Without how the system's ssh is called: that is in test_openssh_arguments.py."""
    return replace(to, system=None, through=without_system(to.through) if to.through else None)


def chain(to: Destination) -> list[tuple[str, str, int]]:
    """The jump hosts, that nearest to the host first."""
    found = []
    while to.through:
        to = to.through
        found.append((to.user, to.address, to.port))
    return found


def test_without_any_word_sshs_defaults_hold(tmp_path: Path) -> None:
    to = way(tmp_path, "", "h")
    assert SSH / "id_ed25519" in to.identities
    assert replace(to, identities=()) == Destination(
        "h", "h", 22, ACCOUNT.pw_name, (), True, "h", (*OWN_KNOWN, *SHARED_KNOWN), None, OWN_KNOWN[0], None
    )
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
    assert way(tmp_path, text, "p-1") == Destination(
        "p-1",
        "p-1.lab",
        2222,
        "me",
        (SSH / "lab",),
        False,
        "[p-1.lab]:2222",
        (Path("/k1"), Path("/k2")),
        new_keys=Path("/k1"),
    )
    assert way(tmp_path, text, "q").port == 22


def test_the_clusters_file_comes_before_ssh_config(tmp_path: Path) -> None:
    text = "Host *\n  HostName elsewhere\n  User me\n  Port 2222\n  IdentityFile /mine\n"
    access = Access("root", 23, Path("/id"), Path("/known"), "op@gate:24")
    rest = (Path("/id"),), False
    gate = Destination(
        "gate", "elsewhere", 24, "op", *rest, "[elsewhere]:24", (Path("/known"),), new_keys=Path("/known")
    )
    to = way(tmp_path, text, Host("h", "10.0.0.9"), access)
    assert to == Destination(
        "h", "10.0.0.9", 23, "root", *rest, "[10.0.0.9]:23", (Path("/known"),), gate, Path("/known")
    )
    own = way(tmp_path, "", Host("h", "", "trainer", 25), access)
    assert (own.user, own.port) == ("trainer", 25)


def test_the_clusters_user_port_and_address_are_what_match_sees(tmp_path: Path) -> None:
    text = (
        "Match user root\n  HostKeyAlias of-root\n"
        "Match host 10.0.0.9\n  IdentityFile /of-the-address\n"
        'Match exec "test %p = 23"\n  UserKnownHostsFile /of-the-port\n'
    )
    to = way(tmp_path, text, Host("h", "10.0.0.9", "root", 23))
    assert (to.known_as, to.identities, to.new_keys) == ("of-root", (Path("/of-the-address"),), Path("/of-the-port"))
    other = way(tmp_path, text, Host("h", "10.0.0.8", "me", 24))
    assert (other.known_as, other.new_keys) == ("[10.0.0.8]:24", OWN_KNOWN[0])


@pytest.mark.parametrize(
    ("given", "address"),
    [("2001:DB8::0:8", "2001:db8::8"), ("fe80::1%lo", "fe80::1%lo"), ("node.Lab", "node.lab")],
)
def test_an_address_of_the_clusters_file_is_taken_as_it_is(tmp_path: Path, given: str, address: str) -> None:
    assert way(tmp_path, "Host *\n  HostName elsewhere\n", Host("h", given)).address == address


def test_match_final_all_is_no_error(tmp_path: Path) -> None:
    to = way(tmp_path, "Host oak\n  User forester\nMatch final all\n  ServerAliveInterval 60\n  Port 2200\n", "oak")
    assert (to.user, to.port) == ("forester", 2200)


@pytest.mark.parametrize(
    "words", ["Match Host gpu-*", "MATCH HOST gpu-*", "match originalHost=gpu-*", 'Match host "gpu-*"']
)
def test_the_words_of_match_are_read_in_any_case(tmp_path: Path, words: str) -> None:
    text = f"{words}\n  User forester\nHost *\n  User guest\n"
    assert [way(tmp_path, text, name).user for name in ("gpu-1", "oak")] == ["forester", "guest"]


def test_what_stands_behind_a_hash_is_a_comment(tmp_path: Path) -> None:
    text = "Host oak # mine\n  HostName 10.0.0.5 # its address\n  User ada # me\n  ProxyJump gate   # the way in\n"
    to = way(tmp_path, text, "oak")
    assert (to.address, to.user, chain(to)) == ("10.0.0.5", "ada", [(ACCOUNT.pw_name, "gate", 22)])


def test_canonicalization_without_domains_changes_nothing(tmp_path: Path) -> None:
    text = "CanonicalizeHostname yes\nHost oak\n  HostName %h.forest.invalid\n"
    assert way(tmp_path, text, "oak").address == "oak.forest.invalid"


def test_match_canonical_holds_for_a_name_with_many_dots(tmp_path: Path) -> None:
    text = (
        "CanonicalizeHostname yes\nCanonicalDomains forest.invalid\nMatch canonical host *.forest.invalid\n  User ada\n"
    )
    assert way(tmp_path, text, "old.oak.forest.invalid").user == "ada"


def test_an_include_holds_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "only oak").write_text("Port 2999\n")
    text = f'Host\toak\n\tInclude "{tmp_path}/only oak"\nHost\telm\n\tUser guest\n'
    assert [way(tmp_path, text, name).port for name in ("oak", "elm")] == [2999, 22]
    deep = tmp_path / "deep"
    deep.write_text(f"Host oak\n  User deep\nMatch host elm\n  Include {tmp_path}/only*\n")
    text = f"Include={deep}\nHost *\n  User guest\n"
    found = [way(tmp_path, text, name) for name in ("oak", "elm")]
    assert [(to.user, to.port) for to in found] == [("deep", 22), ("guest", 2999)]


@pytest.mark.parametrize(
    ("jump", "there"),
    [
        ("gate", [("USER", "gate", 22)]),
        ("Gate.Lab:24", [("USER", "gate.lab", 24)]),
        ("ada@forest.example@gate", [("ada@forest.example", "gate", 22)]),
        ("%r@gate-%n", [("me@lab", "gate-oak", 22)]),
        ("%%r@gate", [("%r", "gate", 22)]),
        ("op@[2001:db8::1]:24", [("op", "2001:db8::1", 24)]),
        ("10.0.0.1:24", [("USER", "10.0.0.1", 24)]),
        ("ssh://me%40dom@gate:24/", [("me@dom", "gate", 24)]),
        ("ssh://me;x=1@gate", [("me", "gate", 22)]),
        ("a@b@outer:24,ssh://c@middle,inner", [("USER", "inner", 22), ("c", "middle", 22), ("a@b", "outer", 24)]),
        ("${GATE_OF_TEST}", [("USER", "gate-of-test", 22)]),
        ("$GATE_OF_TEST:24", [("USER", "gate-of-test", 24)]),
        ("none", []),
        ("NONE", []),
    ],
)
def test_a_jump_host_is_what_it_is_for_ssh(
    tmp_path: Path, jump: str, there: list[tuple[str, str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATE_OF_TEST", "gate-of-test")
    text = f"Host oak\n  User me@lab\n  Port 2200\n  ProxyJump {jump}\n"
    expected = [(ACCOUNT.pw_name if user == "USER" else user, *rest) for user, *rest in there]
    assert chain(way(tmp_path, text, "oak")) == expected


def test_jump_hosts_are_a_chain_and_each_has_its_own_lines(tmp_path: Path) -> None:
    text = (
        "Host inner\n  Port 23\n  ProxyJump not-followed\nHost outer\n  HostName outer.lab\n  ProxyJump first\n"
        "Host h\n  ProxyJump op@outer:24,inner\n"
    )
    me = ACCOUNT.pw_name
    assert chain(way(tmp_path, text, "h")) == [(me, "inner", 23), ("op", "outer.lab", 24), (me, "first", 22)]
    assert way(tmp_path, "Host h\n  ProxyJump none\nHost *\n  ProxyJump gate\n", "h").through is None


def test_a_jump_host_of_many_hosts_is_asked_about_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    (tmp_path / "config").write_text(
        f'Match originalhost gate exec "echo x >>{count}"\n  Port 24\nHost h*\n  ProxyJump gate\n'
    )
    ways = destinations([Host(f"h{number}") for number in range(20)], Access(), tmp_path / "config")
    assert [chain(to)[0][2] for to in ways] == [24] * 20
    assert count.read_text() == "x\n"


def test_the_clusters_jump_host_is_before_what_ssh_config_says(tmp_path: Path) -> None:
    text = "Host h\n  ProxyCommand nc %h %p\nHost oak\n  ProxyJump mine\n"
    assert chain(way(tmp_path, text, "h", Access(jump="op@[2001:db8::1]:24"))) == [("op", "2001:db8::1", 24)]
    assert chain(way(tmp_path, text, "oak", Access(jump="ssh://a@b@gate"))) == [("a@b", "gate", 22)]
    assert chain(way(tmp_path, text, "oak", Access(jump="none"))) == []


def test_what_cannot_be_followed_is_an_error(tmp_path: Path) -> None:
    fabric = Access(ssh="fabric")
    with pytest.raises(ToolkitError, match="host h: its ssh_config has a ProxyCommand") as caught:
        way(tmp_path, "Host h\n  ProxyCommand nc %h %p\n", "h", fabric)
    assert caught.value.hint == "remove `ssh: fabric` from the cluster file"
    with pytest.raises(ToolkitError, match="host gate: its ssh_config has a ProxyCommand"):
        way(tmp_path, "Host gate\n  ProxyCommand nc %h %p\nHost h\n  ProxyJump gate\n", "h", fabric)
    assert way(tmp_path, "Host h\n  ProxyCommand none\n", "h").through is None
    with pytest.raises(ToolkitError, match="its jump hosts form a loop"):
        way(tmp_path, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", "a")
    with pytest.raises(ToolkitError, match="its jump hosts form a loop"):
        way(tmp_path, "Host *\n  ProxyJump %r.@gate\n", "a")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Host oak\n  Prot 22\n", "config: line 2: Bad configuration option: prot"),
        ("# mine\nHost\n", "config line 2: "),
        ("Match hosts oak\n", "config line 1: Bad Match condition"),
        ("Host *\n  Port x\n", "config line 2: Bad"),
        ("Host *\n  Port 65536\n", "config line 2: Bad"),
        ("Host *\n  ProxyJump oak\n", "jumphost loop via oak"),
        ("Host oak\n  IdentityFile %z\n", "unknown key %z"),
        ("Host oak\n  IdentityFile ${NOT_SET_BY_ANYONE}/x\n", "NOT_SET_BY_ANYONE"),
        ("Host oak\n  ProxyJump gate:x\n", 'config line 2: Invalid ProxyJump "gate:x"'),
        ("Host oak\n  ProxyJump ssh://a%40b@gate,inner\n", "unknown key %4"),
        ("Host oak\n  ProxyJump -oProxyCommand=id\n", "invalid"),
    ],
)
def test_what_ssh_cannot_read_is_reported_in_its_own_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        way(tmp_path, text, "oak")
    assert caught.value.code.label == "C104"
    assert said.lower() in str(caught.value).lower()


def test_what_ssh_does_only_without_a_command_keeps_no_one_out(tmp_path: Path) -> None:
    text = "Host oak\n  ForkAfterAuthentication yes\n  RequestTTY force\n  Port 2222\n"
    assert way(tmp_path, text, "oak").port == 2222
    assert way(tmp_path, f"{text}  RemoteCommand tmux\n", "oak").port == 2222


@pytest.mark.parametrize("name", ["User", "IdentityFile", "UserKnownHostsFile", "HostKeyAlias"])
def test_a_setting_that_is_no_utf8_is_reported_and_not_changed(tmp_path: Path, name: str) -> None:
    (tmp_path / "config").write_bytes(f"{name} caf\xe9\n".encode("latin-1"))
    with pytest.raises(ToolkitError, match=f"ssh_config, {name.lower()}: not UTF-8"):
        destinations([Host("oak")], Access(), tmp_path / "config")


def test_an_answer_that_is_not_sshs_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\nprintf 'hostname oak\\nuser me\\nport x\\n'\n")
    (tmp_path / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ToolkitError, match="ssh rejects its configuration"):
        destinations([Host("oak")], Access())


def test_a_name_that_looks_like_an_option_is_none(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError):
        way(tmp_path, "", f"-oProxyCommand=touch {tmp_path}/made")
    with pytest.raises(ToolkitError):
        way(tmp_path, f"Host oak\n  ProxyJump -F{tmp_path}/made\n", "oak")
    assert not (tmp_path / "made").exists()


def test_without_ssh_on_this_machine_the_hint_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolkitError, match="this machine has no `ssh`") as caught:
        destinations([Host("oak")], Access())
    assert caught.value.code.label == "S100"
    assert "apt-get install openssh-client" in caught.value.hint


def test_a_match_exec_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_config, "_SECONDS", 0.5)
    with pytest.raises(ToolkitError, match="host oak: ssh took too long to read its configuration"):
        way(tmp_path, 'Match exec "sleep 60"\n  User me\n', "oak")


def test_ssh_sees_the_persons_variables_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ON_SITE", "yes")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-tell")
    monkeypatch.setenv("CI_TOKEN", "do-not-tell")
    text = (
        'Match exec "test $ON_SITE = yes"\n  User me\n'
        f'Match exec "env >{tmp_path}/seen"\n  UserKnownHostsFile ${{ON_SITE}}/known\n'
    )
    to = way(tmp_path, text, "oak")
    assert (to.user, to.new_keys) == ("me", Path("yes/known"))
    assert "do-not-tell" not in (tmp_path / "seen").read_text()


def test_tokens_and_variables_of_file_names_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB", "/lab")
    monkeypatch.setenv("HOME", "/elsewhere")  # ssh's ~ is the account's
    text = """
Host oak
  HostName %h.lab
  User me
  Port 2200
  IdentityFile ~/.ssh/id_%r_%h
  IdentityFile ${LAB}/%n-%p-%%
  IdentityFile "~/.ssh/my key"
  IdentityFile %d/%u
  IdentityFile none
  IdentityFile ~root/id
  UserKnownHostsFile ${LAB}/known_%h "/lab/my known" ~/%%d
  GlobalKnownHostsFile none
  IdentityAgent ${LAB}/agent-%r
"""
    to = way(tmp_path, text, "oak")
    assert to.identities == (
        SSH / "id_me_oak.lab",
        Path("/lab/oak-2200-%"),
        SSH / "my key",
        Path(ACCOUNT.pw_dir, ACCOUNT.pw_name),
        Path(pwd.getpwnam("root").pw_dir, "id"),
    )
    assert to.known_hosts == (Path("/lab/known_oak.lab"), Path("/lab/my known"), Path(ACCOUNT.pw_dir, "%d"))
    assert to.agent == "/lab/agent-me"


@pytest.mark.parametrize("value", ["/dev/null", "none", "NONE", "."])
def test_a_file_that_keeps_nothing_takes_no_new_key(tmp_path: Path, value: str) -> None:
    assert way(tmp_path, f"Host *\n  UserKnownHostsFile {value}\n", "oak").new_keys is None


def test_a_host_key_alias_is_what_keys_are_known_by(tmp_path: Path) -> None:
    assert way(tmp_path, "Host oak\n  Port 2200\n  HostKeyAlias Forest\n", "oak").known_as == "forest"


@pytest.mark.parametrize(
    ("value", "socket"),
    [
        ("", None),
        ("SSH_AUTH_SOCK", None),
        ("none", ""),
        ("None", ""),
        ("/run/a", "/run/a"),
        ("$SOCK", "/s"),
        ("$NO", ""),
    ],
)
def test_the_agent_is_the_one_that_ssh_config_names(value: str, socket: str | None) -> None:
    assert agent_socket(value, {"SOCK": "/s", "SSH_AUTH_SOCK": "/usual"}) == socket


@pytest.mark.parametrize(
    ("text", "there", "files"),
    [
        ("/h/.ssh/known_hosts /h/.ssh/known_hosts2", set(), ["/h/.ssh/known_hosts", "/h/.ssh/known_hosts2"]),
        ("/my own/known hosts /b", set(), ["/my own/known hosts", "/b"]),
        ("/a /b", {"/a /b"}, ["/a /b"]),
        ("a b", {"a", "b"}, ["a", "b"]),
        ("/a b c", {"/a"}, ["/a", "b c"]),
        ("/a  b", set(), ["/a  b"]),
    ],
)
def test_the_files_of_one_line_are_distinguished(text: str, there: set[str], files: list[str]) -> None:
    assert list(split_files(text, there.__contains__)) == files


@given(st.lists(st.from_regex(r"/[a-z]+( [a-z]+)*", fullmatch=True), min_size=1, max_size=5))
def test_absolute_files_are_distinguished_whatever_blanks_they_have(files: list[str]) -> None:
    assert list(split_files(" ".join(files), lambda _: False)) == files


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("gate", Hop("gate")),
        ("me@gate:23", Hop("gate", "me", 23)),
        ("ssh://me@gate", Hop("gate", "me")),
        ("me@[fe80::1]:23", Hop("fe80::1", "me", 23)),
        ("a@b@c", Hop("c", "a@b")),
        ("ssh://a%40b@c:24/", Hop("c", "a@b", 24)),
        ("dom\\me@gate", Hop("gate", "dom\\me")),
    ],
)
def test_a_jump_host_is_read(text: str, hop: Hop) -> None:
    assert parse_hop(text) == hop
    assert parse_hop(str(hop)) == hop


@pytest.mark.parametrize(
    "text",
    ["", "@gate", "gate:", "gate:0", "gate:65536", "gate:22:22", "fe80::1", "[]", "a b", "gate/22", "a,b", "ssh://@g"],
)
def test_what_is_no_jump_host_is_reported(text: str) -> None:
    with pytest.raises(ValueError, match="expected user@host:port"):
        parse_hop(text)


names = st.sampled_from(["oak", "elm", "gpu-1", "gpu-2", "oak.forest", "gate"])
patterns = st.lists(st.sampled_from(["oak", "gpu-*", "!gpu-2", "*.forest", "*", "GATE", "?ak"]), min_size=1, max_size=3)
jumps = st.sampled_from(
    ["none", "gate", "ada@b@gate:24", "%r@gate", "[2001:db8::1]:24", "ssh://x%40y@gate", "elm,op@gate", "gate # way in"]
)
values = st.one_of(
    st.tuples(st.sampled_from(["User", "user=", '  USER "']), st.sampled_from(["ada", "b@forest"])),
    st.tuples(st.sampled_from(["Port", "port ="]), st.integers(1, 65535).map(str)),
    st.tuples(st.just("HostName"), st.sampled_from(["%h.lab", "10.0.0.5", "2001:DB8::5", "%%h"])),
    st.tuples(st.just("ProxyJump"), jumps),
)
heads = st.one_of(
    patterns.map(lambda those: f"Host {' '.join(those)}"),
    st.sampled_from(["oak", "gpu-*", "!oak"]).map(lambda one: f"Match Host {one}"),
    st.sampled_from(
        ["Match all", "Match final all", "match user ada", 'Match exec "test %n = oak"', "Match final host *.lab"]
    ),
)


def line(pair: tuple[str, str]) -> str:
    """A setting's line; a quote that the name ends with is closed."""
    name, value = pair
    return f'{name}{value}"' if name.endswith('"') else f"{name} {value}"


texts = st.lists(st.tuples(heads, st.lists(values.map(line), max_size=3)), max_size=4).map(
    lambda blocks: "".join(f"{head}\n" + "".join(f"\t{one}\n" for one in lines) for head, lines in blocks)
)


def asked(file: Path, *words: str) -> tuple[tuple[str, ...], Hop | None, str]:
    """ssh's own user, address and port for the words of a command line; its nearest jump host, and those before."""
    done = subprocess.run(["ssh", "-G", "-F", file, *words], capture_output=True, text=True, check=True)
    said = read_settings(done.stdout)
    user = said["user"][0]
    before, _, last = said.get("proxyjump", ("",))[0].replace("%r", user).rpartition(",")
    return (user, said["hostname"][0], said["port"][0]), parse_hop(last) if last else None, before


@settings(deadline=None, max_examples=60)
@given(texts, names)
def test_any_config_means_what_ssh_makes_of_it(tmp_path_factory: pytest.TempPathFactory, text: str, name: str) -> None:
    """For every host on the way, ssh is asked as it starts itself there: `ssh -l USER -p PORT -J OTHERS HOST`"""
    folder = tmp_path_factory.mktemp("config")
    try:
        to: Destination | None = way(folder, text, name)
    except ToolkitError as error:
        assert re.search("jump hosts form a loop|jumphost loop", str(error))
        return
    words = [name]
    while to:
        found, hop, before = asked(folder / "config", *words)
        assert (to.user, to.address, str(to.port)) == found
        assert (hop is None) == (to.through is None)
        if hop:
            given_words = {"-J": before, "-l": hop.user, "-p": str(hop.port or "")}
            words = [*(word for pair in given_words.items() if pair[1] for word in pair), hop.name]
        to = to.through
