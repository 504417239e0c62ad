"""Looking at this machine: what its kernel and its engine say, and launches that take turns."""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Sequence

import pytest

from toolkit.doctor.topics.machine import CORES
from toolkit.errors import ToolkitError
from toolkit.run.launch import this_machine
from toolkit.run.launch.this_machine import Turn, look_at_cores

from .engines import StandInHost

INFO = {"ServerVersion": "24.0.7", "CPUSet": True, "KernelVersion": platform.release()}


def says(argv: Sequence[str]) -> str | None:
    if argv[0] == "sh":
        assert list(argv) == ["sh", "-c", CORES]
        return "Cpus_allowed_list:\t0-3\n"
    return json.dumps(INFO) if argv[1] == "info" else "0-1\n"


@pytest.fixture(autouse=True)
def own_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Launches of others on this machine are no matter here."""
    monkeypatch.setattr(this_machine, "_NAME", f"\0toolkit-launch-cpus-test-{os.getpid()}")


def test_its_cores_have_the_cpus_that_this_process_may_use() -> None:
    assert {cpu for core in look_at_cores().cores for cpu in core.cpus} == os.sched_getaffinity(0)


def test_what_other_runs_use_is_taken() -> None:
    with Turn() as turn:
        found = turn.look(StandInHost(says=says).engine)
    assert (len(found.cores), found.why_not, found.taken) == (4, "", frozenset({0, 1}))


def test_an_engine_that_does_not_answer_is_an_error() -> None:
    with Turn() as turn, pytest.raises(ToolkitError, match="no container engine answers"):
        turn.look(StandInHost(stopped=True).engine)


def test_a_launch_looks_when_the_one_before_it_can_be_seen() -> None:
    order: list[str] = []

    def second() -> None:
        with Turn() as turn:
            turn.look(StandInHost(says=says).engine)
            order.append("second looks")

    with Turn() as first:
        first.look(StandInHost(says=says).engine)
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.5)
        order.append("first is seen")
        first.end()
        thread.join()
    assert order == ["first is seen", "second looks"]


def test_who_waits_too_long_looks_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_machine, "_PATIENCE_SECONDS", 0.1)
    with Turn() as first, Turn() as second:
        first.look(StandInHost(says=says).engine)
        assert second.look(StandInHost(says=says).engine).cores
