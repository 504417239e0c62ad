"""A run's events through a connection that is cut again and again: the file, line for line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.agent.event_stream import events as reported
from toolkit.run.follow import events
from toolkit.run.follow.agent_client import Presence
from toolkit.run.follow.events import Beat, Events, Gone, Line, Over, Reported, Silence

from .clients import CLOCK, UNREACHABLE, StandInAgent, line

THERE, GONE, UNKNOWN = Presence.THERE, Presence.GONE, Presence.UNKNOWN
FINAL: dict[str, Any] = {"record": {"state": "COMPLETED"}}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_LOOK_SECONDS", 0.005)


class CutAgent:
    """A stand-in for an agent far away: it tells as an agent does, and is cut, mostly in mid word."""

    def __init__(self, output: Path, state: Path, cuts: list[int]) -> None:
        self._output, self._state, self._cuts = output, state, iter(cuts)

    @property
    def engine(self) -> CutAgent:
        return self

    def follow_argv(self, offset: int) -> list[str]:
        return [str(offset)]

    def stream(self, argv: list[str], on_line: Callable[[str], None]) -> int:
        left = next(self._cuts, 1 << 30)
        for event in reported(int(argv[0]), self._output, self._state, lambda: None):
            text = json.dumps(event)
            if left == 0:
                on_line(text[: len(text) // 2])
                raise UNREACHABLE
            left -= 1
            on_line(text)
        return 0

    def presence(self) -> Presence:
        return THERE


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=30), max_size=30),
    st.lists(st.integers(0, 4), max_size=20),
)
def test_however_often_it_is_cut_what_is_heard_equals_the_file(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    output, state = folder / "output.log", folder / "state.json"
    output.write_bytes(b"".join(b"%d.000 %s\n" % (at, text.encode()) for at, text in enumerate(texts)))
    state.write_text('{"state": "COMPLETED"}')
    heard = list(Events(CutAgent(output, state, cuts)))  # type: ignore[arg-type]
    assert [(one.text, one.at) for one in heard if isinstance(one, Line)] == [
        (text, float(at)) for at, text in enumerate(texts)
    ]
    assert heard[-1] == Over()


def heard(client: StandInAgent, offset: int = 0, **more: Any) -> list[object]:
    return list(Events(client, offset, **more))  # type: ignore[arg-type]


def test_what_a_agent_tells_are_values() -> None:
    client = StandInAgent([{"record": {"state": "STORING"}}, line("[0] x", 9), {"beat": 1}, FINAL, {"end": True}])
    assert heard(client) == [
        *(
            Reported({"state": "STORING"}),
            Line("[0] x", 1.0, 9),
            Beat(),
            Reported({"state": "COMPLETED"}),
            Over(),
        ),
    ]


def test_after_a_cut_it_goes_on_behind_the_last_line() -> None:
    client = StandInAgent([line("a", 10), line("b", 20)], [line("c", 30), {"end": True}], presences=[THERE])
    assert heard(client, 5) == [Line("a", 1.0, 10), Line("b", 1.0, 20), Line("c", 1.0, 30), Over()]
    assert client.offsets == [5, 20]


def test_a_agent_that_has_gone_without_the_end_says_where_the_output_goes_on() -> None:
    assert heard(StandInAgent([line("a", 10)], presences=[GONE])) == [Line("a", 1.0, 10), Gone(10)]


def test_a_host_that_does_not_answer_is_tried_again_and_its_silence_reported() -> None:
    client = StandInAgent(
        [UNREACHABLE], [UNREACHABLE], [UNREACHABLE], [UNREACHABLE], [{"end": True}], presences=[UNKNOWN]
    )
    found = heard(client, clock=CLOCK)
    assert found[-1] == Over()
    assert [one.seconds for one in found if isinstance(one, Silence) and one.why == "p100-01 does not answer"] == [
        *(6.0, 12.0, 18.0, 24.0),
    ]


def test_the_engines_own_words_say_why_a_connection_ended() -> None:
    class Refusing(StandInAgent):
        def stream(self, argv: list[str], on_line: Callable[[str], None]) -> int:
            if len(self.offsets) > 2:
                on_line('{"end": true}')
            else:
                on_line("Error response from daemon: container is restarting")
            return 1

    found = heard(Refusing(presences=[THERE]), clock=map(float, itertools.count(0, 10)).__next__)
    assert "Error response from daemon: container is restarting" in [
        one.why for one in found if isinstance(one, Silence)
    ]


@pytest.mark.parametrize("noise", ["3", '"text"', "[1]", "null"])
def test_what_is_no_event_is_passed_over(noise: str) -> None:
    class Noisy(StandInAgent):
        def stream(self, argv: list[str], on_line: Callable[[str], None]) -> int:
            on_line(noise)
            on_line('{"end": true}')
            return 0

    assert heard(Noisy()) == [Over()]


def test_a_slow_reader_holds_the_connection_and_not_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_AHEAD", 8)
    sent = 0

    def flood() -> Any:
        nonlocal sent
        for number in range(1000):
            sent += 1
            yield line("x", number)
        yield {"end": True}

    stream = iter(Events(StandInAgent(flood())))  # type: ignore[arg-type]
    for taken in range(1, 400):
        next(stream)
        assert sent <= taken + 8 + 2
    assert len(list(stream)) == 1000 - 399 + 1
