"""When a learner counts as stuck at its limit of processes."""

from __future__ import annotations

import pytest

from toolkit.agent.docker_api import EngineRefused, Usage
from toolkit.agent.job_spec import StepSpec
from toolkit.agent.lifecycle import with_process_limit
from toolkit.agent.outcome import LearnerEnd
from toolkit.agent.process_limit import ProcessLimits
from toolkit.agent.ranks import RankEnds

from .jobs import job


class Counts:
    """An engine that tells one count after the other; None: it does not answer."""

    def __init__(self, *counts: tuple[int, int] | None) -> None:
        self.counts = list(counts)

    def usage(self, _container: str) -> Usage:
        counts = self.counts.pop(0)
        if counts is None:
            raise EngineRefused("away")
        return Usage(*counts)


FULL, ALMOST = (64, 64), (63, 64)


@pytest.mark.parametrize(
    ("counts", "met"),
    [
        ((FULL, FULL, FULL), {1: 64}),
        (((70, 64), (64, 64), (64, 64)), {1: 64}),
        ((FULL, FULL, ALMOST, FULL, FULL), {}),
        ((FULL, FULL, None, FULL), {}),
        (((5000, 0),) * 4, {}),
        (((0, 0),) * 4, {}),
    ],
)
def test_a_learner_is_stuck_that_stays_at_its_limit(
    counts: tuple[tuple[int, int] | None, ...], met: dict[int, int]
) -> None:
    limits = ProcessLimits({1: "learner-1"}, Counts(*counts))  # type: ignore[arg-type]
    for _ in counts:
        limits.look()
    assert limits.met == met


def test_what_learners_and_ranks_say_of_their_limit_goes_into_how_the_learner_ended() -> None:
    mine = job()
    second = next(one for one in mine.learners if one.number == 2)
    here = next(one for one in mine.here)
    rank = here.ranks[0]
    assert with_process_limit(mine, LearnerEnd(here.number, 1), RankEnds(crowded={f"1.{rank}": 64})).processes == 64
    assert with_process_limit(mine, LearnerEnd(here.number, 1), RankEnds(crowded={"1.999": 64})).processes == 0
    assert with_process_limit(mine, LearnerEnd(second.number, 77), RankEnds()).processes == -1
    assert with_process_limit(mine, LearnerEnd(1, 77), RankEnds()).processes == 0, "learner 1 may end with 77 by itself"


def test_a_learner_says_so_too_where_it_ran_a_step_as_one_process() -> None:
    mine = job(steps=(StepSpec(1, "python train.py", "node"), StepSpec(2, "python fit.py", "all")), host=1)
    ends = RankEnds(crowded={"1.1": 64, "2.1": 32})  # of command 2, rank 1 is learner 1's
    assert with_process_limit(mine, LearnerEnd(2, 1), ends).processes == 64
    assert with_process_limit(mine, LearnerEnd(1, 1), ends).processes == 32
