"""Where results go, by name: as programs see it, as a record has it, as a person reads it. Pure."""

from __future__ import annotations

import re

from toolkit.manifest.model import BucketReference, FolderReference, NfsReference, ResultsReference

_DEFAULT = "results"
_SHORTEST, _LONGEST = 3, 63

ServedFolder = FolderReference | NfsReference
"""Results that no bucket takes."""


def bucket_name(reference: ResultsReference) -> str:
    """The bucket that programs see the results as, below /mnt/results: of a folder its last name, in the letters that a
    bucket may have."""
    if isinstance(reference, BucketReference):
        return reference.bucket
    last = reference.path.rstrip("/").rpartition("/")[2].lower()
    name = re.sub(r"[^a-z0-9]+", "-", last).strip("-")[:_LONGEST].strip("-")
    return name if len(name) >= _SHORTEST else _DEFAULT


def address_of(reference: ResultsReference) -> str:
    """Where the results are, as a run's record has it: the store's URL, `file:///srv/results`, or
    `nfs://filer/export`."""
    match reference:
        case BucketReference():
            return reference.connection.endpoint_url
        case FolderReference():
            return f"file://{reference.path}"
        case NfsReference():
            return f"nfs://{reference.server}{reference.path}"


def place_at(address: str, bucket: str) -> str:
    """The same as a person reads it: `bucket oak-results`, `folder /srv/results`, `export filer:/results`."""
    scheme, _, rest = address.partition("://")
    if scheme == "file":
        return f"folder {rest}"
    if scheme == "nfs":
        server, _, path = rest.partition("/")
        return f"export {server}:/{path}"
    return f"bucket {bucket}"
