"""A view may break; the run that it shows goes on."""

from __future__ import annotations

import pytest

from toolkit.buckets.side import Flush
from toolkit.run.record import Record, State
from toolkit.run.view import Unbreakable

RECORD = Record(
    *("training-abcd2345", "digits", State.PENDING, "image:1", "sha256:1", "local", 1, 1, True),
    *("embedded", "results", "data", "/m.yml", "/code"),
)


class Notes:
    """A view that writes down what it is told, and fails with `failure` at a line `break`."""

    def __init__(self, failure: BaseException) -> None:
        self.told: list[object] = []
        self._failure = failure

    def state(self, record: Record, note: str) -> None:
        self.told.append((record.state, note))

    def line(self, text: str) -> None:
        if text == "break":
            raise self._failure
        self.told.append(text)

    def note(self, text: str) -> None:
        self.told.append(text)

    def storing(self, flush: Flush) -> None:
        self.told.append(flush)


def tell_all(view: Unbreakable) -> None:
    view.state(RECORD, "soon")
    view.line("[0] x")
    view.note("n")
    view.storing(Flush(1, 2, 3))


def test_a_view_is_told_everything_in_order() -> None:
    notes = Notes(OSError())
    tell_all(Unbreakable(notes))
    assert notes.told == [(State.PENDING, "soon"), "[0] x", "n", Flush(1, 2, 3)]


@pytest.mark.parametrize("failure", [BrokenPipeError(), OSError(5, "Input/output error"), SystemExit(1)])
def test_a_view_that_has_gone_is_told_no_more_and_stops_nothing(failure: BaseException) -> None:
    notes = Notes(failure)
    view = Unbreakable(notes)
    view.line("break")
    tell_all(view)
    assert notes.told == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ValueError("a mistake of ours")])
def test_an_interrupt_and_a_mistake_go_on_to_the_run(failure: BaseException) -> None:
    with pytest.raises(type(failure)):
        Unbreakable(Notes(failure)).line("break")
