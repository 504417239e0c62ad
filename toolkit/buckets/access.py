"""From a manifest's references to stores that answer: keys resolved, the embedded server started if it is meant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from toolkit.buckets.embedded import LOOPBACK, embedded_keys, embedded_store
from toolkit.buckets.store import Access
from toolkit.manifest.model import BucketReference, Manifest
from toolkit.secrets import PAIR_KINDS, Secret, resolve_pair, resolve_secret


@contextmanager
def open_access(
    manifest: Manifest, home: Path, side_image: str, run: str, address: str = LOOPBACK
) -> Iterator[dict[str, Access]]:
    """Access to the stores, as `data` (unless the data is a folder) and `results`, while the context lasts.

    An embedded store listens at `address`: this machine's, as those who need it see it.

    Raises `ToolkitError` (C103) for a reference that leads nowhere, before anything is started.
    """
    uses_embedded = any(reference.connection.is_embedded for reference in manifest.buckets.values())
    keys = embedded_keys(home) if uses_embedded else {}
    resolved = {remote: _resolve(reference, keys) for remote, reference in manifest.buckets.items()}
    with ExitStack() as stack:
        if uses_embedded:
            url = stack.enter_context(embedded_store(home, side_image, run, address))
            resolved = {name: _at(access, url) for name, access in resolved.items()}
        yield resolved


def _resolve(reference: BucketReference, embedded: dict[str, Secret]) -> Access:
    connection = reference.connection
    url = "" if connection.is_embedded else connection.endpoint_url
    if connection.access_key_id.kind in PAIR_KINDS:
        access_key, secret_key, token = resolve_pair(connection.access_key_id)
        return Access(url, access_key, secret_key, reference.prefix, token)
    return Access(
        endpoint_url=url,
        access_key_id=resolve_secret(connection.access_key_id, os.environ, embedded),
        secret_access_key=resolve_secret(connection.secret_access_key, os.environ, embedded),
        prefix=reference.prefix,
    )


def _at(access: Access, embedded_url: str) -> Access:
    return replace(access, endpoint_url=access.endpoint_url or embedded_url)
