"""From an object's key to a file below a folder here. Keys are whatever someone could write into a bucket. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from toolkit.errors import Code, ToolkitError
from toolkit.storage.s3 import StoredObject

MOST = 1_000_000
"""Objects that are fetched at once."""
_LONGEST_NAME = 255
_LONGEST_PATH = 3072
"""Bytes of UTF-8; Linux takes 4096, the folder's own path among them."""


def file_names(found: Iterable[tuple[str, StoredObject]]) -> list[tuple[str, StoredObject]]:
    """The objects with the paths that they get below one folder.

    Raises `ToolkitError` (S302) that names the object whose path no file here can have, which would leave the folder,
    or which another's excludes.
    """
    names: dict[str, StoredObject] = {}
    for name, item in found:
        if fault := _fault(name):
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


def _fault(name: str) -> str:
    """What is wrong with a relative path; empty where nothing is."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        return "it would leave the folder"
    if "" in parts or "." in parts:
        return "a part of its path has no name"
    if "\0" in name:
        return "its name holds a NUL"
    try:
        sizes = [len(part.encode("utf-8")) for part in parts]
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if max(sizes) > _LONGEST_NAME:
        return f"a part of its path is longer than {_LONGEST_NAME} bytes"
    if sum(sizes) + len(parts) > _LONGEST_PATH:
        return f"its path is longer than {_LONGEST_PATH} bytes"
    return ""


def _refused(item: StoredObject, why: str) -> ToolkitError:
    key = item.key if len(item.key) <= 300 else f"{item.key[:300]} …"
    return ToolkitError(
        Code.LOADING_DATA,
        f"object {key!r} cannot be a file here: {why}; nothing was fetched",
        hint="rename or remove it in the bucket",
        context={"reason": "refused"},
    )
