"""Which keys are tried, in which order: the files that are named, whatever their form, and what an agent holds."""

from __future__ import annotations

import os
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
from toolkit.hosts.ssh.keys import authenticate
from toolkit.hosts.ssh.openssh import home

TO = Destination("oak", "oak", 22, "me", (), False, "oak", ())


class Door:
    """A transport that takes no key, and remembers the public half of each."""

    def __init__(self) -> None:
        self.tried: list[bytes] = []

    def auth_publickey(self, _user: str, key: Any) -> list[str]:
        self.tried.append(key.asbytes())
        raise paramiko.AuthenticationException("Authentication failed.")

    def is_active(self) -> bool:
        return True


def try_keys(to: Destination) -> tuple[list[bytes], list[str]]:
    door = Door()
    with pytest.raises(ToolkitError) as caught:
        authenticate(door, to)
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
        assert try_keys(to) == ([own], [f"{tmp_path / name} (held by the agent): not accepted"])


def test_a_public_key_file_whose_key_no_agent_holds_is_told(tmp_path: Path) -> None:
    make(tmp_path / "own")
    said = f"{tmp_path}/own.pub: is a public key, and the agent does not hold its private half"
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


@pytest.mark.parametrize(("told", "asked"), [(None, True), ("", False), ("there", True), ("nothing-there", False)])
def test_the_agent_that_is_asked(
    tmp_path: Path, agent: Path, monkeypatch: pytest.MonkeyPatch, told: str | None, asked: bool
) -> None:
    held = make(tmp_path / "held")
    add(agent, tmp_path / "held")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent) if told is None else str(tmp_path / "elsewhere"))
    sock = str(agent) if told == "there" else told
    assert try_keys(replace(TO, any_key=True, agent=sock))[0] == ([held] if asked else [])


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_a_private_key_of_any_form_is_read(tmp_path: Path, kind: str, form: str) -> None:
    public = make(tmp_path / "id", "-t", kind, "-m", form)
    (tmp_path / "id.pub").unlink()
    assert try_keys(replace(TO, identities=(tmp_path / "id",)))[0] == [public]
    make(tmp_path / "locked", "-t", kind, "-m", form, passphrase="words of mine")
    said = f"{tmp_path}/locked: has a passphrase, and the agent does not hold it (ssh-add {tmp_path}/locked)"
    assert try_keys(replace(TO, identities=(tmp_path / "locked",))) == ([], [said])


def test_an_ed25519_key_of_openssl_is_read(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "id").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert len(try_keys(replace(TO, identities=(tmp_path / "id",)))[0]) == 1


def test_what_is_no_key_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    (tmp_path / "pkcs8").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    names = ("fifo", "text", "large", "pkcs8", "none")
    tried, said = try_keys(replace(TO, identities=tuple(tmp_path / name for name in names)))
    assert tried == []
    assert [line.split(": ")[1].split(" (")[0] for line in said] == [
        "is no regular file",
        "is no private key that can be read",
        "is too large for a key",
        "is no private key that can be read",
        "No such file or directory",
    ]


def test_a_usual_file_that_is_not_there_is_not_told() -> None:
    to = replace(TO, identities=(Path(home(), ".ssh", "id_xmss"), Path(home(), ".ssh", "id_of_no_one")), agent="")
    assert [line.split(": ")[0] for line in try_keys(to)[1]] == [f"{home()}/.ssh/id_of_no_one"]
