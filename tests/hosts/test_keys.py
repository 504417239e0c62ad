"""Which keys are tried, in which order: the files that are named, whatever their form, and what an agent holds."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.keys import OurKeys
from toolkit.hosts.ssh.openssh import home

TO = Destination("oak", "oak", 22, "me", (), False, "oak", ())


REFUSED = paramiko.AuthenticationException("Authentication failed.")


class Door:
    """A transport that takes no key but as `answers` say, one for each try, and remembers the public half of each.

    After the last answer it hangs up where `hangs_up` is true.
    """

    def __init__(self, *answers: Exception | list[str], hangs_up: bool = False) -> None:
        self.tried: list[bytes] = []
        self.users: set[str] = set()
        self.auth_timeout = 0.0
        self._answers, self._hangs_up = list(answers), hangs_up

    def auth_publickey(self, user: str, key: Any) -> list[str]:
        self.tried.append(key.asbytes())
        self.users.add(user)
        answer = self._answers.pop(0) if self._answers else REFUSED
        if isinstance(answer, Exception):
            raise answer
        return answer

    def is_active(self) -> bool:
        return bool(self._answers) or not self._hangs_up


def try_keys(to: Destination, door: Door | None = None, seconds: float = 10) -> tuple[list[bytes], list[str]]:
    """The keys that were tried, and what the error says of each."""
    door = door or Door()
    with pytest.raises(ToolkitError) as caught:
        OurKeys(to, time.monotonic() + seconds).authenticate(door)
    return door.tried, [str(problem) for problem in caught.value.problems]


def make(file: Path, *words: str, passphrase: str = "") -> bytes:
    """A key, and its public half as a key on the wire."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", *words, "-N", passphrase, "-C", file.name, "-f", file]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    done = subprocess.run(["ssh-keygen", "-y", "-P", passphrase, "-f", file], check=True, capture_output=True)
    return paramiko.PublicBlob.from_string(done.stdout.decode().strip()).key_blob


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A socket of an agent that no variable names."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    sock = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while not sock.exists() and time.monotonic() < until:
            time.sleep(0.01)
        yield sock
    finally:
        process.terminate()
        process.wait()


def add(sock: Path, file: Path) -> None:
    """Give the agent a key whose private half is then there alone."""
    environment = {**os.environ, "SSH_AUTH_SOCK": str(sock)}
    subprocess.run(["ssh-add", "-q", file], env=environment, check=True, stdin=subprocess.DEVNULL)
    file.unlink()


def test_a_public_key_file_means_the_agents_key(tmp_path: Path, agent: Path) -> None:
    own, _other = (make(tmp_path / name) for name in ("own", "other"))
    for name in ("own", "other"):
        add(agent, tmp_path / name)
    (tmp_path / "public").write_text("# of my token\n\n" + (tmp_path / "own.pub").read_text())
    for name in ("own.pub", "public", "own"):
        to = replace(TO, identities=(tmp_path / name,), agent=str(agent))
        assert try_keys(to) == ([own], [f"{tmp_path / name} (from the agent): not accepted"])


def test_a_public_key_file_whose_key_no_agent_holds_is_reported(tmp_path: Path) -> None:
    make(tmp_path / "own")
    said = f"{tmp_path}/own.pub: is a public key whose private key is not in the agent"
    assert try_keys(replace(TO, identities=(tmp_path / "own.pub",), agent="")) == ([], [said])


def test_keys_are_tried_in_sshs_order(tmp_path: Path, agent: Path) -> None:
    """What the agent holds of the files, what else it holds, then the files: each once."""
    named, other, left, twice = (make(tmp_path / name) for name in ("named", "other", "left", "twice"))
    (tmp_path / "copy").write_bytes((tmp_path / "twice").read_bytes())
    (tmp_path / "copy").chmod(0o600)
    add(agent, tmp_path / "other")
    add(agent, tmp_path / "named")
    files = tuple(tmp_path / name for name in ("left", "named", "twice", "copy"))
    to = replace(TO, identities=files, agent=str(agent), any_key=True)
    assert try_keys(to)[0] == [named, other, left, twice]
    assert try_keys(replace(to, any_key=False))[0] == [named, left, twice]


