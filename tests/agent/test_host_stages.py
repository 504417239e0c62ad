"""When a host went through which stage, and how its clock stands to the operator's."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from toolkit.agent import host_stages as module
from toolkit.agent.host_stages import Clock, ClockOffset, HostStage, HostStages, Stopwatch, compared, with_own


class StandInClock:
    """`now` is the system's clock, `elapsed` what no adjustment changes."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now, self.elapsed = 1000.0, 50.0
        patch.setattr(module.time, "time", lambda: self.now)
        patch.setattr(module, "_since_boot", lambda: self.elapsed)

    def passes(self, seconds: float) -> None:
        self.now, self.elapsed = self.now + seconds, self.elapsed + seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StandInClock:
    return StandInClock(monkeypatch)


def test_stages_have_their_times_in_the_order_in_which_they_began(clock: StandInClock) -> None:
    watch = Stopwatch()
    with watch.stage("mounts"):
        clock.passes(1)
        with watch.stage("files"):
            clock.passes(2)
        clock.passes(4)
    assert watch.taken == (HostStage("mounts", 1000.0, 1007.0), HostStage("files", 1001.0, 1003.0))


def test_a_clock_that_is_set_back_meanwhile_changes_neither_a_duration_nor_the_order(clock: StandInClock) -> None:
    watch = Stopwatch(Clock())
    with watch.stage("processing"):
        clock.passes(3)
        clock.now -= 3600
    with watch.stage("uploading"):
        clock.passes(2)
    assert watch.taken == (HostStage("processing", 1000.0, 1003.0), HostStage("uploading", 1003.0, 1005.0))


def test_a_stage_that_fails_has_taken_its_time_too(clock: StandInClock) -> None:
    watch = Stopwatch()
    with pytest.raises(OSError, match="full"), watch.stage("uploading"):
        clock.passes(5)
        raise OSError("full")
    assert watch.taken == (HostStage("uploading", 1000.0, 1005.0),)


def test_a_stage_may_have_begun_before_and_says_how_it_went(clock: StandInClock) -> None:
    watch = Stopwatch()
    clock.passes(9)
    watch.add("image", 1002.0, "already there")
    assert watch.taken == (HostStage("image", 1002.0, 1009.0, "already there"),)


@pytest.mark.parametrize(
    ("sent", "read", "received", "ahead", "error"),
    [(100.0, 100.5, 101.0, 0.0, 0.5), (100.0, 107.5, 101.0, 7.0, 0.5), (100.0, 90.25, 100.5, -10.0, 0.25)],
)
def test_a_clock_is_compared_with_the_middle_of_the_exchange(
    sent: float, read: float, received: float, ahead: float, error: float
) -> None:
    assert compared(sent, read, received) == ClockOffset(ahead, error)


@pytest.mark.parametrize(
    ("offset", "ahead"), [(None, 0.0), (ClockOffset(0.04, 0.05), 0.0), (ClockOffset(-0.06, 0.05), -0.06)]
)
def test_a_difference_within_the_error_is_none(offset: ClockOffset | None, ahead: float) -> None:
    assert HostStages("one", offset=offset).ahead == ahead


def test_what_a_host_timed_is_added_to_what_the_operator_did() -> None:
    prepared = [asdict(HostStages(name, (HostStage("agent", 1.0, 2.0),))) for name in ("one", "two")]
    found = with_own(("one", "two"), prepared, {1: [HostStage("processing", 3.0, 4.0)]})
    assert found == [
        prepared[0] | {"host_clock": []},
        prepared[1] | {"host_clock": [asdict(HostStage("processing", 3.0, 4.0))]},
    ]


@pytest.mark.parametrize("prepared", [[], [asdict(HostStages("another"))]])
def test_without_the_operators_part_each_host_has_its_own(prepared: list[dict[str, object]]) -> None:
    found = with_own(("one", "two"), prepared, {0: [HostStage("processing", 3.0, 4.0)]})
    assert [(one["host"], one["operator_clock"], len(one["host_clock"])) for one in found] == [
        ("one", (), 1),
        ("two", (), 0),
    ]
