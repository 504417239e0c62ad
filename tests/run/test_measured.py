"""A run's measurements, from its bucket and from its agents."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.api import measurements as module
from toolkit.errors import ToolkitError
from toolkit.metrics.regex_lines import NO_EXPRESSIONS, read_extractor
from toolkit.metrics.series import Point, RunMetrics, Series
from toolkit.run.follow.events import Line
from toolkit.run.follow.measured import live_metrics, stored_metrics
from toolkit.run.records.record import State
from toolkit.run.records.stored_run import StoredRun

from .clients import RECORD
from .test_kept import client
from .test_stored import StandInStore

RUN = RECORD.training_id
EVENTS = Path(__file__).parents[1] / "metrics" / "recorded" / "events.out.tfevents.1796054250.learner-2"
SAMPLES = json.dumps({"host": "this machine", "units": {"cpu": "percent"}}) + '\n{"at": 5.0, "cpu": 50.0}\n'
DONE = replace(
    RECORD,
    metrics={"loss": 0.25, "note": "fine"},
    placement=((1, "", (0,)), (2, "", (1,))),
    end="completed",
).at(State.COMPLETED, 9.0)
OUTPUT = b"4.000 [0] epoch 1  loss 1.5\n5.000 [1] epoch 1  loss 2.5\n6.000 [toolkit] step 2 loss 9\n"
OBJECTS = {
    f"{RUN}/_run/output.log": OUTPUT,
    f"{RUN}/_run/host-metrics.0.jsonl": SAMPLES.encode(),
    f"{RUN}/logs/train/{EVENTS.name}": EVENTS.read_bytes(),
    f"{RUN}/model/saved_model.pb": b"loss",
}
CPU = Series("cpu", "this machine", "percent", (Point(5.0, 50.0),))


def stored(objects: dict[str, bytes]) -> StoredRun:
    return StoredRun(StandInStore(objects), "models", DONE, "key")  # type: ignore[arg-type]


def test_everything_that_a_run_left_becomes_series_of_its_ranks_and_hosts() -> None:
    found = stored_metrics(DONE, stored(OBJECTS), NO_EXPRESSIONS)
    assert {(one.source, one.name): [point.value for point in one.points] for one in found.ranks} == {
        ("rank 0", "loss"): [1.5],
        ("rank 0", "final.loss"): [0.25],
        ("rank 1", "loss"): [2.5],
        ("rank 1", "train/loss"): [1.0, 0.5, 0.25],
    }
    assert found.hosts == (CPU,)


def test_an_event_file_of_a_learner_with_several_ranks_is_the_learners() -> None:
    several = replace(DONE, placement=((2, "", (2, 3)),), metrics={})
    events = {f"{RUN}/{EVENTS.name}": EVENTS.read_bytes()}
    found = stored_metrics(several, stored(events), NO_EXPRESSIONS)
    assert [(one.source, one.name) for one in found.ranks] == [("learner-2", "loss")]


def test_a_run_that_left_nothing_has_no_series() -> None:
    assert stored_metrics(RECORD, stored({}), NO_EXPRESSIONS) == RunMetrics()


@given(st.dictionaries(st.sampled_from(sorted(OBJECTS)), st.binary(max_size=400), max_size=4))
def test_whatever_is_in_the_bucket_is_read(objects: dict[str, bytes]) -> None:
    stored_metrics(RECORD, stored(objects), NO_EXPRESSIONS)


def test_a_run_that_goes_on_has_its_measurements_so_far() -> None:
    section = {"type": "regex_extractor", "groups": {"mine": {"regex": "x(.)", "scalars": {"x": {"value": "$1"}}}}}
    lines = [Line("[0] x5", 4.0, 10), Line("[0] step 1 loss 2", 5.0, 20)]
    found = live_metrics(lines, [SAMPLES, ""], read_extractor(section))
    assert [(one.name, one.points) for one in found.ranks] == [
        ("loss", (Point(5.0, 2.0, 1),)),
        ("mine.x", (Point(4.0, 5.0),)),
    ]
    assert found.hosts == (CPU,)


def test_an_agent_tells_its_samples_and_one_of_an_earlier_version_none() -> None:
    assert client(says=lambda _: SAMPLES).samples() == SAMPLES
    assert client(away=True).samples() == ""
    assert client(stopped=True).samples() == ""


@pytest.mark.parametrize(("kept", "raises"), [(("p100-01",), True), ((), False)])
def test_of_a_run_whose_output_is_still_on_a_host_it_says_so(
    monkeypatch: pytest.MonkeyPatch, kept: tuple[str, ...], raises: bool
) -> None:
    class Nothing:
        def __enter__(self) -> StoredRun:
            return stored({})

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(module, "manifest_of", lambda _: Manifest())
    monkeypatch.setattr(module, "stored_run", lambda *_: Nothing())
    run = replace(DONE, kept=kept, metrics={})
    if not raises:
        assert module.metrics(run) == RunMetrics()
        return
    with pytest.raises(ToolkitError, match="still on p100-01"):
        module.metrics(run)


def test_a_run_that_goes_on_can_be_seen_without_its_manifest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "log_lines", lambda _: [Line("[0] step 1 loss 2", 5.0, 20)])
    monkeypatch.setattr(module, "_samples", lambda _: [SAMPLES])
    found = module.metrics(replace(RECORD, manifest_file=str(tmp_path / "gone.yml")))
    assert ([one.name for one in found.ranks], found.hosts) == (["loss"], (CPU,))
    assert module.host_metrics(RECORD) == (CPU,)
    assert module.host_metrics(DONE) == ()


class Manifest:
    metrics = NO_EXPRESSIONS
