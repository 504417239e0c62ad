"""A secret prints as redacted wherever it goes, and gives its value only when asked."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.secrets import Secret, SecretReference, parse_secret, resolve_pair, resolve_secret
from toolkit.secrets.source import short_text

VALUE = "wJalrXUtnFEMI"
SECRET = Secret(VALUE)


@dataclass(frozen=True)
class Holder:
    key: Secret


@pytest.mark.parametrize(
    "text",
    [
        repr(SECRET),
        str(SECRET),
        f"{SECRET}",
        f"{SECRET!r:>20}",
        "%s" % SECRET,  # noqa: UP031 - the old way, too
        repr(Holder(SECRET)),
        repr({"key": [SECRET]}),
        json.dumps({"key": SECRET}, default=str),
        logging.makeLogRecord({"msg": "%s", "args": (SECRET,)}).getMessage(),
        repr(parse_secret(VALUE)),
        str(parse_secret(VALUE)),
    ],
)
def test_a_secret_is_redacted(text: str) -> None:
    assert VALUE not in text
    assert "[redacted]" in text


def test_a_secret_gives_its_value_when_asked() -> None:
    assert SECRET.reveal() == VALUE
    assert Secret(VALUE) == SECRET
    assert Secret("other") != SECRET
    assert len({SECRET, Secret(VALUE)}) == 1


@pytest.mark.parametrize(
    ("text", "kind", "value", "shown"),
    [
        ("AKIA", "literal", "AKIA", "[redacted]"),
        ("${env:KEY}", "env", "KEY", "${env:KEY}"),
        ("${file:~/k}", "file", "~/k", "${file:~/k}"),
        ("${embedded:access_key_id}", "embedded", "access_key_id", "${embedded:access_key_id}"),
        ("x${env:KEY}", "literal", "x${env:KEY}", "[redacted]"),
    ],
)
def test_a_reference_is_distinguished_from_a_key(text: str, kind: str, value: str, shown: str) -> None:
    source = parse_secret(text)
    assert source == SecretReference(kind, Secret(value))
    assert str(source) == shown


def test_references_lead_to_their_secrets(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{VALUE}\n")
    file.chmod(0o600)
    for text in (VALUE, "${env:KEY}", f"${{file:{file}}}", "${embedded:access_key_id}"):
        assert resolve_secret(parse_secret(text), {"KEY": VALUE}, {"access_key_id": SECRET}) == SECRET


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${env:NOPE}", "no such environment variable"),
        ("${env:EMPTY}", "empty, or holds a space"),
        ("${env:SPACED}", "empty, or holds a space"),
        ("${env:LINES}", "empty, or holds a space"),
        ("${file:/no/such/file}", "No such file"),
        ("${file:/}", "Is a directory"),
        ("${embedded:password}", "it has access_key_id"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(text: str, words: str) -> None:
    environment = {"EMPTY": "", "SPACED": "a b", "LINES": "a\n[other]"}
    with pytest.raises(ToolkitError) as caught:
        resolve_secret(parse_secret(text), environment, {"access_key_id": SECRET})
    assert words in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize("value", ["a\x00b", "a\x1b[0m", "a\x7f", "a\tb", "é", "a\udcff"])
def test_a_key_holds_no_control_characters(value: str) -> None:
    with pytest.raises(ToolkitError, match="a character that no key has") as caught:
        resolve_secret(parse_secret("${env:KEY}"), {"KEY": value}, {})
    assert value not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"two words\n", b"\xff\xfe"])
def test_a_key_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ToolkitError) as caught:
        resolve_secret(parse_secret(f"${{file:{file}}}"), {}, {})
    assert caught.value.code.label == "C103"


def test_a_key_file_of_a_user_who_is_not_here_is_refused() -> None:
    with pytest.raises(ToolkitError) as caught:
        resolve_secret(parse_secret("${file:~no-such-user/key}"), {}, {})
    assert caught.value.code.label == "C103"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text(VALUE)
    file.chmod(mode)
    with pytest.raises(ToolkitError, match="others may read"):
        resolve_secret(parse_secret(f"${{file:{file}}}"), {}, {})


def test_a_key_file_that_would_block_or_never_end_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "key"
    os.mkfifo(fifo, 0o600)
    for file, why in ((fifo, "not a file"), (Path("/dev/zero"), "not a file"), (tmp_path, "Is a directory")):
        with pytest.raises(ToolkitError, match=why):
            resolve_secret(parse_secret(f"${{file:{file}}}"), {}, {})


@pytest.mark.parametrize("writer", [False, True])
def test_a_fifo_in_the_place_of_a_key_file_is_read_as_empty(tmp_path: Path, writer: bool) -> None:
    fifo = tmp_path / "key"
    os.mkfifo(fifo)
    silent = os.open(fifo, os.O_RDWR) if writer else None
    try:
        assert short_text(fifo) == ""
    finally:
        if silent is not None:
            os.close(silent)


def test_a_folder_in_the_place_of_a_key_file_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert short_text(tmp_path) == ""
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Amazon's own files with two profiles, and nothing of this machine's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "credentials"
    file.write_text(
        "[tiles]\naws_access_key_id = TILESID\naws_secret_access_key = tiles-secret\n"
        "[session]\naws_access_key_id = SESSIONID\naws_secret_access_key = s\naws_session_token = token\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return file


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("${profile:tiles}", (Secret("TILESID"), Secret("tiles-secret"), None)),
        ("${profile:session}", (Secret("SESSIONID"), Secret("s"), Secret("token"))),
    ],
)
def test_a_profile_gives_both_keys_and_a_sessions_token(amazon: Path, text: str, pair: tuple) -> None:
    source = parse_secret(text)
    assert str(source) == text
    assert resolve_pair(source) == pair


def test_the_chain_finds_keys_as_amazons_tools_do(amazon: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROMENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", VALUE)
    assert resolve_pair(parse_secret("${chain}")) == (Secret("FROMENV"), SECRET, None)


@pytest.mark.parametrize(("text", "words"), [("${profile:none}", "none"), ("${chain}", "no keys were found")])
def test_a_profile_that_is_not_there_or_an_empty_chain_is_named(amazon: Path, text: str, words: str) -> None:
    with pytest.raises(ToolkitError, match=words) as caught:
        resolve_pair(parse_secret(text))
    assert caught.value.code.label == "C103"
    assert text in str(caught.value)
