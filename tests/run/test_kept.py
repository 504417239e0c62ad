"""A keeper from afar: there, gone, or nobody knows."""

from __future__ import annotations

import json

import pytest

from toolkit.run.kept import Presence, RemoteKeeper

from .engines import StandInHost, things_of
from .keepers import RECORD

RUN = RECORD.training_id
OWN = f"toolkit-{RUN}-agent"


def keeper(**host: object) -> RemoteKeeper:
    return RemoteKeeper(StandInHost(**host).engine, RUN)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "presence"),
    [
        ({"things": things_of(RUN, "agent"), "running": {OWN}}, Presence.THERE),
        ({"things": things_of(RUN, "agent")}, Presence.GONE),
        ({"things": things_of(RUN, "learner-1")}, Presence.GONE),
        ({"stopped": True}, Presence.UNKNOWN),
        ({"away": True}, Presence.UNKNOWN),
    ],
)
def test_only_an_engine_that_answers_says_that_it_has_gone(host: dict[str, object], presence: Presence) -> None:
    assert keeper(**host).presence() is presence


@pytest.mark.parametrize(
    ("told", "state"), [('{"state": "STORING"}', {"state": "STORING"}), ("[]", {}), ("", {}), ("x", {})]
)
def test_its_state_is_an_object_or_nothing(told: str, state: dict[str, str]) -> None:
    assert keeper(says=lambda _: told).state() == state


@pytest.mark.parametrize("trouble", ["away", "stopped"])
def test_of_a_host_that_does_not_answer_nothing_is_known(trouble: str) -> None:
    assert keeper(**{trouble: True}).state() == {}


def test_a_stop_tells_who_had_asked_first() -> None:
    asked: list[list[str]] = []
    one = keeper(says=lambda argv: asked.append(list(argv)) or "ada@desk\n")  # type: ignore[func-returns-value]
    assert one.stop("bob@lab") == "ada@desk"
    assert asked == [["docker", "exec", OWN, "python3", "-m", "toolkit.keeper", "stop", "bob@lab"]]
    assert keeper(stopped=True).stop("bob@lab") == ""


def test_it_is_followed_from_a_byte_on() -> None:
    assert keeper().follow_argv(5120)[-2:] == ["follow", "5120"]
    assert json.dumps(keeper().follow_argv(0)).count(OWN) == 1
