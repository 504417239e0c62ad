"""The checksums of a run, as an operator reads them out of a bucket: a stand-in store, boto3 real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.storage.stand_in_s3 import Held, StandInS3, md5, standing_in
from toolkit.agent.checksums import sha256_of, write_list
from toolkit.errors import ToolkitError
from toolkit.run.finish.digests import by_listed_key, refuse_damaged, store_digests, stored_digests
from toolkit.secrets import Secret
from toolkit.storage.client import Access
from toolkit.storage.s3 import Store

from .clients import RECORD

RUN = RECORD.training_id
A, B = "a" * 64, "b" * 64
SUMS = {f"{RUN}/model/weights": A, f"{RUN}/model/new\nline": B, "_wml_checkpoints/x": B}
LIST = write_list(SUMS)
VOUCHED = replace(RECORD, checksums=sha256_of(LIST))


@pytest.fixture
def server() -> Iterator[StandInS3]:
    with standing_in() as server:
        server.buckets.add("models")
        server.objects[f"models/{RUN}/_run/SHA256SUMS"] = Held(LIST, md5(LIST).hex())
        yield server


@pytest.fixture
def store(server: StandInS3) -> Store:
    return Store(Access(server.url, Secret("AKIDEXAMPLE"), Secret("secret")))


def test_the_list_that_the_record_vouches_for_is_believed(store: Store) -> None:
    assert stored_digests(store, VOUCHED) == SUMS


def test_a_list_that_no_record_vouches_for_is_not_even_read(server: StandInS3, store: Store) -> None:
    assert stored_digests(store, RECORD) == {}
    assert server.seen == []


@pytest.mark.parametrize("forged", [None, b"", LIST.replace(A.encode(), B.encode()), LIST + f"{A}  more\n".encode()])
def test_a_forged_list_is_refused_by_name(server: StandInS3, store: Store, forged: bytes | None) -> None:
    held = server.objects.pop(f"models/{RUN}/_run/SHA256SUMS")
    if forged is not None:
        held.data = forged
        server.objects[f"models/{RUN}/_run/SHA256SUMS"] = held
    with pytest.raises(ToolkitError, match=f"object models/{RUN}/_run/SHA256SUMS is refused") as caught:
        stored_digests(store, VOUCHED)
    assert caught.value.context == {"reason": "refused"}


def test_each_damaged_and_each_missing_object_is_named() -> None:
    found = {f"{RUN}/model/weights": B, f"{RUN}/model/more": A}
    with pytest.raises(ToolkitError, match="does not hold what") as caught:
        refuse_damaged(VOUCHED, SUMS, found)
    assert [one.what for one in caught.value.problems] == [
        f"'{RUN}/model/weights': SHA-256 {B}, but {A} was written",
        f"'{RUN}/model/new\\nline': missing",
        "'_wml_checkpoints/x': missing",
    ]


def test_what_has_no_checksum_is_not_damaged() -> None:
    refuse_damaged(VOUCHED, SUMS, SUMS | {f"{RUN}/model/more": A})


def test_keys_that_a_store_lists_otherwise_are_known() -> None:
    listed = [f"{RUN}/model/weights", f"{RUN}/model/new␊line", f"{RUN}/model/other"]
    assert by_listed_key(SUMS, listed) == {
        f"{RUN}/model/weights": A,
        f"{RUN}/model/new␊line": B,
        "_wml_checkpoints/x": B,
    }
    assert by_listed_key(SUMS, SUMS) == SUMS


def test_after_a_rescue_one_list_stands_for_all(server: StandInS3, store: Store) -> None:
    checksum = store_digests(store, VOUCHED, [SUMS, {f"{RUN}/model/weights": B, "_wml_checkpoints/y": A}])
    whole = SUMS | {f"{RUN}/model/weights": B, "_wml_checkpoints/y": A}
    assert stored_digests(store, replace(RECORD, checksums=checksum)) == whole
    assert store_digests(store, VOUCHED, [{}, {}]) == ""
