"""A view may break; the run that it shows goes on."""

from __future__ import annotations

import pytest

from toolkit.run.follow.events import Line
from toolkit.run.follow.view import Choice, Unbreakable
from toolkit.run.plan.run_plan import RunPlan
from toolkit.run.plan.source_files import SubmittedCode
from toolkit.run.records.record import Record, State

RECORD = Record(
    *("training-abcd2345", "digits", State.PENDING, "image:1", "sha256:1", "local", 1, 1, True),
    *("embedded", "results", "data", "/m.yml", "/code"),
)


class Notes:
    """A view that writes down what it gets, and fails with `failure` at a line `break`."""

    def __init__(self, failure: BaseException) -> None:
        self.reported: list[object] = []
        self._failure = failure

    def state(self, record: Record, note: str) -> None:
        self.reported.append((record.state, note))

    def line(self, line: Line) -> None:
        if line.text == "break":
            raise self._failure
        self.reported.append(line)

    def planned(self, plan: RunPlan, code: SubmittedCode) -> None:
        self.reported.append("planned")

    def note(self, text: str) -> None:
        self.reported.append(text)

    def storing(self, queued: int, uploading: int, errored: int) -> None:
        self.reported.append((queued, uploading, errored))

    def beat(self) -> None:
        self.reported.append("beat")

    def interrupted(self) -> Choice:
        self.reported.append("interrupted")
        return Choice.STOP


def tell_all(view: Unbreakable) -> None:
    view.state(RECORD, "soon")
    view.line(Line("[0] x", 1.0))
    view.note("n")
    view.storing(1, 2, 3)
    view.beat()


def test_a_view_gets_everything_in_order() -> None:
    notes = Notes(OSError())
    tell_all(Unbreakable(notes))
    assert notes.reported == [(State.PENDING, "soon"), Line("[0] x", 1.0), "n", (1, 2, 3), "beat"]


@pytest.mark.parametrize("failure", [BrokenPipeError(), OSError(5, "Input/output error"), SystemExit(1)])
def test_a_view_that_has_gone_gets_no_more_and_stops_nothing(failure: BaseException) -> None:
    notes = Notes(failure)
    view = Unbreakable(notes)
    view.line(Line("break", 0.0))
    tell_all(view)
    assert notes.reported == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ValueError("a mistake of ours")])
def test_an_interrupt_and_a_mistake_go_on_to_the_run(failure: BaseException) -> None:
    with pytest.raises(type(failure)):
        Unbreakable(Notes(failure)).line(Line("break", 0.0))


def test_the_answer_to_an_interrupt_is_the_views() -> None:
    assert Unbreakable(Notes(OSError())).interrupted() is Choice.STOP


def test_where_no_one_can_be_asked_any_more_the_run_goes_on() -> None:
    view = Unbreakable(Notes(OSError()))
    view.line(Line("break", 0.0))
    assert view.interrupted() is Choice.DETACH
