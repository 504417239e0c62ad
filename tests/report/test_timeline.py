"""Where a run's time went."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.agent.host_stages import LEASED, PREPARED, STAGES, HostStage, HostStages
from toolkit.report.lanes import Bar
from toolkit.report.timeline import ticks, timeline
from toolkit.run.records.record import State

from .runs import BEGIN, failed, record, staged


def test_the_shares_are_the_stages_with_the_commands_apart_and_add_up_to_the_whole() -> None:
    run = record()
    line = timeline(run, BEGIN)
    assert line is not None
    assert [(share.name, round(share.seconds, 3)) for share in line.shares] == [
        ("QUEUED", 14.0),
        ("PENDING", 3.5),
        ("DOWNLOADING", 42.5),
        ("command 1", 1900.0),
        ("command 2", 94.0),
        ("around the commands", 4.0),
        ("STORING", 23.0),
    ]
    assert sum(share.seconds for share in line.shares) == pytest.approx(run.seconds)
    assert sum(share.part for share in line.shares) == pytest.approx(1)


def test_each_rank_has_a_lane_and_later_commands_are_in_rank_0s() -> None:
    line = timeline(record(), BEGIN)
    assert line is not None
    assert [(lane.name, lane.detail) for lane in line.lanes] == [
        *(("run", ""), ("rank 0", "p100-01"), ("rank 1", "p100-01"), ("rank 2", "p100-02"), ("rank 3", "p100-02")),
    ]
    assert [bar.kind for bar in line.lanes[1].bars] == ["command-1", "command-2"]
    assert line.lanes[2].bars == (
        Bar(
            pytest.approx(62.4),
            pytest.approx(1961.7),
            "command-1",
            "command 1: python train.py --epochs 40, 31 min 39 s",
        ),
    )


def test_many_ranks_share_a_lane_for_each_host_and_many_hosts_are_cut() -> None:
    line = timeline(record(hosts=100, ranks_each=8), BEGIN)
    assert line is not None
    assert (line.lanes[1].name, line.lanes[1].detail, len(line.lanes), line.left_out) == (
        "p100-01",
        "ranks 0 to 7",
        65,
        36,
    )
    # From the first rank's start to the last one's end; ranks' ends differ by 0.3 s.
    assert line.lanes[1].seconds == pytest.approx(1900 + 1 + 94, abs=0.01)


def test_each_host_has_a_lane_with_its_stages_and_its_ranks_below() -> None:
    line = timeline(staged(record()), BEGIN)
    assert line is not None
    assert [(lane.name, lane.detail, lane.below) for lane in line.lanes] == [
        *(("run", "", False), ("p100-01", "ranks 0-1", False), ("rank 0", "learner 1", True)),
        *(("rank 1", "learner 1", True), ("p100-02", "ranks 2-3", False), ("rank 2", "learner 2", True)),
        ("rank 3", "learner 2", True),
    ]
    assert [bar.kind for bar in line.lanes[1].bars] == [*STAGES]
    assert [bar.kind for bar in line.lanes[4].bars] == [*STAGES[:-1]]
    assert line.lanes[4].bars[2] == Bar(pytest.approx(1.9), pytest.approx(13), "image", "image: 11.1 s")
    assert line.lanes[1].bars[2].label == "image: 0.4 s, already there"


def test_stages_at_the_same_time_share_the_height_of_a_lane() -> None:
    line = timeline(staged(record()), BEGIN)
    assert line is not None
    halves = {bar.kind: bar.half for bar in line.lanes[1].bars}
    assert [name for name, half in halves.items() if half == "upper"] == ["files", "learners"]
    assert [name for name, half in halves.items() if half == "lower"] == ["mounts"]


def test_many_ranks_of_a_host_are_in_its_own_lane_over_its_stages() -> None:
    line = timeline(staged(record(hosts=64, ranks_each=8)), BEGIN)
    assert line is not None
    assert (len(line.lanes), line.left_out, line.is_dense) == (65, 0, True)
    assert [bar.kind for bar in line.lanes[2].bars] == [*STAGES[:-1], "command-1"]


def test_many_learners_of_one_host_have_lanes_below_it() -> None:
    run = record(hosts=3, ranks_each=8)
    here = replace(run, hosts=(), placement=tuple((number, "", ranks) for number, _, ranks in run.placement))
    line = timeline(staged(here), BEGIN)
    assert line is not None
    assert [(lane.name, lane.detail) for lane in line.lanes[1:]] == [
        ("this machine", "ranks 0-23"),
        *((f"learner {number}", f"ranks {8 * number - 8} to {8 * number - 1}") for number in (1, 2, 3)),
    ]


def test_what_is_short_beside_the_whole_run_has_an_axis_of_its_own() -> None:
    line = timeline(staged(record()), BEGIN)
    assert line is not None
    assert line.preparation is not None
    assert (line.preparation.seconds, [lane.name for lane in line.preparation.lanes]) == (60, ["p100-01", "p100-02"])
    assert [bar.kind for bar in line.preparation.lanes[0].bars] == [*LEASED, *PREPARED]


def test_a_preparation_that_is_seen_on_the_whole_axis_is_not_drawn_twice() -> None:
    line = timeline(staged(record(seconds=20)), BEGIN)
    assert line is not None
    assert line.preparation is None


def test_the_numbers_of_stages_name_the_slowest_host_and_have_every_host() -> None:
    line = timeline(staged(record()), BEGIN)
    assert line is not None
    image = next(row for row in line.stages if row.times.name == "image")
    assert (image.times.slowest, image.times.longest, image.times.note) == ("p100-02", pytest.approx(11.1), "")
    assert [host.name for host in line.hosts] == ["p100-01", "p100-02"]
    assert [host.seconds[-1] for host in line.hosts] == [4.0, None]
    assert line.clocks == "agree with the operator's within 0.03 s"


def test_a_record_of_an_earlier_version_has_no_stages_of_hosts() -> None:
    line = timeline(record(), BEGIN)
    assert line is not None
    assert (line.stages, line.hosts, line.clocks, line.preparation) == ((), (), "", None)


def test_a_stage_of_another_name_is_drawn_in_a_colour_of_its_own() -> None:
    odd = HostStages("p100-01", (HostStage('x" onload="', BEGIN, BEGIN + 1),))
    line = timeline(replace(record(), host_stages=(odd,)), BEGIN)
    assert line is not None
    assert ([bar.kind for bar in line.lanes[1].bars], line.stages[0].kind) == (["other"], "other")


def test_a_failed_ranks_part_is_marked() -> None:
    line = timeline(failed(record()), BEGIN)
    assert line is not None
    assert [(lane.remark, [bar.kind for bar in lane.bars]) for lane in line.lanes[1:]] == [
        ("", ["command-1"]),
        ("command 1 failed", ["failed"]),
        ("", ["command-1"]),
        ("", ["command-1"]),
    ]


def test_a_run_that_goes_on_lasts_until_now() -> None:
    run = replace(record(), state=State.PROCESSING, states=record().states[:4], steps=())
    line = timeline(run, BEGIN + 100)
    assert line is not None
    assert (line.seconds, line.shares[-1].name, line.shares[-1].seconds) == (100, "PROCESSING", 40)
    assert [lane.name for lane in line.lanes] == ["run"]


def test_a_clock_that_is_wrong_leads_out_of_no_lane() -> None:
    step = replace(record().steps[0], times=((BEGIN - 500, BEGIN + 9e9), None, (BEGIN + 70, BEGIN + 60), None))
    line = timeline(replace(record(), steps=(step,)), BEGIN)
    assert line is not None
    assert all(0 <= bar.start <= bar.end <= line.seconds for lane in line.lanes for bar in lane.bars)


def test_a_run_that_has_not_begun_has_none() -> None:
    assert timeline(replace(record(), states=()), BEGIN) is None


@pytest.mark.parametrize(
    ("seconds", "texts"),
    [
        (0.4, ["0", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]),
        (12.4, ["0", "5 s", "10 s"]),
        (2081, ["0", "10 min", "20 min", "30 min"]),
        (86_400, ["0", "6 h", "12 h", "18 h", "24 h"]),
        (5400, ["0", "30 min", "1 h", "1:30 h"]),
    ],
)
def test_the_axis_is_labelled_at_round_times(seconds: float, texts: list[str]) -> None:
    assert [text for _, text in ticks(seconds)] == texts


@pytest.mark.parametrize("seconds", [1e-3, 59.0, 3601.0, 1e6, 1e10])
def test_an_axis_has_few_labels(seconds: float) -> None:
    assert 1 <= len(ticks(seconds)) <= 6
