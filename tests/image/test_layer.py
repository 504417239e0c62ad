"""A layer's bytes: the same for the same files, whatever their order and times were."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from toolkit.image.layer import Layer, LayerWriter
from toolkit.image.normalize import EPOCH
from toolkit.tar.read import PieceReader

NAMES = st.lists(
    st.lists(st.sampled_from(["a", "b", "a.b", "a-b", "lib"]), min_size=1, max_size=3).map("/".join),
    min_size=1,
    max_size=8,
    unique=True,
)


def tar_of(files: dict[str, bytes], time: int = EPOCH + 99) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.mtime, info.uname = len(content), time, "someone"
            tar.addfile(info, io.BytesIO(content))
    stream.seek(0)
    return stream


def layer_of(folder: Path, *tars: io.BytesIO, prefix: str = "") -> Layer:
    writer = LayerWriter(folder / f"{len(list(folder.iterdir()))}.tar", "test")
    for tar in tars:
        writer.add(tar, prefix)
    return writer.finish()


def test_the_diff_id_is_the_sha256_of_the_tar(tmp_path: Path) -> None:
    layer = layer_of(tmp_path, tar_of({"a": b"1"}))
    content = layer.file.read_bytes()
    assert layer.diff_id == f"sha256:{hashlib.sha256(content).hexdigest()}"


@given(names=NAMES, order=st.randoms(use_true_random=False), time=st.integers(EPOCH, 2**31))
def test_order_and_times_make_no_difference(
    names: list[str], order: object, time: int, tmp_path_factory: object
) -> None:
    folder = tmp_path_factory.mktemp("layers")  # type: ignore[attr-defined]
    files = {name: name.encode() * 3 for name in names}
    shuffled = list(files)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    one = layer_of(folder, tar_of(files))
    other = layer_of(folder, tar_of({name: files[name] for name in shuffled}, time))
    assert one.diff_id == other.diff_id
    with tarfile.open(other.file) as tar:
        assert {member.name: tar.extractfile(member).read() for member in tar} == files  # type: ignore[union-attr]


def test_several_tars_make_one_layer_below_their_prefixes(tmp_path: Path) -> None:
    writer = LayerWriter(tmp_path / "layer", "test")
    writer.add(tar_of({"venv/x": b"1"}), "opt/")
    writer.add(tar_of({"lock": b"2"}), "etc/")
    with tarfile.open(writer.finish().file) as tar:
        assert tar.getnames() == ["etc/lock", "opt/venv/x"]


def test_traces_are_left_out(tmp_path: Path) -> None:
    layer = layer_of(tmp_path, tar_of({"etc/hostname": b"mine", "etc/issue": b"Debian", "var/log/a": b"x"}))
    with tarfile.open(layer.file) as tar:
        assert tar.getnames() == ["etc/issue"]


def test_a_hard_link_still_leads_to_its_file(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo("venv/a")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"hi"))
        link = tarfile.TarInfo("venv/b")
        link.type, link.linkname = tarfile.LNKTYPE, "venv/a"
        tar.addfile(link)
    stream.seek(0)
    with tarfile.open(layer_of(tmp_path, stream, prefix="opt/").file) as tar:
        assert tar.extractfile("opt/venv/b").read() == b"hi"  # type: ignore[union-attr]


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_pieces_read_like_the_file_they_were(pieces: list[bytes], count: int) -> None:
    def sent() -> Iterator[bytes]:
        yield from pieces

    reader, read = PieceReader(sent()), b""
    while piece := reader.read(count):
        read += piece
    assert read == b"".join(pieces)


def test_the_folders_above_a_path_are_there_once(tmp_path: Path) -> None:
    writer = LayerWriter(tmp_path / "layer", "test")
    for path in ("/opt/ddl/ddl", "/opt/venv"):
        writer.add_folders_above(path)
    writer.add(tar_of({"venv": b"x"}), "opt/")
    with tarfile.open(writer.finish().file) as tar:
        found = [(member.name, member.isdir(), member.mode, member.mtime) for member in tar]
    assert found == [
        ("opt", True, 0o755, EPOCH),
        ("opt/ddl", True, 0o755, EPOCH),
        ("opt/venv", False, 0o644, EPOCH),
    ]
