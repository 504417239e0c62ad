"""known_hosts files: what is read in them, where a key stands, and what is appended."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.hosts.ssh.known_hosts import (
    HostKey,
    Standing,
    append,
    kinds_on_record,
    known_as,
    read_entries,
    standing,
)

ED = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519 one")
OTHER = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519 two")
RSA = HostKey("ssh-rsa", b"\0\0\0\x07ssh-rsa three")


def line(names: str, key: HostKey, marker: str = "") -> str:
    return f"{marker} {names} {key.kind} {base64.b64encode(key.blob).decode()} comment\n".lstrip()


def found(folder: Path, text: str, name: str, key: HostKey) -> tuple[Standing, int]:
    file = folder / "known_hosts"
    file.write_text(text)
    stands, entry = standing(read_entries([file]), name, key)
    return stands, entry.line if entry else 0


def test_a_fingerprint_is_what_ssh_keygen_prints() -> None:
    blob = base64.b64decode("AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl")
    # Of github.com's published ed25519 key.
    assert HostKey("ssh-ed25519", blob).fingerprint == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("", "h", (Standing.UNKNOWN, 0)),
        (line("h", ED), "h", (Standing.KNOWN, 1)),
        (line("H", ED), "h", (Standing.KNOWN, 1)),
        (line("h", OTHER), "h", (Standing.CHANGED, 1)),
        (line("h", RSA), "h", (Standing.CHANGED, 1)),
        (line("h", RSA) + line("h", OTHER), "h", (Standing.CHANGED, 2)),
        (line("h", OTHER) + line("h", ED), "h", (Standing.KNOWN, 2)),
        (line("h", ED), "i", (Standing.UNKNOWN, 0)),
        (line("h", ED), "[h]:2222", (Standing.UNKNOWN, 0)),
        (line("[h]:2222", ED), "[h]:2222", (Standing.KNOWN, 1)),
        (line("[h]:2222", ED), "h", (Standing.UNKNOWN, 0)),
        (line("a,h,b", ED), "h", (Standing.KNOWN, 1)),
        (line("*.lab,!x.lab", ED), "h.lab", (Standing.KNOWN, 1)),
        (line("*.lab,!x.lab", ED), "x.lab", (Standing.UNKNOWN, 0)),
        (line("p?", ED), "p1", (Standing.KNOWN, 1)),
        ("# note\n\n" + line("h", ED), "h", (Standing.KNOWN, 3)),
        (line("h", ED, "@cert-authority"), "h", (Standing.UNKNOWN, 0)),
        (line("h", ED) + line("*", ED, "@revoked"), "h", (Standing.REVOKED, 2)),
        ("h ssh-ed25519 not+base64?\nh\n", "h", (Standing.UNKNOWN, 0)),
    ],
)
def test_where_a_key_stands(tmp_path: Path, text: str, name: str, expected: tuple[Standing, int]) -> None:
    assert found(tmp_path, text, name, ED) == expected


def test_a_hashed_name_is_found_and_no_other(tmp_path: Path) -> None:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, b"[h]:2222", hashlib.sha1).digest()
    hashed = f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
    assert found(tmp_path, line(hashed, ED), "[h]:2222", ED) == (Standing.KNOWN, 1)
    assert found(tmp_path, line(hashed, ED), "h", ED) == (Standing.UNKNOWN, 0)
    assert found(tmp_path, line("|1|bad", ED), "h", ED) == (Standing.UNKNOWN, 0)


def test_a_file_that_is_not_there_knows_no_one(tmp_path: Path) -> None:
    assert read_entries([tmp_path / "none"]) == ()


def test_types_on_record_come_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(line("h", RSA) + line("h", ED) + line("i", ED))
    assert kinds_on_record(read_entries([file]), "h") == ("ssh-rsa", "ssh-ed25519")


def test_a_new_file_is_its_owners_alone_and_an_old_one_keeps_what_it_has(tmp_path: Path) -> None:
    file = tmp_path / "new" / "known_hosts"
    append(file, [("h", ED)])
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    old = tmp_path / "old"
    old.write_text("# without an end of line")
    old.chmod(0o644)
    append(old, [("h", ED), ("i", RSA)])
    assert old.read_text().splitlines()[0] == "# without an end of line"
    assert [(entry.names, entry.key, entry.line) for entry in read_entries([old])] == [("h", ED, 2), ("i", RSA, 3)]
    assert old.stat().st_mode & 0o777 == 0o644


@given(st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True), st.integers(1, 65535), st.binary(min_size=1))
def test_what_is_recorded_is_known_afterwards(name: str, port: int, blob: bytes) -> None:
    key = HostKey("ssh-ed25519", blob)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "known_hosts"
        append(file, [(known_as(name, port), key)])
        entries = read_entries([file])
    assert standing(entries, known_as(name, port), key)[0] is Standing.KNOWN
    assert standing(entries, known_as(name, port % 65535 + 1), key)[0] is Standing.UNKNOWN


def hashed(name: str) -> str:
    salt = b"s" * 20
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize("port", [22, 2222])
@pytest.mark.parametrize("written", ["gpu01", "GPU01", "Gpu01"])
@pytest.mark.parametrize("key", [ED, OTHER])
def test_a_hashed_name_is_found_however_the_host_is_written(
    tmp_path: Path, written: str, port: int, key: HostKey
) -> None:
    """ssh hashes names in small letters: a key that has changed must not look like one of a new host."""
    text = line(hashed(known_as("gpu01", port)), ED)
    stands = Standing.KNOWN if key is ED else Standing.CHANGED
    assert found(tmp_path, text, known_as(written, port), key) == (stands, 1)


def test_a_file_that_is_no_regular_one_has_no_entries(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")  # reading it would wait for ever
    (tmp_path / "known").write_text(line("h", ED))
    files = [Path("/dev/null"), Path("/dev/zero"), tmp_path, tmp_path / "fifo", tmp_path / "none", tmp_path / "known"]
    assert [entry.file.name for entry in read_entries(files)] == ["known"]
