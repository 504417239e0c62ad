"""Writes a run as an RO-Crate: its record, manifest, code and results in a new folder, each file as recorded."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from toolkit.errors import Code, ToolkitError
from toolkit.run.document.compare import MODEL_SIGNATURE, STATEMENT, expected_files, file_differences
from toolkit.run.document.crate import METADATA, RECORD, WORKFLOW, crate_metadata, place_in_crate
from toolkit.run.document.find import FoundRecord
from toolkit.run.document.places import OnFile, Place
from toolkit.run.document.verify import listed_sums
from toolkit.storage.object_paths import path_fault

_BESIDES = ("_run/SHA256SUMS", STATEMENT, MODEL_SIGNATURE)
"""What a crate holds besides what the record names: the list, which was compared with the record, and signatures."""


def export(found: FoundRecord, place: Place, target: Path, licence: str, on_file: OnFile) -> list[str]:
    """Write the crate to `target`, which must not exist; returns what is not as recorded, and then writes nothing.

    Raises `ToolkitError`: C101 if `target` exists or cannot be created, S302 for a path that no file here can have.
    """
    sums, said = listed_sums(place, found)
    if said:
        return said
    expected = expected_files(found.document, sums)
    for path in expected:
        if fault := path_fault(path):
            raise ToolkitError(Code.LOADING_DATA, f"{path!r} in the record cannot be exported: {fault}")
    disputed = found.document.results.disputed
    with _new_folder(target) as folder:
        there, sizes = _copied(place, {*expected, *_BESIDES}, folder, on_file)
        if said := file_differences(expected, there, disputed=disputed, partial=place.partial):
            return said
        sizes = {path: sizes[path] for path in sorted(sizes)}
        _write(folder / RECORD, found.data)
        _write(folder / WORKFLOW, yaml.safe_dump(found.document.manifest, sort_keys=False, allow_unicode=True).encode())
        metadata = crate_metadata(found.document, sizes, licence)
        _write(folder / METADATA, json.dumps(metadata, indent=1).encode() + b"\n")
        folder.rename(target)
    return []


def _copied(
    place: Place, wanted: Collection[str], folder: Path, on_file: OnFile
) -> tuple[dict[str, str], dict[str, int]]:
    """Copy `wanted`, as far as it is there; returns SHA-256 by path, and bytes by path in the crate."""
    sums: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for name, path in place.paths(wanted).items():
        if path not in wanted:
            continue
        sha256, size, copy = hashlib.sha256(), 0, place_in_crate(path)
        (folder / copy).parent.mkdir(parents=True, exist_ok=True)
        with (folder / copy).open("xb") as stream:
            for piece in place.pieces(name):
                stream.write(piece)
                sha256.update(piece)
                size += len(piece)
                on_file(path, len(piece))
        sums[path], sizes[copy] = sha256.hexdigest(), size
    return sums, sizes


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A folder beside `target`, which is removed unless it was renamed."""
    if target.exists() or target.is_symlink():
        raise ToolkitError(Code.MANIFEST, f"{target} already exists", hint="name a new folder")
    try:
        hidden = Path(tempfile.mkdtemp(prefix=".toolkit-crate-", dir=target.absolute().parent))
    except OSError as error:
        raise ToolkitError(Code.MANIFEST, f"{target} cannot be created: {error.strerror}") from None
    try:
        folder = hidden / "crate"
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _write(file: Path, data: bytes) -> None:
    with file.open("xb") as stream:
        stream.write(data)
