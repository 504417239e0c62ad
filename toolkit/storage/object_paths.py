"""Maps an object's key to a file below a local folder. Anyone with write access to a bucket chooses its keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from toolkit.errors import Code, ToolkitError
from toolkit.storage.s3 import StoredObject

MOST = 1_000_000
"""Number of parallel downloads."""
_LONGEST_NAME = 255
_LONGEST_PATH = 3072
"""Bytes of UTF-8; Linux allows 4096, including the folder's own path."""


def file_names(found: Iterable[tuple[str, StoredObject]]) -> list[tuple[str, StoredObject]]:
    """The objects with their paths below one folder.

    Raises `ToolkitError` (S302) that names an object whose path cannot be a file here, leads out of the folder, or
    conflicts with another's.
    """
    names: dict[str, StoredObject] = {}
    for name, item in found:
        if fault := path_fault(name):
            raise _refused(item, fault)
        if name in names:
            raise _refused(item, f"it would be the same file as {names[name].key!r}")
        names[name] = item
        if len(names) > MOST:
            raise _refused(item, f"there are more than {MOST} of them")
    for name, item in names.items():
        for parent in PurePosixPath(name).parents:
            if str(parent) in names:
                raise _refused(item, f"object {names[str(parent)].key!r} would be its folder")
    return list(names.items())


def path_fault(name: str) -> str:
    """What is wrong with a relative path that a file here shall get; empty if nothing is."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        return "it leads out of the folder"
    if "" in parts or "." in parts:
        return "a component of its path is empty or `.`"
    if "\0" in name:
        return "its name contains a NUL"
    try:
        sizes = [len(part.encode("utf-8")) for part in parts]
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if max(sizes) > _LONGEST_NAME:
        return f"a component of its path is longer than {_LONGEST_NAME} bytes"
    if sum(sizes) + len(parts) > _LONGEST_PATH:
        return f"its path is longer than {_LONGEST_PATH} bytes"
    return ""


def _refused(item: StoredObject, why: str) -> ToolkitError:
    key = item.key if len(item.key) <= 300 else f"{item.key[:300]} …"
    return ToolkitError(
        Code.LOADING_DATA,
        f"object {key!r} cannot be a file here: {why}; nothing was downloaded",
        hint="rename or remove it in the bucket",
        context={"reason": "refused"},
    )
