"""The record of a run once what its hosts kept is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from toolkit.agent.end_reasons import Reason as EndReason
from toolkit.agent.outcome import End
from toolkit.agent.run_state import RunState
from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import Engine
from toolkit.errors import ToolkitError
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.process import Result
from toolkit.run.document.launched import save_launched
from toolkit.run.finish import rescue as module
from toolkit.run.finish.rescue import rescue, rescued, to_be_stored
from toolkit.run.follow.reported import read_report
from toolkit.run.plan.mounts import results_mount
from toolkit.run.records.record import Record, State, StepResult
from toolkit.run.records.record_store import Records
from toolkit.secrets import Secret
from toolkit.storage.client import Access
from toolkit.storage.open_storage import Opened

from .clients import RECORD
from .engines import StandInHost, things_of

KEPT = replace(RECORD, kept=("p100-02",), hint="toolkit rescue", evidence="507").at(State.FAILED, 4.0)


@pytest.mark.parametrize("end", ["bucket write", "bucket credentials", "bucket full"])
def test_a_run_whose_only_fault_was_the_bucket_is_complete(end: str) -> None:
    record = rescued(replace(KEPT, end=end, error_code="S303", reason="not stored"), 9.0)
    assert (record.state, record.end, record.error_code) == (State.COMPLETED, "completed", "")
    assert (record.kept, record.hint, record.evidence) == ((), "", "")
    assert record.states[-1] == ("COMPLETED", 9.0)


def test_a_command_that_failed_has_failed_though_its_bytes_are_stored_now() -> None:
    step = StepResult(1, "python train.py", True, 1, 2.0, (0, 3))
    record = rescued(replace(KEPT, end="bucket full", error_code="S303", reason="why", steps=(step,)), 9.0)
    assert (record.state, record.end, record.kept) == (State.FAILED, "bucket full", ())


@pytest.mark.parametrize("end", ["program failed", "out of memory", "host lost", "system", "time limit"])
def test_another_fault_stays_one(end: str) -> None:
    record = rescued(replace(KEPT, end=end, error_code="C201", reason="rank 1 exited with status 3"), 9.0)
    assert (record.state, record.end, record.error_code) == (State.FAILED, end, "C201")
    assert (record.kept, record.hint, record.states) == ((), "", KEPT.states)
    assert record.reason == "rank 1 exited with status 3; the results kept on its hosts are now in the bucket"


def test_a_stop_stays_a_stop() -> None:
    halted = replace(KEPT, state=State.HALTED, end="stopped", error_code="S303", reason="stopped by ada")
    assert rescued(halted, 9.0).state is State.HALTED


def test_what_stopped_a_run_does_not_stop_the_report_of_its_rescue(tmp_path: Path) -> None:
    """An agent reports COMPLETED on top of the record that it was sent; that must be valid, and is what is believed."""
    lost = StepResult(1, "python train.py", True, None, 2.0, (0, None))
    failed = replace(KEPT, end="host lost", error_code="S100", reason="p100-02 is lost", steps=(lost,))
    state = RunState(asdict(to_be_stored(failed)), tmp_path / "state.json")
    state.end(End(EndReason.COMPLETED, "the results kept on p100-02 are in bucket models"))
    report = read_report(json.loads((tmp_path / "state.json").read_text()), failed)
    assert (report.record.state, report.record.reason) == (State.COMPLETED, state.record["reason"])


def test_rescued_twice_is_reported_once() -> None:
    once = rescued(replace(KEPT, end="host lost", reason="p100-02 is lost"), 9.0)
    assert rescued(once, 10.0) == once


def test_a_run_that_goes_on_is_not_rescued(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError) as caught:
        rescue(RECORD, Records(tmp_path), print)
    assert (caught.value.code.label, caught.value.hint) == ("C101", f"toolkit stop {RECORD.training_id}")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> StandInHost:
    """The run's host, with a bucket that takes what it is given."""
    host = StandInHost("p100-02", things_of(RECORD.training_id)[:1])

    @contextmanager
    def reached(_: Record) -> Iterator[Mapping[str, Engine]]:
        yield {"p100-02": host.engine}

    @contextmanager
    def open_access(*_: object) -> Iterator[Opened]:
        yield Opened({"results": Access("http://127.0.0.1:9", Secret("id"), Secret("secret"))})

    cluster = read_cluster(assets() / "clusters" / "local.yml")
    monkeypatch.setattr(Opened, "examine", lambda *_: None)
    for name, value in {
        "reached": reached,
        "open_access": open_access,
        "manifest_of": lambda _: read_manifest(assets() / "examples" / "mnist" / "manifest.yml"),
        "cluster_of": lambda _: cluster,
        "Store": lambda _: SimpleNamespace(write=lambda *_: None),
        "_rescue_on": lambda *_: None,
    }.items():
        monkeypatch.setattr(module, name, value)
    return host


def test_what_was_stored_goes_from_the_host_and_is_recorded(tmp_path: Path, host: StandInHost) -> None:
    reported: list[str] = []
    record = rescue(replace(KEPT, end="bucket full"), Records(tmp_path), reported.append)
    assert (record.state, host.things, reported) == (State.COMPLETED, [], ["uploading the results kept on p100-02"])
    assert Records(tmp_path).find(RECORD.training_id) == record


def test_an_engine_that_is_away_may_hold_what_is_kept(tmp_path: Path, host: StandInHost) -> None:
    host.stopped = True
    with pytest.raises(ToolkitError, match="no container engine answers on p100-02"):
        rescue(replace(KEPT, end="bucket full"), Records(tmp_path), print)
    assert list(Records(tmp_path).all()) == []


@pytest.mark.parametrize("known", [True, False])
def test_a_rescue_stores_the_public_record_of_a_run_that_was_launched_here(
    tmp_path: Path, host: StandInHost, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    written: dict[str, bytes] = {}
    store = SimpleNamespace(write=lambda _, key, data: written.update({key: data}), objects=lambda *_: iter(()))
    monkeypatch.setattr(module, "Store", lambda _: store)
    monkeypatch.setattr(module, "home", lambda: tmp_path)
    run, sums = RECORD.training_id, {f"{RECORD.training_id}/model/w": "a" * 64}
    monkeypatch.setattr(module, "stored_digests", lambda *_: sums)
    records = Records(tmp_path)
    if known:
        save_launched(tmp_path, run, {"schema": "urn:toolkit:run-record:1"})
    record = rescue(replace(KEPT, end="bucket full"), records, print)
    assert (f"{run}/record.json" in written) is known
    if known:
        document = json.loads(written[f"{run}/record.json"])
        assert (document["end"]["state"], document["results"]["list_sha256"]) == ("COMPLETED", record.checksums)
        assert document["results"]["files"] == [{"path": "model/w", "sha256": "a" * 64}]


class Side:
    """A container with the keys that notes what it is asked to do."""

    def __init__(self, *_: object) -> None:
        self.engine = SimpleNamespace(host="p100-02")
        self.ran: list[tuple[str, ...]] = []

    def run(self, command: tuple[str, ...], **_: object) -> Result:
        self.ran.append(command[3:])
        return Result((), 0, "", "")


@pytest.mark.parametrize(("local", "ran"), [(True, (RECORD.training_id,)), (False, ())])
def test_a_rescue_recovers_what_no_mount_knows_of_but_not_links_to_a_local_folder(
    local: bool, ran: tuple[str, ...]
) -> None:
    side = Side()
    module._recover(side, results_mount("models", "trials"), RECORD.training_id, local=local)  # type: ignore[arg-type]
    assert side.ran == [("recover", "results:models/trials", *ran)]
