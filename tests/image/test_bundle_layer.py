"""A site's bundle becomes the layer that its content is, and nothing else becomes one."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from toolkit.catalogue.model import SiteBundle
from toolkit.errors import ToolkitError
from toolkit.image.bundle_layer import write_bundle_layer
from toolkit.image.layer import Layer

LIBRARIES = {"lib64/libcublas.so.9.0": b"blas", "lib64/stubs/libcuda.so": b"stub", "include/cuda.h": b"h"}


def bundle(folder: Path, files: dict[str, bytes], *, packed: str = "", top: str = "./") -> SiteBundle:
    file = folder / f"cuda.tar{packed}"
    with tarfile.open(file, f"w:{packed}") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{top}{name}")
            info.size, info.mtime, info.uname = len(content), 5, "someone"
            tar.addfile(info, io.BytesIO(content))
    return SiteBundle("cuda", file, hashlib.sha256(file.read_bytes()).hexdigest())


def layer_of(one: SiteBundle, folder: Path) -> Layer:
    folder.mkdir()
    return write_bundle_layer(one, folder)


def test_its_content_lies_below_usr_local_cuda_with_the_drivers_own_name_for_the_stub(tmp_path: Path) -> None:
    layer = layer_of(bundle(tmp_path, LIBRARIES), tmp_path / "out")
    with tarfile.open(layer.file) as tar:
        found = {member.name: member.linkname or member.type.decode() for member in tar}
    assert found == {
        "usr": "5",
        "usr/local": "5",
        "usr/local/cuda": "5",
        "usr/local/cuda/include/cuda.h": "0",
        "usr/local/cuda/lib64/libcublas.so.9.0": "0",
        "usr/local/cuda/lib64/stubs/libcuda.so": "0",
        "usr/local/cuda/lib64/stubs/libcuda.so.1": "libcuda.so",
    }


def test_how_it_is_packed_leaves_no_trace(tmp_path: Path) -> None:
    backwards = dict(reversed(LIBRARIES.items()))
    ways = [(LIBRARIES, "", "./"), (LIBRARIES, "gz", ""), (LIBRARIES, "bz2", "./"), (backwards, "xz", "")]
    layers = [
        layer_of(bundle(tmp_path, files, packed=packed, top=top), tmp_path / str(number))
        for number, (files, packed, top) in enumerate(ways)
    ]
    assert len({layer.diff_id for layer in layers}) == 1


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"cuda-9.0/lib64/libcublas.so": b""}, "it has no library in lib64/; it begins with: cuda-9.0/lib64"),
        ({"lib64/libcublas.so": b"", "../../etc/passwd": b"x"}, "leads out of it"),
    ],
)
def test_what_is_no_cuda_is_refused(tmp_path: Path, files: dict[str, bytes], why: str) -> None:
    with pytest.raises(ToolkitError, match=why) as caught:
        layer_of(bundle(tmp_path, files, top=""), tmp_path / "out")
    assert "tar -C /usr/local/cuda" in caught.value.hint


def test_another_file_than_the_site_says_is_refused(tmp_path: Path) -> None:
    one = bundle(tmp_path, LIBRARIES)
    assert one.file
    one.file.write_bytes(one.file.read_bytes() + b"\0")
    with pytest.raises(ToolkitError, match="but the site's file says"):
        layer_of(one, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\x1f\x8b\x08\x00damaged", b"\xfd7zXZ\x00damaged"])
def test_what_cannot_be_read_is_distinguished(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "cuda.tar"
    file.write_bytes(content)
    with pytest.raises(ToolkitError, match="it cannot be read"):
        layer_of(SiteBundle("cuda", file, hashlib.sha256(content).hexdigest()), tmp_path / "out")


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"gone\.tar is not there"):
        layer_of(SiteBundle("cuda", tmp_path / "gone.tar", "0" * 64), tmp_path / "out")
