"""What hosts tell each other in the bucket; a stand-in for the bucket and for the time that passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent import host_reports as hosts
from toolkit.agent.end_reasons import Reason
from toolkit.agent.facts import HostReport, LearnerEnd
from toolkit.agent.host_reports import Reports, read_report
from toolkit.agent.host_stages import HostStage
from toolkit.agent.signed import verified

from .jobs import KEY, RUN, job

REPORT = HostReport(
    1,
    (LearnerEnd(2, 137, oom=True),),
    {"1.2": 0, "1.3": 137},
    Reason.BUCKET_FULL,
    "what",
    "said",
    stages=(HostStage("processing", 2.0, 3.5),),
)
REPORT = replace(REPORT, times={"1.2": (1.5, 2.5)}, without_gpu=("1.3",))
THREE = ("p100-01", "p100-02", "p100-03")


class StandInBucket:
    """Objects in memory; it takes what it is given only while `takes` says so."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.takes: Callable[[], bool] = lambda: True

    def put(self, name: str, data: bytes) -> bool:
        if self.takes():
            self.objects[name] = data
        return self.takes()

    def get(self, name: str) -> bytes | None:
        self.asked.append(name)
        return self.objects.get(name)


class Clock:
    """Each pause is time that passes, in which `happens` is done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.happens: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_764_100_000 + self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.happens()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(hosts, "time", clock)
    return clock


@pytest.fixture
def reported() -> list[tuple[int, ...]]:
    """What is said of hosts that are silent."""
    return []


@pytest.fixture
def bucket() -> StandInBucket:
    return StandInBucket()


def reports(bucket: StandInBucket, host: int = 0, names: tuple[str, ...] = THREE[:2]) -> Reports:
    return Reports(job(names, host=host), bucket)  # type: ignore[arg-type]


def test_a_report_is_heard_as_it_was_sent(bucket: StandInBucket, clock: Clock, reported: list[tuple[int, ...]]) -> None:
    reports(bucket, 1).tell(REPORT)
    assert list(bucket.objects) == [f"_toolkit/{RUN}/host-1.json"]
    assert list(reports(bucket).of_others(reported.append, patient=True)) == [REPORT]


def test_a_final_report_is_reported_again_until_the_bucket_takes_it(bucket: StandInBucket, clock: Clock) -> None:
    bucket.takes = lambda: clock.now > 20
    reports(bucket, 1).tell(REPORT)
    assert len(bucket.objects) == 1


def test_a_bucket_that_takes_nothing_is_given_up_after_a_minute(bucket: StandInBucket, clock: Clock) -> None:
    bucket.takes = lambda: False
    reports(bucket, 1).tell(REPORT)
    assert clock.now == pytest.approx(60, abs=1)


def test_how_storing_goes_is_reported_once(bucket: StandInBucket, clock: Clock) -> None:
    bucket.takes = lambda: False
    reports(bucket, 1).tell(HostReport(1, final=False), note="3 files are waiting")
    assert clock.now == 0


def test_a_host_that_still_stores_is_waited_for_however_long(
    bucket: StandInBucket, clock: Clock, reported: list[tuple[int, ...]]
) -> None:
    other = reports(bucket, 1)

    def goes_on() -> None:
        if clock.now % 5 < 0.5:
            other.tell(HostReport(1, final=clock.now > 3600))

    clock.happens = goes_on
    assert list(reports(bucket).of_others(reported.append, patient=True)) == [HostReport(1)]
    assert (clock.now > 3600, reported) == (True, [])


def test_a_host_that_has_fallen_silent_has_no_report_and_keeps_no_other_from_being_heard(
    bucket: StandInBucket, clock: Clock, reported: list[tuple[int, ...]]
) -> None:
    reports(bucket, 1, THREE).tell(HostReport(1, final=False))
    reports(bucket, 2, THREE).tell(HostReport(2))
    assert list(reports(bucket, 0, THREE).of_others(reported.append, patient=True)) == [HostReport(2)]
    assert clock.now == pytest.approx(15 + 20, abs=1.5)


def test_a_silent_host_is_reported_soon_and_again_when_it_is_heard(
    bucket: StandInBucket, clock: Clock, reported: list[tuple[int, ...]]
) -> None:
    times = []

    def on_silent(silent: tuple[int, ...]) -> None:
        reported.append(silent)
        times.append(clock.now)

    def once() -> None:
        if clock.now == 20:
            reports(bucket, 1).tell(HostReport(1, final=False), note="again")
        if clock.now == 25:
            reports(bucket, 1).tell(HostReport(1))

    clock.happens = once
    assert list(reports(bucket).of_others(on_silent, patient=True)) == [HostReport(1)]
    assert reported == [(1,), ()]
    assert times == pytest.approx([10, 20], abs=0.6)


def test_where_the_bucket_does_not_answer_us_either_the_others_are_asked_once(
    bucket: StandInBucket, clock: Clock, reported: list[tuple[int, ...]]
) -> None:
    assert list(reports(bucket, 0, THREE).of_others(reported.append, patient=False)) == []
    assert (clock.now, len(bucket.asked)) == (0, 2)


def test_a_run_on_one_host_has_no_one_to_wait_for(
    bucket: StandInBucket, clock: Clock, reported: list[tuple[int, ...]]
) -> None:
    assert list(reports(bucket, 0, ("",)).of_others(reported.append, patient=True)) == []
    assert bucket.asked == []


def test_the_final_record_lies_where_everyone_looks_for_it(bucket: StandInBucket, clock: Clock) -> None:
    bucket.takes = lambda: clock.now > 5
    reports(bucket).publish({"state": "COMPLETED"})
    data = bucket.objects[f"_toolkit/{RUN}/record.json"]
    assert verified(data, KEY, "record.json") == {"state": "COMPLETED"}
    assert json.loads(data)["state"] == "COMPLETED", "people read it, too"


def test_a_record_of_what_no_bucket_takes_is_not_pressed_upon_it(bucket: StandInBucket, clock: Clock) -> None:
    bucket.takes = lambda: False
    reports(bucket).publish({"state": "FAILED", "kept": ["p100-01"]})
    assert clock.now <= 1


FORGED = [b"{}", b"[]", b"null", b'{"mac": ""}', b'{"mac": 1}', b'{"host": 1, "final": true, "mac": "00"}', b"[" * 9999]


@given(st.binary(min_size=1, max_size=50) | st.sampled_from(FORGED))
def test_what_no_agent_of_the_run_wrote_is_no_report_and_is_named(data: bytes) -> None:
    bucket = StandInBucket()
    bucket.objects[f"_toolkit/{RUN}/host-1.json"] = data
    heard = reports(bucket)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hosts, "time", Clock())
        assert list(heard.of_others(lambda _: None, patient=False)) == []
    assert heard.forged == (f"_toolkit/{RUN}/host-1.json",)


def test_a_report_of_another_host_or_of_another_run_is_none_of_this_one(bucket: StandInBucket) -> None:
    reports(bucket, 1, THREE).tell(HostReport(1))
    bucket.objects[f"_toolkit/{RUN}/host-2.json"] = bucket.objects.pop(f"_toolkit/{RUN}/host-1.json")
    Reports(job(THREE, host=1, key="another run's"), bucket).tell(HostReport(1))  # type: ignore[arg-type]
    heard = reports(bucket, 0, THREE)
    assert list(heard.of_others(lambda _: None, patient=False)) == []
    assert heard.forged == tuple(f"_toolkit/{RUN}/host-{number}.json" for number in (1, 2))


@pytest.mark.parametrize("seconds", [0.0, 3.0, 8.0])
def test_in_a_folder_a_report_may_be_read_while_it_is_written_and_what_stays_so_is_forged(
    bucket: StandInBucket, clock: Clock, seconds: float
) -> None:
    name = f"_toolkit/{RUN}/host-1.json"
    reports(bucket, 1).tell(HostReport(1))
    whole, bucket.objects[name] = bucket.objects[name], bucket.objects[name][:100] if seconds else b""

    def write() -> None:
        if clock.now >= seconds:
            bucket.objects[name] = whole

    clock.happens = write
    heard = Reports(replace(job(THREE[:2]), place="folder /srv/results"), bucket)  # type: ignore[arg-type]
    assert [report.host for report in heard.of_others(lambda _: None, patient=True)] == [1]
    assert heard.forged == ((name,) if seconds > 5 else ())


@pytest.mark.parametrize("written", ["garbage", "an old report"])
def test_whoever_writes_to_the_bucket_cannot_make_the_run_wait_for_ever(
    bucket: StandInBucket, clock: Clock, reported: list[tuple[int, ...]], written: str
) -> None:
    name, old = f"_toolkit/{RUN}/host-1.json", list[bytes]()
    other = reports(bucket, 1, THREE)
    for note in ("one", "two"):
        other.tell(HostReport(1, final=False), note)
        old.append(bucket.objects[name])

    def write() -> None:
        assert clock.now < 1000, "it waits for ever"
        bucket.objects[name] = b"%f" % clock.now if written == "garbage" else old[int(clock.now * 2) % 2]

    clock.happens = write
    assert list(reports(bucket, 0, THREE[:2]).of_others(reported.append, patient=True)) == []
    assert clock.now == pytest.approx(15 + 20, abs=2)


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)))
def test_a_report_without_its_parts_is_none(body: dict[str, object]) -> None:
    assert read_report(body) is None
