"""Bucket to model: someone who can write to the bucket changes a model, or the list of its checksums. The store is
real, rclone's S3 server; the record is the operator's own, as he had it from the run's agent."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import pytest

from toolkit.agent.checksums import sha256_of, write_list
from toolkit.errors import ToolkitError
from toolkit.manifest.reader import read_manifest
from toolkit.run.finish.collect import Collected, Collection
from toolkit.run.records.record import State
from toolkit.run.records.record_store import Records

from ..faults.store import BUCKETS
from .conftest import RUN, Operator

LIST = f"{RUN}/_run/SHA256SUMS"
MODEL = {
    f"{RUN}/model/saved_model.pb": b"graph",
    f"{RUN}/model/variables/weights #1": b"w" * 100_000,
    f"{RUN}/model/trail ": b"odd",
    f"{RUN}/model/new\nline": b"odd too",
}
SUMS = {key: hashlib.sha256(data).hexdigest() for key, data in MODEL.items()}


@pytest.fixture
def trained(operator: Operator) -> Operator:
    """His run is over, its model in the bucket."""
    for key, data in MODEL.items():
        operator.put(key, data)
    operator.put(LIST, write_list(SUMS))
    ended = replace(operator.record, end="completed", checksums=sha256_of(write_list(SUMS)), launcher=None)
    Records(operator.home).save(ended.at(State.COMPLETED, 1_764_100_060.0))
    return operator


def collect(operator: Operator) -> Collected:
    manifest = read_manifest(operator.manifest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{operator.bin}:{os.environ['PATH']}")
        target = operator.work / "models"
        return Collection(operator.known, manifest, operator.home, target, "side", lambda *_: None).run()


def refused(operator: Operator, *names: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        collect(operator)
    said = " ".join([caught.value.what, *(problem.what for problem in caught.value.problems)])
    for name in names:
        assert name in said
    assert caught.value.code.label == "S302"
    assert not (operator.work / "models" / RUN).exists()
    called = operator.bin / "docker.called"
    assert not called.exists() or "run --rm" not in called.read_text(), "no model of unknown bytes is run"


def test_a_model_as_it_was_written_comes_home(trained: Operator) -> None:
    found = collect(trained)
    assert (found.files, found.unchecked) == (len(MODEL), ())
    assert (trained.work / "models" / RUN / "model" / "trail ").read_bytes() == b"odd"


@pytest.mark.parametrize("key", list(MODEL))
@pytest.mark.parametrize("change", ["bytes", "more", "empty", "gone"])
def test_a_changed_object_is_refused_by_name(trained: Operator, key: str, change: str) -> None:
    data = MODEL[key]
    if change == "gone":
        (trained.store.folder / BUCKETS[1] / key).unlink()
    else:
        trained.put(key, {"bytes": data[:-1] + b"?", "more": data + b"?", "empty": b""}[change])
    refused(trained, key.removeprefix(f"{RUN}/model/").rpartition("\n")[2])  # this store lists it as new␊line


def test_an_object_that_the_run_did_not_write_is_named(trained: Operator) -> None:
    trained.put(f"{RUN}/model/assets/planted", b"planted")
    assert collect(trained).unchecked == ("model/assets/planted",)
    assert collect(trained).unchecked == ("model/assets/planted",), "it is reported each time"


@pytest.mark.parametrize("forgery", ["gone", "another", "more", "empty", "huge line"])
def test_a_forged_list_of_checksums_is_refused_by_name(trained: Operator, forgery: str) -> None:
    trained.put(f"{RUN}/model/saved_model.pb", b"evil")
    evil = write_list(SUMS | {f"{RUN}/model/saved_model.pb": hashlib.sha256(b"evil").hexdigest()})
    file = trained.store.folder / BUCKETS[1] / LIST
    if forgery == "gone":
        file.unlink()
    else:
        contents = {"another": evil, "more": write_list(SUMS) + evil, "empty": b"", "huge line": b"\\" * (1 << 20)}
        file.write_bytes(contents[forgery])
    refused(trained, f"object {BUCKETS[1]}/{LIST} is refused")


def test_a_run_of_an_earlier_version_comes_home_and_says_what_nobody_vouches_for(trained: Operator) -> None:
    Records(trained.home).save(replace(trained.known, checksums=""))
    trained.put(LIST, write_list(SUMS))  # what no record vouches for is no list
    assert len(collect(trained).unchecked) == len(MODEL)
