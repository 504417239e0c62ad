"""Watching a run: to its end, from wherever that is reported; and going away from it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from toolkit import interrupts
from toolkit.errors import ToolkitError
from toolkit.run.follow import events
from toolkit.run.follow import follow as watch
from toolkit.run.follow.agent_client import Presence
from toolkit.run.follow.follow import Detached, Watch, Watched
from toolkit.run.follow.view import Choice
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records

from .clients import CLOCK, RECORD, UNREACHABLE, Notes, StandInAgent, StandInOther, StandInStored, line

THERE, GONE, UNKNOWN = Presence.THERE, Presence.GONE, Presence.UNKNOWN
STORING = RECORD.at(State.STORING, 3.0)
DONE = replace(STORING, reason="all is well", end="completed").at(State.COMPLETED, 4.0)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(events, "_LOOK_SECONDS", 0.005)
    monkeypatch.setattr(watch, "Events", partial(events.Events, clock=CLOCK))
    for name, value in {"_AGAIN_SECONDS": 0.0, "_GONE_SECONDS": 0.2, "_POLL_SECONDS": 0.01}.items():
        monkeypatch.setattr(watch, name, value)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    interrupts.heed()
    yield
    interrupts.answered()
    for number, handler in before.items():
        signal.signal(number, handler)


def reported(record: Record, **more: Any) -> dict[str, Any]:
    return {"record": asdict(record) | more}


ENDING = [line("[0] last", 9), reported(DONE), {"end": True}]


class Watching:
    """One watcher, with all that it gets."""

    def __init__(
        self,
        home: Path,
        *clients: StandInAgent,
        view: Notes | None = None,
        stored: StandInStored | None = None,
        lost: int = 15,
        record: Record = RECORD,
    ) -> None:
        names = ("p100-01", "p100-02")[: len(clients)] if len(clients) > 1 else ("",)
        self.view, self.records = view or Notes(), Records(home)
        self.stored = stored or StandInStored()
        watched = Watched(record, dict(zip(names, clients, strict=True)), self.stored, lost)  # type: ignore[arg-type]
        self.run = Watch(watched, self.records, self.view).run

    @property
    def saved(self) -> Record:
        return self.records.find(RECORD.training_id)


def test_a_run_is_seen_to_its_end_and_recorded(tmp_path: Path) -> None:
    client = StandInAgent([line("[0] a", 5), reported(STORING, note="into bucket models"), {"beat": 1}, *ENDING])
    watching = Watching(tmp_path, client)
    assert watching.run() == watching.saved == DONE
    assert watching.view.lines == ["[0] a", "[0] last"]
    assert watching.view.states == [("STORING", "into bucket models"), ("COMPLETED", "all is well")]
    assert watching.view.notes == []


def test_a_state_that_was_known_before_is_not_reported_again(tmp_path: Path) -> None:
    watching = Watching(tmp_path, StandInAgent([reported(RECORD), *ENDING]))
    watching.run()
    assert [state for state, _ in watching.view.states] == ["COMPLETED"]


@pytest.mark.parametrize("forged", [{"training_id": "training-zzzz2222"}, {"state": "DONE"}, {"steps": [[]]}])
def test_a_report_that_is_none_is_refused_once_and_changes_nothing(tmp_path: Path, forged: dict[str, object]) -> None:
    refused = {"record": asdict(STORING) | forged}
    watching = Watching(tmp_path, StandInAgent([refused, refused, *ENDING]))
    assert watching.run() == DONE
    assert [note.partition(": ")[0] for note in watching.view.notes] == ["invalid report from the run's agent"]


def test_who_reports_cannot_say_what_the_run_is(tmp_path: Path) -> None:
    forged = {"manifest_file": "/evil.yml", "cluster_file": "/evil.yml", "image_id": "sha256:evil", "hosts": ["evil"]}
    watching = Watching(tmp_path, StandInAgent([{"record": asdict(DONE) | forged}, {"end": True}]))
    assert watching.run() == DONE


def test_how_storing_goes_is_reported(tmp_path: Path) -> None:
    waiting = {"queued": 3, "uploading": 1, "errored": 2}
    watching = Watching(tmp_path, StandInAgent([reported(STORING, waiting=waiting), *ENDING]))
    watching.run()
    assert watching.view.waiting == [(3, 1, 2)]


def test_a_cut_connection_loses_no_line_and_says_nothing_about_it(tmp_path: Path) -> None:
    watching = Watching(tmp_path, StandInAgent([line("[0] a", 5)], ENDING, presences=[THERE, GONE]))
    assert watching.run() == DONE
    assert watching.view.lines == ["[0] a", "[0] last"]


def test_where_the_agent_has_gone_the_bucket_tells_the_rest(tmp_path: Path) -> None:
    stored = StandInStored(DONE, ["[0] b", "[0] c"])
    watching = Watching(tmp_path, StandInAgent([line("[0] a", 5)]), stored=stored)
    assert watching.run() == watching.saved == DONE
    assert (stored.offsets, watching.view.lines) == ([5], ["[0] a", "[0] b", "[0] c"])


def test_an_end_that_is_known_counts_though_the_last_lines_cannot_be_read(tmp_path: Path) -> None:
    class Torn(StandInStored):
        def lines(self, offset: int) -> Iterator[Any]:
            yield from super().lines(offset)
            raise UNREACHABLE

    watching = Watching(tmp_path, StandInAgent(), stored=Torn(DONE, ["[0] a"]))
    assert watching.run() == DONE
    assert watching.view.notes == ["the bucket could not be read for the run's last lines: p100-01 does not answer"]


@pytest.mark.parametrize("away", [False, True])
def test_where_neither_tells_an_end_the_agent_was_killed(tmp_path: Path, away: bool) -> None:
    watching = Watching(tmp_path, StandInAgent(), stored=StandInStored(away=away))
    record = watching.run()
    assert (record.state, record.end, record.error_code, record.kept) == (
        *(State.FAILED, "host lost", "S100"),
        ("this machine",),
    )
    assert record.reason.startswith("the run's agent on this machine is gone")
    assert record.hint.endswith("toolkit rescue training-abcd2345")
    assert watching.saved == record


def silent(count: int) -> list[list[Any]]:
    return [[UNREACHABLE]] * count


def test_a_run_whose_record_no_bucket_took_is_not_lost(tmp_path: Path) -> None:
    client = StandInAgent([])
    kept = replace(DONE, kept=("this machine",), hint="toolkit rescue")
    client.volume = json.dumps(asdict(kept))
    watching = Watching(tmp_path, client)
    assert watching.run() == watching.saved == kept


def test_what_an_agent_that_was_killed_has_left_is_no_end(tmp_path: Path) -> None:
    client = StandInAgent([])
    client.volume = json.dumps(asdict(STORING))
    assert Watching(tmp_path, client).run().end == "host lost"


def test_a_host_that_answers_again_was_not_lost_and_its_silence_is_reported_once_each_time(tmp_path: Path) -> None:
    connections = [*silent(3), [line("[0] a", 5)], *silent(3), ENDING]
    first = StandInAgent(*connections, presences=[*[UNKNOWN] * 7, GONE])
    other = StandInOther(first)
    other.now = {"state": "PROCESSING"}
    watching = Watching(tmp_path, first, other, record=replace(RECORD, hosts=("p100-01", "p100-02")))
    assert watching.run() == replace(DONE, hosts=("p100-01", "p100-02"))
    assert [note.partition(" for ")[0] for note in watching.view.notes] == ["no response from p100-01"] * 2


def test_a_first_host_that_the_others_do_not_hear_either_is_lost(tmp_path: Path) -> None:
    other = StandInAgent(presences=[THERE] * 3 + [GONE])
    other.now = {"state": "STORING", "unheard": True}
    watching = Watching(tmp_path, StandInAgent(*silent(99), presences=[UNKNOWN]), other)
    record = watching.run()
    assert (record.state, record.end, record.kept) == (State.FAILED, "host lost", ("p100-01",))
    assert record.reason == "p100-01 is lost: neither the other hosts nor this machine can reach it"


def test_a_first_host_that_the_others_hear_is_not_lost_though_they_store_already(tmp_path: Path) -> None:
    first = StandInAgent(*silent(5), ENDING, presences=[*[UNKNOWN] * 5, GONE])
    other = StandInOther(first)
    other.now = {"state": "STORING"}
    assert Watching(tmp_path, first, other).run() == DONE


def test_before_a_host_is_called_lost_the_bucket_is_asked(tmp_path: Path) -> None:
    first = StandInAgent(*silent(99), presences=[UNKNOWN])
    watching = Watching(tmp_path, first, StandInAgent(presences=[GONE]), stored=StandInStored(DONE), lost=0)
    assert watching.run() == DONE


def test_an_engine_of_this_machine_that_stays_silent_is_lost_after_the_clusters_time(tmp_path: Path) -> None:
    watching = Watching(tmp_path, StandInAgent(*silent(999), presences=[UNKNOWN]), lost=0)
    assert watching.run().reason.startswith("the engine of this machine has not answered for ")


def interrupted_by(number: signal.Signals, *, times: int = 1) -> Any:
    """What a view does with a line: the signal arrives then."""
    left = [number] * times

    def on_line(_: str) -> None:
        if left:
            signal.raise_signal(left.pop())

    return on_line


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_and_a_kill_end_the_watching_alone(tmp_path: Path, number: signal.Signals) -> None:
    client = StandInAgent([line("[0] a", 5), *ENDING], presences=[THERE])
    view = Notes(Choice.STOP, interrupted_by(number))
    with pytest.raises(Detached):
        Watching(tmp_path, client, view=view).run()
    assert (view.asked, client.stopped_by) == (0, [])


def test_a_ctrl_c_asks_and_who_detaches_leaves_the_run_alone(tmp_path: Path) -> None:
    client = StandInAgent([line("[0] a", 5), *ENDING], presences=[THERE])
    view = Notes(Choice.DETACH, interrupted_by(signal.SIGINT))
    with pytest.raises(Detached):
        Watching(tmp_path, client, view=view).run()
    assert (view.asked, client.stopped_by) == (1, [])


def test_who_goes_on_watching_misses_no_line(tmp_path: Path) -> None:
    lines = [line("[0] a", 5), line("[0] b", 10), line("[0] c", 15), reported(DONE), {"end": True}]

    class Following(StandInAgent):
        def follow_argv(self, offset: int) -> list[str]:
            self._connections = iter([[one for one in lines if one.get("next", 99) > offset]])
            return super().follow_argv(offset)

    view = Notes(Choice.GO_ON, interrupted_by(signal.SIGINT, times=2))
    client = Following()
    assert Watching(tmp_path, client, view=view).run() == DONE
    assert view.asked == 2
    assert list(dict.fromkeys(view.lines)) == ["[0] a", "[0] b", "[0] c"]


def test_who_stops_it_sees_it_end(tmp_path: Path) -> None:
    halted = replace(RECORD, end="stopped", reason="stopped by ada").at(State.HALTED, 5.0)
    client = StandInAgent([line("[0] a", 5)], [reported(halted), {"end": True}], presences=[THERE, THERE, GONE])
    view = Notes(Choice.STOP, interrupted_by(signal.SIGINT))
    watching = Watching(tmp_path, client, view=view)
    assert watching.run() == watching.saved == halted
    assert len(client.stopped_by) == 1
    assert view.notes[0].startswith("stopping")


def test_who_is_in_a_hurry_leaves_the_stopping_to_the_run(tmp_path: Path) -> None:
    client = StandInAgent([line("[0] a", 5)], [line("[0] b", 10)], presences=[THERE])
    view = Notes(Choice.STOP, interrupted_by(signal.SIGINT, times=2))
    with pytest.raises(Detached):
        Watching(tmp_path, client, view=view).run()
    assert (view.asked, len(client.stopped_by)) == (1, 1)


def test_after_the_end_it_waits_until_nothing_is_left_but_not_for_ever(tmp_path: Path) -> None:
    watching = Watching(tmp_path, StandInAgent(ENDING, presences=[THERE]))
    assert watching.run() == DONE
    assert watching.view.notes == ["still active on this machine: its containers are being removed"]


def test_a_stop_goes_to_the_first_agent_that_answers() -> None:
    deaf, gone, there = StandInAgent(), StandInAgent(), StandInAgent(presences=[THERE])
    deaf.deaf = True
    who = watch.stop({"a": deaf, "b": gone, "c": there})  # type: ignore[dict-item]
    assert there.stopped_by == [who]


def test_where_no_agent_answers_a_stop_says_so() -> None:
    deaf = StandInAgent()
    deaf.deaf = True
    with pytest.raises(ToolkitError, match="no agent of the run responds") as caught:
        watch.stop({"a": deaf, "b": StandInAgent()})  # type: ignore[dict-item]
    assert (caught.value.code.label, caught.value.evidence) == ("S100", "p100-01 does not answer")
