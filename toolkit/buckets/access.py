"""From a manifest's references to stores that answer: keys resolved, the embedded server started if it is meant."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from toolkit.buckets.client import Access, load_boto3
from toolkit.buckets.embedded import LOOPBACK, EmbeddedStore, embedded_keys
from toolkit.buckets.examine import examined
from toolkit.buckets.leash import on_leash
from toolkit.manifest.model import BucketReference, Manifest
from toolkit.secrets import PAIR_KINDS, Secret, resolve_pair, resolve_secret


class Opened:
    """Access to both stores: `opened["data"]`, `opened["results"]`."""

    def __init__(self, remotes: Mapping[str, Access], store: EmbeddedStore | None = None) -> None:
        self.remotes = dict(remotes)
        self._store = store
        self.outlives = False

    def __getitem__(self, name: str) -> Access:
        return self.remotes[name]

    def examine(self, manifest: Manifest) -> None:
        """Find out the ways of both stores, for boto3 and rclone alike; raises `ToolkitError` as `examined` does."""
        load_boto3()
        with ThreadPoolExecutor(len(manifest.buckets)) as pool:
            under_way = {
                name: pool.submit(examined, self.remotes[name], reference.bucket, write=name == "results")
                for name, reference in manifest.buckets.items()
            }
        self.remotes |= {name: found.result() for name, found in under_way.items()}

    def outlive(self, folder: str) -> None:
        """Leave an embedded store to the run: it ends when the run's record is in `folder` (`bucket/key`)."""
        if self._store:
            self._store.outlive(folder)
        self.outlives = True


@contextmanager
def open_access(manifest: Manifest, home: Path, side_image: str, run: str, address: str = LOOPBACK) -> Iterator[Opened]:
    """Access to the stores, as `data` (unless the data is a folder) and `results`, while the context lasts.

    An embedded store listens at `address`: this machine's, as those who need it see it.

    Raises `ToolkitError` (C103) for a reference that leads nowhere, before anything is started.
    """
    uses_embedded = any(reference.connection.is_embedded for reference in manifest.buckets.values())
    keys = embedded_keys(home) if uses_embedded else {}
    resolved = {remote: _resolve(reference, keys) for remote, reference in manifest.buckets.items()}
    if not uses_embedded:
        yield Opened(resolved)
        return
    store = EmbeddedStore(home, side_image, run, address)
    opened = None
    try:
        url = store.start()
        opened = Opened({name: _at(access, url) for name, access in resolved.items()}, store)
        with on_leash(store.leash):
            yield opened
    finally:
        if opened is None or not opened.outlives:
            store.remove()


def _resolve(reference: BucketReference, embedded: dict[str, Secret]) -> Access:
    connection = reference.connection
    url = "" if connection.is_embedded else connection.endpoint_url
    if connection.access_key_id.kind in PAIR_KINDS:
        access_key, secret_key, token = resolve_pair(connection.access_key_id)
        return Access(url, access_key, secret_key, reference.prefix, token, connection.region)
    return Access(
        endpoint_url=url,
        access_key_id=resolve_secret(connection.access_key_id, os.environ, embedded),
        secret_access_key=resolve_secret(connection.secret_access_key, os.environ, embedded),
        prefix=reference.prefix,
        region=connection.region,
    )


def _at(access: Access, embedded_url: str) -> Access:
    return replace(access, endpoint_url=access.endpoint_url or embedded_url)
