"""An agent from afar: there, gone, or nobody knows."""

from __future__ import annotations

import json

import pytest

from toolkit.run.follow.agent_client import AgentClient, Presence

from .clients import RECORD
from .engines import StandInHost, things_of

RUN = RECORD.training_id
OWN = f"toolkit-{RUN}-agent"


def client(**host: object) -> AgentClient:
    return AgentClient(StandInHost(**host).engine, RUN)  # type: ignore[arg-type]


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
    assert client(**host).presence() is presence


@pytest.mark.parametrize(
    ("reported", "state"), [('{"state": "STORING"}', {"state": "STORING"}), ("[]", {}), ("", {}), ("x", {})]
)
def test_its_state_is_an_object_or_nothing(reported: str, state: dict[str, str]) -> None:
    assert client(says=lambda _: reported).state() == state


@pytest.mark.parametrize("trouble", ["away", "stopped"])
def test_of_a_host_that_does_not_answer_nothing_is_known(trouble: str) -> None:
    assert client(**{trouble: True}).state() == {}


def test_a_stop_tells_who_had_asked_first() -> None:
    asked: list[list[str]] = []
    one = client(says=lambda argv: asked.append(list(argv)) or "ada@desk\n")  # type: ignore[func-returns-value]
    assert one.stop("bob@lab") == "ada@desk"
    assert asked == [["docker", "exec", OWN, "python3", "-m", "toolkit.agent", "stop", "bob@lab"]]
    assert client(stopped=True).stop("bob@lab") == ""


def test_it_is_followed_from_a_byte_on() -> None:
    assert client().follow_argv(5120)[-2:] == ["follow", "5120"]
    assert json.dumps(client().follow_argv(0)).count(OWN) == 1
