"""What has become of a run since somebody here last watched it: asked of those who know, in their order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.run.launch.launcher_process import this_process
from toolkit.run.records import reconcile
from toolkit.run.records.reconcile import refreshed
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records

from .clients import RECORD, StandInStored
from .engines import StandInHost, things_of

RUN = RECORD.training_id
AGENT_PROGRAM = f"toolkit-{RUN}-agent"
STORING = RECORD.at(State.STORING, 3.0)
DONE = STORING.at(State.COMPLETED, 4.0)
GONE_LAUNCHER = (1 << 30, 1)


class Refreshing:
    """A host, a bucket and the records here."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch) -> None:
        self.records, self.host, self.stored = Records(home), StandInHost(), StandInStored()

        @contextmanager
        def reached(record: Record) -> Iterator[Mapping[str, Engine]]:
            yield {next(iter(record.hosts), ""): self.host.engine}

        @contextmanager
        def stored_run(_: Record) -> Iterator[StandInStored]:
            with self.stored() as stored:
                yield stored

        patch.setattr(reconcile, "reached", reached)
        patch.setattr(reconcile, "stored_run", stored_run)

    def __call__(self, record: Record) -> Record:
        return refreshed(record, self.records)

    @property
    def saved(self) -> list[Record]:
        return list(self.records.all())


@pytest.fixture
def refreshing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refreshing:
    return Refreshing(tmp_path, monkeypatch)


def test_an_end_stays_as_it_is_and_nobody_is_asked(refreshing: Refreshing) -> None:
    refreshing.host.away = True
    assert refreshing(DONE) is DONE


def test_a_run_that_is_being_launched_is_its_launchers(refreshing: Refreshing) -> None:
    record = replace(RECORD, launcher=this_process())
    assert refreshing(record) is record


def agent_says(host: StandInHost, text: str) -> None:
    host.things, host.running = things_of(RUN, "agent"), {AGENT_PROGRAM}
    host.says = lambda argv: text if list(argv[1:3]) == ["exec", AGENT_PROGRAM] else None


def test_the_agent_knows_best(refreshing: Refreshing) -> None:
    agent_says(refreshing.host, json.dumps(asdict(STORING) | {"note": "n"}))
    assert refreshing(RECORD) == STORING
    assert refreshing.saved == [STORING]


@pytest.mark.parametrize("text", ["", "{}", "{", '"text"'])
def test_a_agent_that_has_nothing_to_tell_yet_changes_nothing(refreshing: Refreshing, text: str) -> None:
    agent_says(refreshing.host, text)
    assert refreshing(RECORD) is RECORD
    assert refreshing.saved == []


@pytest.mark.parametrize("trouble", ["away", "stopped"])
def test_a_host_that_does_not_answer_is_not_judged(refreshing: Refreshing, trouble: str) -> None:
    setattr(refreshing.host, trouble, True)
    refreshing.stored = StandInStored(DONE)
    assert refreshing(RECORD) is RECORD


def test_hosts_that_cannot_be_found_any_more_change_nothing(
    refreshing: Refreshing, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def nowhere(_: Record) -> Iterator[Mapping[str, Engine]]:
        raise ToolkitError(Code.RESOURCES_ASKED, "the cluster file is gone")
        yield {}

    monkeypatch.setattr(reconcile, "reached", nowhere)
    assert refreshing(RECORD) is RECORD


def test_where_the_agent_has_gone_the_bucket_tells_the_end(refreshing: Refreshing) -> None:
    refreshing.stored = StandInStored(DONE)
    assert refreshing(RECORD) == DONE
    assert refreshing.saved == [DONE]


@pytest.mark.parametrize("away", [False, True])
def test_where_the_bucket_does_not_the_volume_that_was_kept_does(refreshing: Refreshing, away: bool) -> None:
    failed = replace(STORING, end="bucket write", kept=("this machine",)).at(State.FAILED, 4.0)
    refreshing.stored = StandInStored(away=away)
    refreshing.host.things = things_of(RUN)[:1]
    refreshing.host.says = lambda argv: json.dumps(asdict(failed)) if "cat" in argv else None
    assert refreshing(RECORD) == failed


def test_a_agent_that_left_no_word_was_killed(refreshing: Refreshing) -> None:
    found = refreshing(replace(RECORD, hosts=("p100-01", "p100-02")))
    assert (found.state, found.end, found.error_code, found.kept) == (
        *(State.FAILED, "host lost", "S100"),
        ("p100-01",),
    )
    assert found.hint == f"recover its results with: toolkit rescue {RUN}"
    assert refreshing.saved == [found]


def test_a_launch_that_was_killed_before_its_run_began_has_left_nothing(refreshing: Refreshing) -> None:
    found = refreshing(replace(RECORD, state=State.DOWNLOADING, launcher=GONE_LAUNCHER))
    assert (found.state, found.end, found.error_code, found.launcher) == (State.HALTED, "stopped", "", None)


def test_a_run_that_outlived_its_killed_launcher_is_seen(refreshing: Refreshing) -> None:
    agent_says(refreshing.host, json.dumps(asdict(STORING)))
    assert refreshing(replace(RECORD, launcher=GONE_LAUNCHER)) == STORING
