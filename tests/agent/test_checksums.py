"""The list of checksums, and what several hosts' lists make together."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent.checksums import (
    digest_of,
    digest_of_open,
    files_below,
    key_of,
    line,
    merged,
    plain,
    read_list,
    write_list,
)
from toolkit.agent.end_reasons import Reason
from toolkit.agent.outcome import HostReport
from toolkit.agent.run_checksums import gathered, list_of, own_list

from .jobs import RUN, job

A, B = "a" * 64, "b" * 64
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60)


@given(st.dictionaries(NAMES, st.sampled_from([A, B]), max_size=8))
def test_any_list_comes_back(sums: dict[str, str]) -> None:
    assert read_list(write_list(sums)) == sums


def test_the_list_is_the_same_for_the_same_files() -> None:
    assert write_list({"b": B, "a": A}) == write_list({"a": A, "b": B}) == f"{A}  a\n{B}  b\n".encode()


@pytest.mark.parametrize("name", ["new\nline", "back\\slash", "cr\rx", " lead", "trail ", "#a", ";b", "é", "\\n"])
def test_sha256sum_itself_reads_the_list(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"data")
    (tmp_path / "sums").write_bytes(write_list({name: hashlib.sha256(b"data").hexdigest()}))
    done = subprocess.run(["sha256sum", "--check", "sums"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done


@pytest.mark.parametrize(
    "text", [f"{A}", f"{A} one", f"{A[1:]}  short", f"{A.upper()}  big", f"{A}  ", "x", f"{A}  a\n{B}  a", "\xff"]
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_list(text.encode("latin-1"))


def test_an_object_of_which_two_hosts_say_different_things_has_no_digest() -> None:
    assert merged([{"one": A, "two": A}, {"two": B, "three": B}, {"two": A}]) == ({"one": A, "three": B}, {"two"})


def test_a_file_is_digested_in_pieces_and_no_link_is_followed(tmp_path: Path) -> None:
    data = os.urandom((1 << 20) + 7)
    (tmp_path / "file").write_bytes(data)
    found = digest_of(tmp_path / "file")
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert (found.size, found.sha256, found.md5) == (len(data), hashlib.sha256(data).hexdigest(), md5)
    assert digest_of(tmp_path / "file", md5=False).md5 == ""
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError):
        digest_of(tmp_path / "link")


def test_every_regular_file_is_listed_whatever_its_name(tmp_path: Path) -> None:
    names = [b"#a", b"new\nline", b"\xe9", b"folder/\xff/x", b" ", b"\\"]
    for name in names:
        file = tmp_path / os.fsdecode(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "link").symlink_to("#a")
    os.mkfifo(tmp_path / "pipe")
    keys = {key for key, _ in files_below(tmp_path)}
    assert keys == {"#a", "new\nline", "‛E9", "folder/‛FF/x", " ", "\\"}
    assert list(files_below(tmp_path / "missing")) == []


@given(st.binary(min_size=1, max_size=40))
def test_a_name_that_is_no_utf_8_gets_a_key_that_is(name: bytes) -> None:
    key = key_of(os.fsdecode(name))
    key.encode("utf-8")
    try:
        assert key == name.decode("utf-8")
    except UnicodeDecodeError:
        assert "‛" in key


def test_names_are_the_same_without_the_stores_own_quotes() -> None:
    assert plain("cr‛␍x") == plain("cr␍x") == plain("cr\rx") == "cr\rx"
    assert plain("‛‛E9") == plain("‛E9")


class StandInBucket:
    """Objects in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, name: str, data: bytes, **_: object) -> bool:
        self.objects[name] = data
        return True

    def get(self, name: str, _most: int = 0) -> bytes | None:
        return self.objects.get(name)


def two_hosts() -> tuple[StandInBucket, list[HostReport]]:
    bucket, reports = StandInBucket(), []
    for host, sums in enumerate(({f"{RUN}/a": A}, {f"{RUN}/b": B})):
        name = own_list(job(host=host))
        bucket.objects[name] = write_list(sums)
        reports.append(HostReport(host, checksums=hashlib.sha256(bucket.objects[name]).hexdigest()))
    return bucket, reports


def test_the_lists_of_all_hosts_become_one() -> None:
    bucket, reports = two_hosts()
    found = gathered(bucket, job(), reports)
    assert list(found.reports) == reports
    assert bucket.objects[list_of(RUN)] == write_list({f"{RUN}/a": A, f"{RUN}/b": B})
    assert found.checksums == hashlib.sha256(bucket.objects[list_of(RUN)]).hexdigest()


@pytest.mark.parametrize("forged", [None, b"", f"{A}  {RUN}/b\n".encode(), b"x"])
def test_a_host_whose_list_is_not_its_own_is_named_and_keeps_the_run_from_completing(forged: bytes | None) -> None:
    bucket, reports = two_hosts()
    name = f"{list_of(RUN)}.1"
    del bucket.objects[name]
    if forged is not None:
        bucket.objects[name] = forged
    reported = gathered(bucket, job(), reports).reports
    assert reported[0] == reports[0]
    assert reported[1].failure == Reason.BUCKET_WRITE
    assert reported[1].what.startswith(f"object {name} is refused: it is not what the run's agent wrote")
    assert read_list(bucket.objects[list_of(RUN)]) == {f"{RUN}/a": A}


def test_on_one_host_its_list_is_the_runs() -> None:
    one = job(("",))
    assert own_list(one) == list_of(RUN)
    assert gathered(StandInBucket(), one, [HostReport(0, checksums=A)]).checksums == A


def test_a_line_has_no_end_in_it() -> None:
    assert line("new\nline", A) == f"\\{A}  new\\nline"


def test_a_file_that_goes_on_growing_is_hashed_as_far_as_it_was_stored(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a line\nand another one\n")
    with (tmp_path / "log").open("rb") as log:
        log.read()
        assert digest_of_open(log.fileno(), most=7).sha256 == hashlib.sha256(b"a line\n").hexdigest()
