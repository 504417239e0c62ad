"""The buckets of a manifest: upload training data, list objects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import Code, Problem, ToolkitError
from toolkit.folder_files import files_of, shown
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_reference
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.paths import home
from toolkit.progress import Progress, Report, silent
from toolkit.run.plan.code_listing import first_of
from toolkit.run.plan.training_id import new_training_id
from toolkit.storage.client import Access
from toolkit.storage.examine import examined, located
from toolkit.storage.open_storage import open_access
from toolkit.storage.s3 import Store, StoredObject

_LONGEST_KEY = 1024
"""Bytes, in every S3 store."""
_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Put:
    """An upload: new keys and their bytes, and how many files were already there."""

    bucket: str
    keys: tuple[str, ...]
    size: int
    there_already: int


def put_data(manifest: str | Path, folder: str | Path, *, report: Report = silent) -> Put:
    """Upload the files of `folder` to the manifest's data bucket; missing buckets are created.

    A file that is already in the bucket, byte for byte, is not sent again.

    Raises:
        ToolkitError: C101 if the manifest's data is not in a bucket, C102 for files that no bucket accepts, C103 for
            keys that the store refuses.

    Example:
        >>> api.put_data("manifest.yml", "data").keys
    """
    read = read_manifest(Path(manifest))
    files = files_to_put(Path(folder), read.buckets["data"].prefix if "data" in read.buckets else "")
    with _opened(read) as access:
        return _put(read, access, files, report)


def list_buckets(manifest: str | Path) -> dict[str, list[StoredObject]]:
    """The objects of the manifest's buckets, by the bucket's name and prefix.

    Example:
        >>> [item.key for items in api.list_buckets("manifest.yml").values() for item in items]
    """
    read = read_manifest(Path(manifest))
    with _opened(read) as access:
        return {
            reference.place: list(Store(located(access[name], reference.bucket)).objects(reference.bucket))
            for name, reference in read.buckets.items()
        }


@contextmanager
def _opened(manifest: Manifest) -> Iterator[dict[str, Access]]:
    side_image = buckets_reference()
    if manifest.uses_embedded_store:
        ImageStore().get(side_image)
    with open_access(manifest, home(), side_image, new_training_id(), host=None) as opened:
        yield opened.remotes


def files_to_put(folder: Path, prefix: str = "") -> list[tuple[str, Path]]:
    """Every file of `folder` by its key below `prefix`.

    Raises `ToolkitError` (C102), before any upload, that names each file that cannot be uploaded: a link out of the
    folder, to nothing or to a folder, a name that no bucket accepts, a pipe or a device, an unreadable file.
    """
    if not folder.is_dir():
        raise ToolkitError(Code.CODE, f"{folder}: no such folder", hint="name the folder with the data")
    files: list[tuple[str, Path]] = []
    problems: list[Problem] = []
    for found in files_of(folder):
        if isinstance(found, Problem):
            problems.append(found)
        elif len(f"{prefix}/{found.name}".lstrip("/").encode()) > _LONGEST_KEY:
            problems.append(Problem(f"{shown(found.name)[:60]}…: object keys have at most {_LONGEST_KEY} bytes"))
        elif not os.access(found.path, os.R_OK):
            problems.append(Problem(f"{shown(found.name)}: Permission denied"))
        else:
            files.append((found.name, found.path))
    if problems:
        raise ToolkitError(
            Code.CODE,
            f"{folder} has files that cannot be uploaded: nothing was uploaded",
            first_of(problems, _MOST_PROBLEMS),
            hint="replace links with copies, rename files to UTF-8 (convmv does it for whole folders), or "
            "move them elsewhere",
        )
    if not files:
        raise ToolkitError(Code.CODE, f"{folder} has no files to upload", hint="name the folder with the data")
    return files


def _put(manifest: Manifest, access: dict[str, Access], files: list[tuple[str, Path]], report: Report) -> Put:
    if "data" not in manifest.buckets:
        raise ToolkitError(
            Code.MANIFEST, "this manifest's training data is in a folder, not in a bucket: nothing to upload"
        )
    bucket = manifest.buckets["data"].bucket
    for name, reference in manifest.buckets.items():
        if Store(located(access[name], reference.bucket)).create_bucket(reference.bucket):
            report(Progress("putting", note=f"bucket {reference.bucket} created"))
    store = Store(examined(access["data"], bucket, write=True))
    there = {item.key: item for item in store.objects(bucket)}
    # An equal size is not enough: `holds` compares the contents.
    wanted = [(key, file) for key, file in files if key not in there or not store.holds(bucket, there[key], file)]
    total, done = sum(file.stat().st_size for _, file in wanted), 0

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        report(Progress("putting", key, done, total, "bytes"))

    for key, file in wanted:
        store.put(bucket, key, file, on_bytes)
    return Put(bucket, tuple(key for key, _ in wanted), total, len(files) - len(wanted))
