"""A site's bundle as a layer: what no package index has, such as CUDA 9.0 with cuDNN 7, below `/usr/local/cuda`."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from pathlib import Path

from toolkit.atomic_file import sha256_of
from toolkit.catalogue.model import SiteBundle
from toolkit.errors import Code, ToolkitError
from toolkit.image.layer import Layer, LayerWriter
from toolkit.tar.read import members, open_tar

FOLDER = "usr/local/cuda"
LIBRARIES = f"/{FOLDER}/lib64"
LIBRARY_PATH = f"LD_LIBRARY_PATH={LIBRARIES}"
STUBS = f"{LIBRARIES}/stubs"
"""CUDA's own stub of the driver's library: programs linked with the driver can be loaded without one."""
_STUB, _STUB_AS_ASKED = f"{FOLDER}/lib64/stubs/libcuda.so", f"{FOLDER}/lib64/stubs/libcuda.so.1"


def write_bundle_layer(bundle: SiteBundle, folder: Path) -> Layer:
    """The layer of `bundle` in `folder`: the same bytes for the same content, however it was packed.

    Raises `ToolkitError` (S103) if the file is missing, does not have the site's SHA-256, or contains no `lib64/`.
    """
    file = _checked(bundle)
    writer = LayerWriter(folder / "layer.tar", f"toolkit bundle: {bundle.name}")
    writer.add_folders_above(f"{FOLDER}/x")
    names: set[str] = set()
    try:
        with open_tar(file) as tar:
            for name, _, _ in members(tar):
                names.add(name)
        _look_at(bundle, names)
        with open_tar(file) as tar:
            writer.add(tar, f"{FOLDER}/")
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise _unfit(bundle, f"it cannot be read: {error}") from None
    if _STUB.removeprefix(f"{FOLDER}/") in names:
        # CUDA names the stub for linkers; programs load the driver's own name.
        writer.add_link(_STUB_AS_ASKED, "libcuda.so")
    return writer.finish()


def _checked(bundle: SiteBundle) -> Path:
    if bundle.file is None or not bundle.file.is_file():
        raise _unfit(bundle, f"{bundle.file or 'its file'} is not there")
    found = sha256_of(bundle.file)
    if found != bundle.sha256:
        raise _unfit(bundle, f"{bundle.file} has the SHA-256 {found}, but the site's file says {bundle.sha256}")
    return bundle.file


def _look_at(bundle: SiteBundle, names: set[str]) -> None:
    if outside := sorted(name for name in names if ".." in name.split("/")):
        raise _unfit(bundle, f"`{outside[0]}` leads out of it")
    if not any(name.startswith("lib64/") and ".so" in name for name in names):
        raise _unfit(bundle, f"it has no library in lib64/; it begins with: {', '.join(sorted(names)[:5])}")


def _unfit(bundle: SiteBundle, why: str) -> ToolkitError:
    return ToolkitError(
        Code.IMAGE,
        f"the site's bundle {bundle.name} cannot be used: {why}",
        hint="the tar must contain the files of /usr/local/cuda, including lib64/: tar -C /usr/local/cuda -cf FILE .",
    )
