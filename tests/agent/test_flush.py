"""Waiting for what programs wrote to reach the store: until it has, or until more waiting is for nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from toolkit.agent import flush as module
from toolkit.agent.end_reasons import Reason
from toolkit.agent.flush import NotStored, flush
from toolkit.agent.upload_progress import Waiting


class Mounts:
    """What the mounts say, one after the other, the last for ever; each look takes a second."""

    def __init__(self, *says: Waiting, whole: bool = True) -> None:
        self.says, self.is_whole, self.now, self.said = list(says), whole, 0.0, ""

    def waiting(self) -> Waiting:
        self.now += 1
        return self.says.pop(0) if len(self.says) > 1 else self.says[0]

    def whole(self) -> bool:
        return self.is_whole or self.now > 10

    def refusal(self) -> tuple[Reason, str]:
        return Reason.BUCKET_WRITE, "no answer"

    def probe(self) -> str:
        return self.said

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _seconds: float) -> None:
        """Time passes by looking."""


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mounts], list[Waiting]]:
    """Flush some mounts; what was reported meanwhile."""

    def run(mounts: Mounts) -> list[Waiting]:
        monkeypatch.setattr(module, "time", mounts)
        reported: list[Waiting] = []
        flush(mounts, 60, reported.append)
        return reported

    return run


ONE = Waiting(1, files={1: "model/x"})
TWO = Waiting(1, 1, files={1: "model/x", 2: "y"})
SPARSE = "y (1,099,511,627,776 bytes never written)"


def test_it_is_over_when_nothing_waits(flushed: Callable[[Mounts], list[Waiting]]) -> None:
    assert flushed(Mounts(TWO, ONE, Waiting())) == [TWO, ONE, Waiting()]


def test_a_file_in_error_is_waited_for_though_nothing_is_queued(flushed: Callable[[Mounts], list[Waiting]]) -> None:
    assert len(flushed(Mounts(Waiting(), whole=False))) == 11


def test_without_progress_it_gives_up_and_says_what_waits(flushed: Callable[[Mounts], list[Waiting]]) -> None:
    mounts = Mounts(ONE)
    with pytest.raises(NotStored, match=r"1 files could not be stored \(bucket write\)") as caught:
        flushed(mounts)
    assert (caught.value.final, "model/x" in caught.value.evidence, 60 < mounts.now < 70) == (False, True, True)


def test_a_refusal_for_good_is_not_waited_for(flushed: Callable[[Mounts], list[Waiting]]) -> None:
    mounts = Mounts(ONE)
    mounts.said = "AccessDenied"
    with pytest.raises(NotStored, match="refuses writes"):
        flushed(mounts)
    assert mounts.now < 30


def test_files_that_no_upload_would_come_to_the_end_of_are_named_once_all_others_are_stored(
    flushed: Callable[[Mounts], list[Waiting]],
) -> None:
    both = Waiting(2, files={1: "model/x", 2: "y"}, sparse=(SPARSE,))
    one = Waiting(0, 1, files={2: "y"}, sent={"y": 5}, sparse=(SPARSE,))
    with pytest.raises(NotStored, match="sparse files were not stored: y") as caught:
        flushed(Mounts(both, both, one))
    assert caught.value.final
