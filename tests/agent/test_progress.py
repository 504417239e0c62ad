"""When storing goes on, when it is refused for good, and what a refusal means."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent.end_reasons import Reason
from toolkit.agent.flush import NotStored
from toolkit.agent.upload_progress import Progress, Waiting, meaning

DENIED = "ERROR : AccessDenied: Access Denied status code: 403"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("write /data/x: no space left on device", Reason.BUCKET_FULL),
        ("QuotaExceeded: the bucket is full", Reason.BUCKET_FULL),
        ("InsufficientStorage", Reason.BUCKET_FULL),
        ("XMinioStorageFull: Storage backend has reached its minimum free drive threshold", Reason.BUCKET_FULL),
        ("https response error StatusCode: 507, RequestID: 1", Reason.BUCKET_FULL),
        (DENIED, Reason.BUCKET_CREDENTIALS),
        ("InvalidAccessKeyId: The key does not exist", Reason.BUCKET_CREDENTIALS),
        ("SignatureDoesNotMatch", Reason.BUCKET_CREDENTIALS),
        ("ExpiredToken", Reason.BUCKET_CREDENTIALS),
        ("StatusCode: 403, api error Forbidden", Reason.BUCKET_CREDENTIALS),
        ("NoSuchBucket: The specified bucket does not exist", Reason.BUCKET_WRITE),
        ("directory not found", Reason.BUCKET_WRITE),
        ("dial tcp 127.0.0.1:9: connect: connection refused", None),
        ("StatusCode: 500, InternalError", None),
        ("context deadline exceeded, request id 4035071", None),
        ("", None),
    ],
)
def test_a_refusal_has_a_meaning_and_what_may_pass_has_none(said: str, reason: Reason | None) -> None:
    assert meaning(said) is reason


@pytest.mark.parametrize(
    ("waiting", "count"), [(Waiting(), 0), (Waiting(2, 1, 0), 3), (Waiting(0, 1, 5), 1), (Waiting(3, 0, 3), 3)]
)
def test_what_waits_is_queued_or_under_way(waiting: Waiting, count: int) -> None:
    assert waiting.count == count


def test_of_many_files_the_first_are_named() -> None:
    assert Waiting(files={2: "b", 1: "c", 3: "a"}).named == "a\nb\nc"
    many = Waiting(files={number: f"part-{number:04}" for number in range(5000)}).named.splitlines()
    assert many[0] == "part-0000"
    assert many[-1] == f"and {5000 - len(many) + 1} more"


def waiting(*numbers: int, **sent: int) -> Waiting:
    """Files by the mount's numbers for them, and how far those have come that are under way."""
    return Waiting(queued=len(numbers), files={number: f"file-{number}" for number in numbers}, sent=sent)


def test_a_file_that_is_done_is_progress_though_another_has_come_meanwhile() -> None:
    progress = Progress(0.0)
    progress.moved(1.0, waiting(1, 2))
    assert not progress.moved(2.0, waiting(1, 2))
    assert progress.moved(3.0, waiting(2, 3))
    assert progress.silent(7.0) == 4.0


def test_a_file_that_has_come_further_than_ever_is_progress_and_one_that_is_sent_again_is_none() -> None:
    progress = Progress(0.0)
    progress.moved(1.0, waiting(1))
    assert progress.moved(2.0, waiting(1, model=100))
    assert not progress.moved(3.0, waiting(1, model=0)), "the next try"
    assert not progress.moved(4.0, waiting(1, model=100))
    assert progress.moved(5.0, waiting(1, model=101))
    assert progress.moved(6.0, waiting(1, 2, model=0, other=1))


def test_the_first_bytes_of_yet_another_file_are_no_progress_once_files_have_been_refused() -> None:
    progress = Progress(0.0)
    for number in range(1, 10):
        refused = replace(waiting(*range(number), **{f"file-{number}": 20_000}), errored=number - 1)
        assert progress.moved(float(number), refused) is (number == 1)
    assert progress.silent(20.0) == 19.0
    assert progress.moved(21.0, replace(waiting(*range(9), **{"file-9": 30_000}), errored=8)), "it does go on"


def test_more_files_are_no_progress() -> None:
    progress = Progress(0.0)
    progress.moved(1.0, waiting(1))
    assert not progress.moved(2.0, waiting(1, 2, 3))


def test_where_nothing_is_left_nothing_is_missed() -> None:
    progress = Progress(0.0)
    assert [progress.moved(now, Waiting()) for now in (1.0, 2.0, 3.0)] == [True] * 3


def refusing(progress: Progress, said: list[str], times: list[float]) -> list[bool]:
    """Whether it counts as refused, at each of `times`; the store says `said`, one after the other."""
    answers = iter(said)
    return [progress.refused(now, lambda: next(answers)) for now in times]


def test_three_refusals_of_one_kind_are_for_good() -> None:
    progress = Progress(0.0)
    assert refusing(progress, [DENIED] * 3, [5.0, 10.0, 15.0]) == [False, False, True]
    assert (progress.reason, progress.said) == (Reason.BUCKET_CREDENTIALS, DENIED)


def test_a_store_is_asked_only_where_nothing_moves_and_not_all_the_time() -> None:
    asked = []
    progress = Progress(0.0)
    for now in (1.0, 4.9, 5.0, 5.1, 9.9, 10.0):
        progress.refused(now, lambda now=now: asked.append(now) or DENIED)  # type: ignore[misc, func-returns-value]
    assert asked == [5.0, 10.0]


@pytest.mark.parametrize("between", ["", "connection refused", "no space left on device"])
def test_another_answer_between_them_begins_the_count_anew(between: str) -> None:
    said, times = [DENIED, DENIED, between, DENIED, DENIED], [5.0, 10.0, 15.0, 20.0, 25.0]
    assert not any(refusing(Progress(0.0), said, times))


def test_progress_between_them_begins_the_count_anew() -> None:
    progress = Progress(0.0)
    progress.moved(0.0, waiting(1, 2))
    assert refusing(progress, [DENIED, DENIED], [5.0, 10.0]) == [False, False]
    assert progress.moved(11.0, waiting(2))
    assert refusing(progress, [DENIED], [16.0]) == [False]


@given(st.lists(st.sampled_from([DENIED, "", "timeout"]), max_size=12))
def test_a_store_that_takes_or_is_silent_now_and_then_is_never_given_up(said: list[str]) -> None:
    refused = refusing(Progress(0.0), said, [5.0 * (place + 1) for place in range(len(said))])
    runs = [said[place : place + 3] == [DENIED] * 3 for place in range(len(said))]
    assert any(refused) == any(runs)


def test_of_a_long_evidence_the_end_is_kept() -> None:
    assert NotStored(Reason.SYSTEM, "what", "x" * 5000 + "end").evidence == "x" * 1997 + "end"
