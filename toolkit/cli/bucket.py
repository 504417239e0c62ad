"""`toolkit bucket put MANIFEST FOLDER` and `toolkit bucket list MANIFEST`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from toolkit.cli.output import console, human_size, print_json, progress_bar
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.folder_files import files_of, shown
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_recipe
from toolkit.image.version import read_inputs
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.paths import home
from toolkit.progress import Progress
from toolkit.run.plan.training_id import new_training_id
from toolkit.storage.client import Access
from toolkit.storage.examine import examined, located
from toolkit.storage.open_storage import open_access
from toolkit.storage.s3 import Store, StoredObject

_LONGEST_KEY = 1024
"""Bytes, of every S3 store."""
_MOST_PROBLEMS = 20


def run(arguments: argparse.Namespace) -> int:
    """Open both stores, then put or list."""
    manifest = read_manifest(Path(arguments.manifest))
    files = files_to_put(Path(arguments.folder), _prefix(manifest)) if arguments.act == "put" else []
    side_image = read_inputs(buckets_recipe()).reference
    if any(reference.connection.is_embedded for reference in manifest.buckets.values()):
        ImageStore().get(side_image)
    with open_access(manifest, home(), side_image, new_training_id(), host=None) as opened:
        if arguments.act == "list":
            return _list(manifest, opened.remotes, as_json=arguments.json)
        return _put(manifest, opened.remotes, files, as_json=arguments.json)


def files_to_put(folder: Path, prefix: str = "") -> list[tuple[str, Path]]:
    """Every file of `folder` by its key below `prefix`.

    Raises `ToolkitError` (C102), before anything is put, that names each file that cannot be: a link that leads out, to
    nothing or to a folder, a name that no bucket takes, a pipe or a device, what may not be read.
    """
    if not folder.is_dir():
        raise ToolkitError(Code.CODE, f"{folder}: no such folder", hint="name the folder that holds the data")
    files: list[tuple[str, Path]] = []
    problems: list[Problem] = []
    for found in files_of(folder):
        if isinstance(found, Problem):
            problems.append(found)
        elif len(f"{prefix}/{found.name}".lstrip("/").encode()) > _LONGEST_KEY:
            problems.append(Problem(f"{shown(found.name)[:60]}…: a bucket's key has at most {_LONGEST_KEY} bytes"))
        elif not os.access(found.path, os.R_OK):
            problems.append(Problem(f"{shown(found.name)}: Permission denied"))
        else:
            files.append((found.name, found.path))
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        listed = problems[:_MOST_PROBLEMS] + ([Problem(f"and {more} more")] if more > 0 else [])
        raise ToolkitError(
            Code.CODE,
            f"{folder} holds what cannot be put: nothing was put",
            tuple(listed),
            hint="put a copy in the place of a link, give it a name in UTF-8 (convmv renames whole folders), or "
            "move it elsewhere",
        )
    if not files:
        raise ToolkitError(Code.CODE, f"{folder} holds no files to put", hint="name the folder that holds the data")
    return files


def _prefix(manifest: Manifest) -> str:
    return manifest.buckets["data"].prefix if "data" in manifest.buckets else ""


def _put(manifest: Manifest, access: dict[str, Access], files: list[tuple[str, Path]], *, as_json: bool) -> int:
    if "data" not in manifest.buckets:
        raise ToolkitError(Code.MANIFEST, "this manifest's training data is a folder and no bucket: nothing to put")
    bucket = manifest.buckets["data"].bucket
    for name, reference in manifest.buckets.items():
        if Store(located(access[name], reference.bucket)).create_bucket(reference.bucket):
            console.print(f"bucket {reference.bucket} made")
    store = Store(examined(access["data"], bucket, write=True))
    there = {item.key: item for item in store.objects(bucket)}
    wanted = [(key, file) for key, file in files if not _same(store, bucket, there.get(key), file)]
    total, done = sum(file.stat().st_size for _, file in wanted), 0
    with progress_bar() as report:

        def on_bytes(count: int) -> None:
            nonlocal done
            done += count
            report(Progress("putting", key, done, total, "bytes"))

        for key, file in wanted:
            store.put(bucket, key, file, on_bytes)
    if as_json:
        print_json({"bucket": bucket, "put": [key for key, _ in wanted], "there_already": len(files) - len(wanted)})
    kept = f", {len(files) - len(wanted)} there already" if len(wanted) < len(files) else ""
    console.print(f"bucket {bucket}: {len(wanted)} files put ({human_size(total)}){kept}")
    return 0


def _same(store: Store, bucket: str, item: StoredObject | None, file: Path) -> bool:
    """Whether the bucket holds these bytes already; a size alone proves nothing."""
    return item is not None and store.holds(bucket, item, file)


def _list(manifest: Manifest, access: dict[str, Access], *, as_json: bool) -> int:
    found = {
        reference.place: list(Store(located(access[name], reference.bucket)).objects(reference.bucket))
        for name, reference in manifest.buckets.items()
    }
    if as_json:
        print_json(
            {bucket: [{"key": item.key, "bytes": item.size} for item in items] for bucket, items in found.items()}
        )
        return 0
    for bucket, items in found.items():
        print(f"{bucket}: {len(items)} objects, {human_size(sum(item.size for item in items))}")
        for item in items:
            print(f"  {item.size:>12}  {item.key}")
    return 0
