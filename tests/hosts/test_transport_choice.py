"""Which transport leads to a host, by the cluster file and by what ssh itself makes of ssh_config."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.cluster.model import Access, Host
from toolkit.hosts.ssh import choice
from toolkit.hosts.ssh.choice import is_security_key
from toolkit.hosts.ssh.config import destinations
from toolkit.hosts.ssh.destination import Destination, SystemSsh


@pytest.fixture(autouse=True)
def no_ticket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account that runs the tests may have one."""
    monkeypatch.setattr(choice, "_has_ticket", lambda: False)


def way(folder: Path, text: str, access: Access | None = None, host: str = "oak") -> Destination:
    file = folder / "config"
    # Without keys of the account, which may be of any kind.
    file.write_text(f"{text}\nMatch all\n  IdentityFile {folder}/id\n")
    return destinations([Host(host)], access or Access(), file)[0]


def system(to: Destination) -> SystemSsh:
    assert to.system is not None
    assert to.transport == "openssh"
    return to.system


def make_key(file: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return file


SK = b"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t me\n"


def test_without_a_reason_it_is_fabric(tmp_path: Path) -> None:
    make_key(tmp_path / "id")
    for text in ("", "Host oak\n  ProxyJump gate", "Host *\n  GSSAPIAuthentication yes\n  ControlPath /none/%C"):
        to = way(tmp_path, text)
        assert (to.transport, to.system) == ("fabric", SystemSsh("", ("-F", str(tmp_path / "config"))))
    assert way(tmp_path, "", Access(ssh="fabric")).system is None, "nor does the system's ssh carry large amounts"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Host oak\n  ProxyCommand nc %h %p", "ProxyCommand"),
        ("Host oak\n  CertificateFile ~/.ssh/signed-cert.pub", "a certificate"),
        ("Host oak\n  PKCS11Provider /usr/lib/opensc-pkcs11.so", "PKCS11Provider"),
    ],
)
def test_what_ssh_alone_can_do_is_for_the_systems_ssh(tmp_path: Path, text: str, why: str) -> None:
    assert system(way(tmp_path, text)).why == why
    assert way(tmp_path, text, host="elm").transport == "fabric"


def test_gssapi_counts_for_who_has_a_ticket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_has_ticket", lambda: True)
    assert system(way(tmp_path, "Host *\n  GSSAPIAuthentication yes")).why == "GSSAPI"
    assert way(tmp_path, "Host *\n  GSSAPIAuthentication no").transport == "fabric"
    identity = Access(identity=tmp_path / "id")
    assert way(tmp_path, "Host *\n  GSSAPIAuthentication yes", identity).transport == "fabric"


@pytest.mark.parametrize(("status", "has"), [(0, True), (1, False)])
def test_kerberos_own_command_says_whether_there_is_a_ticket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, has: bool
) -> None:
    monkeypatch.undo()
    klist = tmp_path / "klist"
    klist.write_text(f'#!/bin/sh\ntest "$*" = -s && test "$KRB5CCNAME" = FILE:/t && exit {status}\nexit 9\n')
    klist.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("KRB5CCNAME", "FILE:/t")
    choice._has_ticket.cache_clear()
    try:
        assert choice._has_ticket() is has
    finally:
        choice._has_ticket.cache_clear()


def test_a_certificate_beside_a_key_counts(tmp_path: Path) -> None:
    make_key(tmp_path / "id")
    (tmp_path / "id-cert.pub").touch()
    assert system(way(tmp_path, "")).why == "a certificate"
    assert way(tmp_path, "", Access(identity=tmp_path / "other")).transport == "fabric"


def test_a_security_key_is_known_by_any_of_its_files(tmp_path: Path) -> None:
    plain = make_key(tmp_path / "plain")
    assert [is_security_key(file) for file in (plain, Path(f"{plain}.pub"), tmp_path / "none")] == [False] * 3
    (tmp_path / "id.pub").write_bytes(SK)
    assert is_security_key(tmp_path / "id.pub")
    assert is_security_key(tmp_path / "id")
    assert system(way(tmp_path, "")).why == "a FIDO key"
    text = plain.read_text().splitlines()
    body = base64.b64encode(b"openssh-key-v1\0" + SK).decode()
    (tmp_path / "alone").write_text("\n".join([text[0], body[:70], body[70:], text[-1]]) + "\n")
    assert is_security_key(tmp_path / "alone")


