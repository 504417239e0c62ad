"""A run's checkpoints, read from a bucket: a stand-in store, boto3 real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.storage.stand_in_s3 import Held, StandInS3, md5, standing_in
from toolkit.agent.checksums import sha256_of, write_list
from toolkit.run.finish.stored_checkpoints import stored_checkpoints
from toolkit.secrets import Secret
from toolkit.storage.client import Access
from toolkit.storage.s3 import Store

from .clients import RECORD

RUN = RECORD.training_id
STORED = 1_767_225_600.0
"""2026-01-01, when the stand-in's objects were stored."""
KEYS = (
    *(f"{RUN}/mnist-10.index", f"{RUN}/mnist-10.data-00000-of-00001", f"{RUN}/model/x.h5", "training-zzzz2222/a.pt"),
    *("_wml_checkpoints/mine.pt", "_wml_checkpoints/theirs.pt"),
)
TEN = (10, f"{RUN}/mnist-10", True)


@pytest.fixture
def server() -> Iterator[StandInS3]:
    with standing_in() as server:
        server.buckets.add("models")
        state = b'model_checkpoint_path: "mnist-10"\n'
        for key, data in {f"{RUN}/checkpoint": state, **dict.fromkeys(KEYS, b"x")}.items():
            server.objects[f"models/{key}"] = Held(data, md5(data).hex())
        yield server


def found(server: StandInS3, **changes: object) -> list[tuple[int | None, str, bool]]:
    store = Store(Access(server.url, Secret("AKIDEXAMPLE"), Secret("secret")))
    record = replace(RECORD, results_bucket="models", **changes)  # type: ignore[arg-type]
    checkpoints = stored_checkpoints(store, record)
    assert {one.time for one in checkpoints} == {STORED}
    return [(one.number, one.path, one.latest) for one in checkpoints]


def test_of_what_runs_share_those_are_the_runs_that_its_checksums_name(server: StandInS3) -> None:
    listed = write_list({f"{RUN}/checkpoint": "a" * 64, "_wml_checkpoints/mine.pt": "b" * 64})
    server.objects[f"models/{RUN}/_run/SHA256SUMS"] = Held(listed, md5(listed).hex())
    assert found(server, checksums=sha256_of(listed)) == [TEN, (None, "_wml_checkpoints/mine.pt", False)]


@pytest.mark.parametrize(("began", "shared"), [(STORED - 1, 2), (STORED + 1, 0)])
def test_without_checksums_those_that_were_stored_since_it_began(server: StandInS3, began: float, shared: int) -> None:
    assert len(found(server, checksums="", states=(("QUEUED", began),))) == 1 + shared
    waited = (("QUEUED", STORED - 3600), ("PENDING", began))
    assert len(found(server, checksums="", states=waited)) == 1 + shared


def test_a_list_of_tensorflows_that_cannot_be_read_hides_no_checkpoint(server: StandInS3) -> None:
    server.hides.add(f"models/{RUN}/checkpoint")
    assert found(server, checksums="", states=(("QUEUED", STORED + 1),)) == [(10, f"{RUN}/mnist-10", False)]
