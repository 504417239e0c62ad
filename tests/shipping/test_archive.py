"""A tar from elsewhere: what no file of ours holds is refused, each kind for itself."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.shipping.archive import MAX_DOCUMENT, Member, read_archive
from toolkit.tar.write import END, framed

from .conftest import Tar


def test_plain_files_are_found_with_their_bytes_and_folders_are_passed_over(tmp_path: Path) -> None:
    tar = Tar().add("a/b.txt", b"hello").add("a", type=tarfile.DIRTYPE).add("empty")
    archive = read_archive(tar.write(tmp_path / "x.tar"))
    assert {name: b"".join(archive.pieces(name)) for name in archive.members} == {"a/b.txt": b"hello", "empty": b""}
    assert archive.members["a/b.txt"] == Member(512, 5)


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("../escape", {}, "'../escape' is not a plain relative path"),
        ("a/../../escape", {}, "not a plain relative path"),
        ("/etc/passwd", {}, "'/etc/passwd' is not a plain relative path"),
        ("a//b", {}, "not a plain relative path"),
        ("./a", {}, "not a plain relative path"),
        ("a\\..\\b", {}, "not a plain relative path"),
        ("a\nb", {}, "not a plain relative path"),
        ("../up", {"type": tarfile.DIRTYPE}, "not a plain relative path"),
        ("link", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "'link' is a link to '/etc/passwd'"),
        ("link", {"type": tarfile.LNKTYPE, "linkname": "good"}, "'link' is a link to 'good'"),
        ("null", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, "'null' is a device"),
        ("disk", {"type": tarfile.BLKTYPE, "devmajor": 8}, "'disk' is a device"),
        ("pipe", {"type": tarfile.FIFOTYPE}, "'pipe' is a pipe"),
        ("odd", {"type": tarfile.CONTTYPE}, "'odd' is a sparse or special file"),
        ("good", {}, "'good' occurs twice"),
    ],
)
def test_a_hostile_member_is_refused(tmp_path: Path, name: str, fields: dict[str, object], why: str) -> None:
    file = Tar().add("good", b"x").add(name, **fields).write(tmp_path / "hostile.tar")
    with pytest.raises(ToolkitError, match="it was not used") as caught:
        read_archive(file)
    assert caught.value.code.label == "S103"
    assert why in caught.value.evidence


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "good", "GNU.sparse.realsize": "9"}
    file = Tar().add("GNUSparseFile.0/good", b"1\n0\n9\n".ljust(512, b"\0") + b"x" * 9, pax_headers=headers)
    with pytest.raises(ToolkitError) as caught:
        read_archive(file.write(tmp_path / "sparse.tar"))
    assert "'good' is a sparse or special file" in caught.value.evidence


@pytest.mark.parametrize("length", [100, 600, 1500])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    file = Tar().add("a", b"x" * 3000).write(tmp_path / "cut.tar")
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(ToolkitError, match="damaged"):
        read_archive(file)


@pytest.mark.parametrize("content", [b"", b"no tar at all\n" * 100, b"\x1f\x8b" + b"\0" * 600])
def test_what_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ToolkitError, match="damaged"):
        read_archive(tmp_path / "x")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"none\.tar: No such file"):
        read_archive(tmp_path / "none.tar")


def test_a_document_is_small_and_there(tmp_path: Path) -> None:
    archive = read_archive(Tar().add("big", b" " * (MAX_DOCUMENT + 1)).write(tmp_path / "x.tar"))
    with pytest.raises(ToolkitError) as caught:
        archive.document("big")
    assert "which is too large" in caught.value.evidence
    with pytest.raises(ToolkitError) as caught:
        archive.document("none")
    assert "it has no none" in caught.value.evidence


def header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    return info


@given(st.binary(max_size=3000), st.integers(1, 700))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_what_is_framed_is_read_back(tmp_path: Path, content: bytes, step: int) -> None:
    pieces = [content[at : at + step] for at in range(0, len(content), step)]
    (tmp_path / "x.tar").write_bytes(b"".join(framed(header("a/b", len(content)), pieces)) + END)
    archive = read_archive(tmp_path / "x.tar")
    assert b"".join(archive.pieces("a/b")) == content


def test_what_is_framed_must_have_its_size() -> None:
    with pytest.raises(OSError, match="changed while it was read"):
        list(framed(header("a", 3), [b"xx"]))
