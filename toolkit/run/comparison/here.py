"""What a recorded run would run with here: its manifest, its code, its data as it is listed now."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import yaml

from toolkit.atomic_file import write_whole
from toolkit.errors import Code, ToolkitError
from toolkit.folder_files import FolderFile, files_of
from toolkit.manifest.model import BucketReference, FolderReference, Manifest, NfsReference
from toolkit.run.document.data_listing import OF_EXPORT, OF_HOSTS, bounded_listing, files_in_bucket, files_in_folder
from toolkit.run.document.model import Data, RunDocument
from toolkit.run.plan.code_listing import Listed
from toolkit.run.plan.source_files import MAX_BYTES
from toolkit.storage.client import Access
from toolkit.storage.examine import located

_BESIDE = ("code", "_submitted_code")
"""Where a record's file has the code beside it: in an exported crate or a collected model, or in a copy of the run."""


def manifest_file(document: RunDocument, home: Path) -> Path:
    """The recorded manifest as a file of this machine's, which later commands read, too.

    Its name is that of its content: no other record replaces it.
    """
    text = yaml.safe_dump(document.manifest, sort_keys=False, allow_unicode=True).encode()
    file = home / "manifests" / f"{document.run.id}-{hashlib.sha256(text).hexdigest()[:12]}.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, text, mode=0o600)
    return file


def code_beside(record: Path) -> Path | None:
    """The folder with the code beside a record's file, if it is in a crate, a collected model or a copy of the run."""
    return next((record.parent / name for name in _BESIDE if (record.parent / name).is_dir()), None)


def copy_code(folder: Path, listing: Iterable[Listed], target: Path) -> list[str]:
    """Copy the recorded files of `folder`, as they are there, to `target`; returns the others, which are not the run's.

    Raises `ToolkitError` (C102) if they are more than any submitted code, or cannot be read.
    """
    recorded, total, others = {one.name for one in listing}, 0, list[str]()
    try:
        for file in files_of(folder):
            if not isinstance(file, FolderFile):
                continue
            if file.name not in recorded:
                others.append(file.name)
                continue
            total += file.status.st_size
            if total > MAX_BYTES:
                raise ToolkitError(Code.CODE, f"{folder} has more than {MAX_BYTES >> 20} MiB of code")
            copy = target / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.path, copy)
            copy.chmod(0o755 if file.status.st_mode & 0o100 else 0o644)
    except OSError as error:
        raise ToolkitError(Code.CODE, f"{error.filename}: {error.strerror}") from None
    return others


def data_now(manifest: Manifest, access: Access | None, *, on_hosts: bool) -> Data:
    """The training data as it is listed now, or why it cannot be; `access` is that of its bucket."""
    reference = manifest.training_data
    if isinstance(reference, BucketReference) and access:
        try:
            found = bounded_listing(files_in_bucket(located(access, reference.bucket), reference.bucket))
        except ToolkitError as error:
            found = {"not_listed": error.what}
    elif isinstance(reference, FolderReference) and not on_hosts:
        found = bounded_listing(files_in_folder(Path(reference.path)))
    else:
        found = {"not_listed": OF_EXPORT if isinstance(reference, NfsReference) else OF_HOSTS}
    return Data.model_validate({"place": reference.place, **found}, strict=False)
