"""Putting files and getting objects; the store is a stand-in, boto3 is real."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.secrets import Secret
from toolkit.storage.client import Access
from toolkit.storage.examine import examined
from toolkit.storage.s3 import Store, StoredObject

from .stand_in_s3 import Held, StandInS3, md5, standing_in


@pytest.fixture(params=[True, False], ids=["md5", "other etags"])
def server(request: pytest.FixtureRequest) -> Iterator[StandInS3]:
    with standing_in(md5_etags=request.param) as server:
        server.buckets.add("data")
        yield server


@pytest.fixture
def store(server: StandInS3) -> Store:
    return Store(examined(Access(server.url, Secret("AKIDEXAMPLE"), Secret("secret")), "data", write=True))


def there(store: Store) -> dict[str, StoredObject]:
    return {item.key: item for item in store.objects("data")}


@pytest.mark.parametrize("size", [0, 5, (8 << 20) + 3])
def test_what_was_put_is_there_the_next_time(server: StandInS3, store: Store, tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(size))
    counted: list[int] = []
    store.put("data", "a #b", file, counted.append)
    assert sum(counted) == size
    assert server.objects["data/a #b"].data == file.read_bytes()
    assert store.holds("data", there(store)["a #b"], file)
    changed = file.read_bytes()[:-1] + b"x" if size else b"x"
    file.write_bytes(changed)
    assert not store.holds("data", there(store)["a #b"], file)


def test_an_object_that_someone_else_has_put_is_compared_by_its_md5_where_there_is_one(
    server: StandInS3, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"data")
    store.write("data", "x", b"data")
    assert store.holds("data", there(store)["x"], tmp_path / "file") is server.md5_etags


def test_metadata_does_not_make_other_bytes_the_same(server: StandInS3, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"data")
    store.put("data", "x", file)
    held = server.objects["data/x"]
    server.objects["data/x"] = Held(b"DATA", server.etag(b"DATA"), held.metadata)
    assert store.holds("data", there(store)["x"], file) is not server.md5_etags, "all else is believed without an MD5"


@pytest.mark.parametrize("size", [5, (8 << 20) + 3])
def test_what_comes_damaged_is_named_whatever_its_etag(
    server: StandInS3, store: Store, tmp_path: Path, size: int
) -> None:
    (tmp_path / "file").write_bytes(os.urandom(size))
    server.damages = "weights"
    store.put("data", "weights", tmp_path / "file")
    with pytest.raises(ToolkitError, match=r"data/weights was damaged during the download: .*SHA-256"):
        store.get("data", there(store)["weights"], tmp_path / "home", lambda _: None)


def test_rclones_word_for_its_upload_is_compared(server: StandInS3, store: Store, tmp_path: Path) -> None:
    store.write("data", "weights", b"damaged")
    server.objects["data/weights"].metadata["x-amz-meta-md5chksum"] = base64.b64encode(md5(b"written")).decode()
    server.objects["data/weights"].etag = "0" * 32 + "-2"
    with pytest.raises(ToolkitError, match="was damaged during the download"):
        store.get("data", there(store)["weights"], tmp_path / "home", lambda _: None)


@pytest.mark.parametrize("metadata", ["", "?", "AAAA"])
def test_metadata_that_is_none_is_no_damage(server: StandInS3, store: Store, tmp_path: Path, metadata: str) -> None:
    store.write("data", "x", b"data")
    server.objects["data/x"].metadata["x-amz-meta-md5chksum"] = metadata
    if metadata != "AAAA" or server.md5_etags:
        store.get("data", there(store)["x"], tmp_path / "home", lambda _: None)


def test_an_encrypted_objects_etag_is_no_damage(tmp_path: Path) -> None:
    with standing_in(md5_etags=False) as server:
        server.buckets.add("data")
        server.encryption = "aws:kms"
        store = Store(Access(server.url, Secret("AKIDEXAMPLE"), Secret("secret")))  # nobody has looked at its ways
        store.write("data", "x", b"data")
        store.get("data", there(store)["x"], tmp_path / "home", lambda _: None)
        assert (tmp_path / "home").read_bytes() == b"data"


def test_a_bucket_is_made_where_its_store_is(server: StandInS3) -> None:
    server.region = "eu-south-2"
    store = Store(Access(server.url, Secret("AKIDEXAMPLE"), Secret("secret"), region="eu-south-2"))
    assert store.create_bucket("new")
    assert b"<LocationConstraint>eu-south-2</LocationConstraint>" in server.made["new"]