def test_the_clusters_file_says_which(tmp_path: Path) -> None:
    assert system(way(tmp_path, "", Access(ssh="openssh"))).why == "the cluster file"
    assert way(tmp_path, "Host *\n  PKCS11Provider /p.so", Access(ssh="fabric")).transport == "fabric"


def test_one_on_the_way_is_enough_and_then_all_of_it_is_for_ssh(tmp_path: Path) -> None:
    to = way(tmp_path, "Host gate\n  ProxyCommand nc %h %p\nHost oak\n  ProxyJump me@gate:24")
    assert system(to).why == "ProxyCommand"
    assert to.through is not None
    gate = system(to.through)
    assert gate.options == ("-F", f"{tmp_path}/config", "-l", "me", "-p", "24")


def test_ssh_is_given_what_the_clusters_file_says_and_its_config(tmp_path: Path) -> None:
    access = Access("me", 24, tmp_path / "100% mine", tmp_path / "known", "none", ssh="openssh")
    file = tmp_path / "config"
    file.write_text("Host *\n  KnownHostsCommand /bin/true\n")
    (to,) = destinations([Host("oak", "fe80::1%eth0")], access, file)
    assert system(to) == SystemSsh(
        "the cluster file",
        (
            *("-F", str(file), "-l", "me", "-p", "24", "-o", "HostName=fe80::1%%eth0", "-J", "none"),
            *("-o", f'IdentityFile="{tmp_path}/100%% mine"', "-o", "IdentitiesOnly=yes"),
            *("-o", f'UserKnownHostsFile="{tmp_path}/known"', "-o", "GlobalKnownHostsFile=none"),
            *("-o", "KnownHostsCommand=none"),
        ),
        keys_command=True,
    )


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The socket of a login that is open."""
    socket = tmp_path / "cm"
    os.mknod(socket, stat.S_IFSOCK | 0o600)
    monkeypatch.setattr(choice, "is_alive", lambda path: path == socket)
    yield socket


def test_a_login_that_is_open_is_used_where_it_is_as_good_as_ours(tmp_path: Path, login: Path) -> None:
    (tmp_path / "on-record").write_text("oak ssh-ed25519 AAAA\n")
    text = f"Host oak\n  ControlPath {login}\n  UserKnownHostsFile {tmp_path}/on-record\n"
    assert system(way(tmp_path, text)) == SystemSsh("a live ControlPath", ("-F", f"{tmp_path}/config"), login)
    assert way(tmp_path, text, host="elm").transport == "fabric"
    for no in (Access(identity=tmp_path / "id"), Access(known_hosts=tmp_path / "known")):
        assert way(tmp_path, text, no).transport == "fabric"
    assert way(tmp_path, f"{text}  StrictHostKeyChecking no\n").transport == "fabric"
    (tmp_path / "on-record").write_text("elm ssh-ed25519 AAAA\n")
    assert way(tmp_path, text).transport == "fabric"


@pytest.mark.parametrize("mode", [0o1777, 0o770, 0o702])
def test_a_login_where_another_account_could_have_put_its_own_is_not_used(
    tmp_path: Path, login: Path, mode: int
) -> None:
    (tmp_path / "on-record").write_text("oak ssh-ed25519 AAAA\n")
    text = f"Host oak\n  ControlPath {login}\n  UserKnownHostsFile {tmp_path}/on-record\n"
    login.parent.chmod(mode)
    assert way(tmp_path, text).transport == "fabric"


def test_a_login_of_another_account_and_what_is_no_socket_are_not_used(tmp_path: Path, login: Path) -> None:
    (tmp_path / "on-record").write_text("oak ssh-ed25519 AAAA\n")
    text = f"Host oak\n  ControlPath {login}\n  UserKnownHostsFile {tmp_path}/on-record\n"
    if os.getuid() == 0:
        os.chown(login, 1000, 1000)
        assert way(tmp_path, text).transport == "fabric"
    login.unlink()
    login.write_text("")
    assert way(tmp_path, text).transport == "fabric"
    login.unlink()
    login.symlink_to(tmp_path / "elsewhere")
    assert way(tmp_path, text).transport == "fabric"
