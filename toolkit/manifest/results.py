"""Names of the place where results go: for programs, for a record, for people. Pure."""

from __future__ import annotations

import re

from toolkit.manifest.model import BucketReference, FolderReference, NfsReference, ResultsReference

_DEFAULT = "results"
_SHORTEST, _LONGEST = 3, 63

ServedFolder = FolderReference | NfsReference
"""Results that are not stored in a bucket."""


def bucket_name(reference: ResultsReference) -> str:
    """The name of the results below /mnt/results, as programs see it: the bucket, or a folder's last name in characters
    that bucket names allow."""
    if isinstance(reference, BucketReference):
        return reference.bucket
    last = reference.path.rstrip("/").rpartition("/")[2].lower()
    name = re.sub(r"[^a-z0-9]+", "-", last).strip("-")[:_LONGEST].strip("-")
    return name if len(name) >= _SHORTEST else _DEFAULT


def address_of(reference: ResultsReference) -> str:
    """Where the results are, for a run's record: the store's URL, `file:///srv/results`, or `nfs://filer/export`."""
    match reference:
        case BucketReference():
            return reference.connection.endpoint_url
        case FolderReference():
            return f"file://{reference.path}"
        case NfsReference():
            return f"nfs://{reference.server}{reference.path}"


def place_at(address: str, bucket: str) -> str:
    """The same for people: `bucket oak-results`, `folder /srv/results`, `export filer:/results`."""
    scheme, _, rest = address.partition("://")
    if scheme == "file":
        return f"folder {rest}"
    if scheme == "nfs":
        server, _, path = rest.partition("/")
        return f"export {server}:/{path}"
    return f"bucket {bucket}"
