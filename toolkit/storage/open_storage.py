"""Opens the stores of a manifest's references: resolves keys, starts the embedded server if it is used."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from toolkit.containers.engine import LOCAL, Engine
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import BucketReference, Connection, Manifest
from toolkit.manifest.results import bucket_name
from toolkit.secrets import Secret, gives_pair, resolve_pair, resolve_secret
from toolkit.storage.client import Access, load_boto3
from toolkit.storage.embedded_server import embedded_keys, serve_buckets
from toolkit.storage.examine import examined
from toolkit.storage.results_folder import served
from toolkit.storage.store_server import LOOPBACK, StoreServer, store_container, with_heartbeat

_CUSTOMER_KEY_BYTES = 32
"""S3 supports only AES-256:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html"""


class Opened:
    """Access to both stores: `opened["data"]`, `opened["results"]`."""

    def __init__(self, remotes: Mapping[str, Access]) -> None:
        self.remotes = dict(remotes)
        self.outlives = False
        """Whether an embedded store is the run's now, and stays when the context ends."""

    def __getitem__(self, name: str) -> Access:
        return self.remotes[name]

    def examine(self, manifest: Manifest) -> None:
        """Detect the properties of both stores, for boto3 and rclone alike; raises as `examined` does."""
        load_boto3()
        buckets = {name: reference.bucket for name, reference in manifest.buckets.items()}
        buckets["results"] = bucket_name(manifest.training_results)
        with ThreadPoolExecutor(len(buckets)) as pool:
            under_way = {
                name: pool.submit(examined, self.remotes[name], bucket, write=name == "results")
                for name, bucket in buckets.items()
            }
        self.remotes |= {name: found.result() for name, found in under_way.items()}


@contextmanager
def open_access(
    manifest: Manifest,
    home: Path,
    side_image: str,
    run: str,
    address: str = LOOPBACK,
    host: Engine | None = LOCAL,
    run_folder: str = "",
) -> Iterator[Opened]:
    """Access to the stores, as `data` (unless the data is a folder) and `results`, while the context lasts.

    An embedded store listens on `address`: this machine's, as its clients see it. Results in a folder are those of
    `host`; without a host, they are not included. `run_folder` (`bucket/key`): once the run has begun, by what is in
    that folder, an embedded store lives until its record is there.

    Raises `ToolkitError` (C103) for a reference that cannot be resolved, before anything is started.
    """
    with _opened_buckets(manifest, home, side_image, run, address, run_folder) as opened:
        if host is None or isinstance(manifest.training_results, BucketReference):
            yield opened
            return
        with served(host, manifest.training_results, run, side_image) as access:
            opened.remotes["results"] = access
            yield opened


@contextmanager
def _opened_buckets(
    manifest: Manifest, home: Path, side_image: str, run: str, address: str, run_folder: str
) -> Iterator[Opened]:
    keys = embedded_keys(home) if manifest.uses_embedded_store else {}
    resolved = {remote: _resolve(reference, keys) for remote, reference in manifest.buckets.items()}
    if not manifest.uses_embedded_store:
        yield Opened(resolved)
        return
    store = StoreServer(LOCAL, store_container(run), run, side_image, run_folder)
    opened = None
    try:
        url = serve_buckets(store, home, address)
        opened = Opened({name: _at(access, url) for name, access in resolved.items()})
        with with_heartbeat(store.heartbeat):
            yield opened
    finally:
        if opened is None or not opened.outlives:
            store.remove()


def _resolve(reference: BucketReference, embedded: dict[str, Secret]) -> Access:
    connection = reference.connection
    url = "" if connection.is_embedded else connection.endpoint_url
    if gives_pair(connection.access_key_id):
        access_key, secret_key, token = resolve_pair(connection.access_key_id)
    else:
        access_key = resolve_secret(connection.access_key_id, os.environ, embedded)
        secret_key, token = resolve_secret(connection.secret_access_key, os.environ, embedded), None
    return Access(
        endpoint_url=url,
        access_key_id=access_key,
        secret_access_key=secret_key,
        prefix=reference.prefix,
        session_token=token,
        region=connection.region,
        customer_key=_customer_key(connection, embedded),
    )


def _customer_key(connection: Connection, embedded: dict[str, Secret]) -> Secret | None:
    """The key of SSE-C; raises `ToolkitError` (C103) if it is invalid."""
    if connection.customer_key is None:
        return None
    if connection.is_embedded:
        raise ToolkitError(
            Code.CREDENTIALS, "sse_customer_key: the embedded store does not encrypt", hint="leave it out"
        )
    key = resolve_secret(connection.customer_key, os.environ, embedded)
    with suppress(ValueError):
        if len(base64.b64decode(key.reveal(), validate=True)) == _CUSTOMER_KEY_BYTES:
            return key
    raise ToolkitError(
        Code.CREDENTIALS,
        f"sse_customer_key, {connection.customer_key}: not {_CUSTOMER_KEY_BYTES} bytes in base64",
        hint="to generate a key: openssl rand -base64 32",
    )


def _at(access: Access, embedded_url: str) -> Access:
    return access if access.endpoint_url else replace(access, endpoint_url=embedded_url, direct=True)
