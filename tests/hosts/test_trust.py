"""Which keys are recorded, in which order, and which never."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.errors import key_unknown
from toolkit.hosts.ssh.known_hosts import Entry, HostKey, Standing, read_entries
from toolkit.hosts.ssh.trust import Finding, file_of, record, refuse_changed, stages

KEY, OTHER = HostKey("ssh-ed25519", b"one"), HostKey("ssh-ed25519", b"two")


def to(name: str, through: Destination | None = None, files: tuple[Path, ...] = ()) -> Destination:
    new_keys = files[0] if files else None
    return Destination(name, f"{name}.lab", 22, "root", (), True, f"{name}.lab", files, through, new_keys)


def test_jump_hosts_come_before_what_lies_behind_them_and_once() -> None:
    outer = to("outer")
    inner = to("inner", outer)
    a, b, c = to("a", inner), to("b", inner), to("c")
    assert stages([a, b, c]) == ((outer, c), (inner,), (a, b))
    assert stages([]) == ()


def test_new_keys_are_added_once_to_the_first_file(tmp_path: Path) -> None:
    files = (tmp_path / "own", tmp_path / "shared")
    one = Finding(to("a", files=files), KEY, Standing.UNKNOWN, None)
    assert record([one, one, Finding(to("b", files=files), OTHER, Standing.UNKNOWN, None)]) == (files[0],)
    assert [(entry.names, entry.key) for entry in read_entries(files)] == [("a.lab", KEY), ("b.lab", OTHER)]


def test_without_a_file_there_is_nowhere_to_record() -> None:
    with pytest.raises(ToolkitError, match="host a: no file to record its key in") as caught:
        file_of(to("a"))
    assert "set `known_hosts` in the cluster file" in caught.value.hint


def test_an_unknown_key_is_recorded_only_where_a_file_keeps_it(tmp_path: Path) -> None:
    assert "record it: toolkit cluster trust" in key_unknown(to("a", files=(tmp_path / "k",)), KEY).hint
    lost = key_unknown(replace(to("a"), known_hosts=(Path("/dev/null"),)), KEY)
    assert "set `known_hosts` in the cluster file" in lost.hint


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finding = Finding(to("a", files=(tmp_path / "file" / "known",)), KEY, Standing.UNKNOWN, None)
    with pytest.raises(ToolkitError, match="no key was recorded there"):
        record([finding])


def test_a_changed_or_revoked_key_is_refused_with_its_line(tmp_path: Path) -> None:
    entry = Entry("a.lab", OTHER, tmp_path / "known", 7)
    known = Finding(to("a"), KEY, Standing.KNOWN, entry)
    refuse_changed([known, Finding(to("b"), KEY, Standing.UNKNOWN, None)])
    changed, revoked = replace(known, standing=Standing.CHANGED), replace(known, standing=Standing.REVOKED)
    with pytest.raises(ToolkitError, match="the keys of 2 hosts differ") as caught:
        refuse_changed([changed, revoked])
    assert [str(problem) for problem in caught.value.problems] == [
        f"{tmp_path}/known:7:1: host a (a.lab:22) presented ssh-ed25519 {KEY.fingerprint}; "
        f"recorded here: ssh-ed25519 {OTHER.fingerprint}",
        f"{tmp_path}/known:7:1: host a (a.lab:22) presented ssh-ed25519 {KEY.fingerprint}; it is marked @revoked here",
    ]