@pytest.mark.parametrize(("setting", "asked"), [(None, True), ("", False), ("there", True), ("nothing-there", False)])
def test_the_agent_that_is_asked(
    tmp_path: Path, agent: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None, asked: bool
) -> None:
    held = make(tmp_path / "held")
    add(agent, tmp_path / "held")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent) if setting is None else str(tmp_path / "elsewhere"))
    sock = str(agent) if setting == "there" else setting
    assert try_keys(replace(TO, any_key=True, agent=sock))[0] == ([held] if asked else [])


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_a_private_key_of_any_form_is_read(tmp_path: Path, kind: str, form: str) -> None:
    public = make(tmp_path / "id", "-t", kind, "-m", form)
    (tmp_path / "id.pub").unlink()
    assert try_keys(replace(TO, identities=(tmp_path / "id",)))[0] == [public]
    make(tmp_path / "locked", "-t", kind, "-m", form, passphrase="words of mine")
    said = f"{tmp_path}/locked: has a passphrase and is not in the agent (ssh-add {tmp_path}/locked)"
    assert try_keys(replace(TO, identities=(tmp_path / "locked",))) == ([], [said])


def test_an_ed25519_key_of_openssl_is_read(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "id").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert len(try_keys(replace(TO, identities=(tmp_path / "id",)))[0]) == 1


def test_what_is_no_key_is_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    (tmp_path / "pkcs8").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    names = ("fifo", "text", "large", "pkcs8", "none")
    tried, said = try_keys(replace(TO, identities=tuple(tmp_path / name for name in names)))
    assert tried == []
    assert [line.split(": ")[1].split(" (")[0] for line in said] == [
        "is not a regular file",
        "is not a readable private key",
        "is too large for a key",
        "is not a readable private key",
        "No such file or directory",
    ]


def test_a_usual_file_that_is_not_there_is_not_reported() -> None:
    to = replace(TO, identities=(Path(home(), ".ssh", "id_xmss"), Path(home(), ".ssh", "id_of_no_one")), agent="")
    assert [line.split(": ")[0] for line in try_keys(to)[1]] == [f"{home()}/.ssh/id_of_no_one"]


@pytest.fixture
def three(tmp_path: Path) -> Destination:
    """Three keys of which each works."""
    for name in ("a", "b", "c"):
        make(tmp_path / name)
    return replace(TO, identities=tuple(tmp_path / name for name in ("a", "b", "c")), agent="")


def test_the_first_key_that_is_taken_is_the_last_one_tried(three: Destination) -> None:
    door = Door(REFUSED, [])
    OurKeys(three, time.monotonic() + 10).authenticate(door)
    assert len(door.tried) == 2
    assert door.users == {"me"}
    assert 9 < door.auth_timeout <= 10


def test_a_key_that_is_not_enough_does_not_count_as_a_login(three: Destination) -> None:
    tried, said = try_keys(three, Door(["password", "keyboard-interactive"]))
    assert len(tried) == 3
    assert said[0].endswith("/a: accepted, but the host also requires: password, keyboard-interactive")


def test_a_host_that_takes_no_keys_is_shown_no_other(three: Destination) -> None:
    tried, said = try_keys(three, Door(REFUSED, paramiko.BadAuthenticationType("Bad type", ["password"])))
    assert len(tried) == 2
    assert said[0].endswith("/a: not accepted")
    assert said[1:] == ["the host does not accept keys, only: password"]


def test_a_host_that_hangs_up_after_many_keys_is_reported(three: Destination) -> None:
    gone = paramiko.AuthenticationException("Authentication failed: transport shut down or saw EOF")
    tried, said = try_keys(three, Door(REFUSED, gone, hangs_up=True))
    assert len(tried) == 2
    assert said[2:] == ["then the host closed the connection: too many keys"]


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), paramiko.SSHException("bad packet"), EOFError()])
def test_a_connection_that_breaks_meanwhile_is_a_refused_one(three: Destination, error: Exception) -> None:
    with pytest.raises(ToolkitError, match="connection closed while checking the key") as caught:
        OurKeys(three, time.monotonic() + 10).authenticate(Door(error, hangs_up=True))
    assert caught.value.context["reason"] == "refused"


def test_no_key_is_shown_after_the_time_to_connect(three: Destination) -> None:
    tried, said = try_keys(three, Door(paramiko.AuthenticationException("Authentication timeout.")), seconds=0)
    assert len(tried) == 1
    assert [line.split(": ")[1] for line in said] == ["timed out"]


def test_a_bug_is_no_refusal(three: Destination) -> None:
    with pytest.raises(TypeError, match="mine"):
        OurKeys(three, time.monotonic() + 10).authenticate(Door(TypeError("mine")))


def test_an_agent_that_does_not_answer_holds_nothing(tmp_path: Path) -> None:
    make(tmp_path / "file")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute"))
        mute.listen()
        to = replace(TO, identities=(tmp_path / "file",), any_key=True, agent=str(tmp_path / "mute"))
        begun = time.monotonic()
        assert len(try_keys(to, seconds=0.5)[0]) == 1
    assert time.monotonic() - begun < 5
