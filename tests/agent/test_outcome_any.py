"""Whatever a run's hosts say, it is COMPLETED only if all is well, and an end that is none is never made up."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.agent.end_reasons import Reason
from toolkit.agent.facts import Facts, HostReport, LearnerEnd
from toolkit.agent.job_spec import Job
from toolkit.agent.outcome import judge, rank_statuses

from .jobs import ALL_RANKS, job, step

MOSTLY_ZERO = st.sampled_from([0, 0, 0, 0, 1, 3, 137, None])
REASONS = st.sampled_from(["", "", "", "", Reason.BUCKET_WRITE, Reason.BUCKET_FULL, Reason.SYSTEM])


@st.composite
def some_steps(draw: st.DrawFn) -> list[dict[str, Any]]:
    """None, the first, or both, some of them with a reason that ended them."""
    count = draw(st.sampled_from([0, 1, 2, 2, 2]))
    why = st.sampled_from(["", "", "", "stopped", "time limit", "start deadline", "no progress", "host lost"])
    return [step(number, draw(MOSTLY_ZERO), why=draw(why)) for number in range(1, count + 1)]


@st.composite
def some_facts(draw: st.DrawFn) -> Facts:
    reports = tuple(
        HostReport(
            host,
            (LearnerEnd(host + 1, draw(MOSTLY_ZERO), draw(st.sampled_from([False, False, False, True]))),),
            {
                key: status
                for key in ALL_RANKS
                if (int(key[2]) > 1) == bool(host) and (status := draw(MOSTLY_ZERO)) is not None
            },
            draw(REASONS),
        )
        for host in (0, 1)
        if draw(st.sampled_from([True, True, True, False]))
    )
    lists = st.sampled_from([[], [], [], ["learner-2"]])
    status = {"silent_learners": draw(lists), "lost_learners": draw(lists), "steps": draw(some_steps())}
    return Facts(draw(st.sampled_from([status, status, status, {}])), reports, draw(st.sampled_from(["", "", "ada"])))


def all_is_well(job: Job, facts: Facts) -> bool:
    """Said in other words than `judge` has it."""
    steps = facts.status.get("steps", [])
    return (
        [(one["exit_status"], one["why"]) for one in steps] == [(0, ""), (0, "")]
        and rank_statuses(job, facts, steps[0]) == [0, 0, 0, 0]
        and [report.host for report in facts.reports] == [0, 1]
        and not any(report.failure for report in facts.reports)
        and not facts.status["silent_learners"]
        and not facts.status["lost_learners"]
        and not facts.reports[0].learners[0].exit_status
    )


@settings(max_examples=500)
@given(some_facts())
def test_a_run_is_completed_exactly_if_all_is_well(facts: Facts) -> None:
    end = judge(job(), facts)
    assert (end.reason is Reason.COMPLETED) == all_is_well(job(), facts)


@settings(max_examples=500)
@given(some_facts())
def test_what_may_not_be_in_the_bucket_is_named_host_by_host(facts: Facts) -> None:
    unsure = {0, 1} - {report.host for report in facts.reports if not report.failure}
    assert judge(job(), facts).kept == tuple(job().hosts[host] for host in sorted(unsure))


@settings(max_examples=500)
@given(some_facts())
def test_every_end_but_a_good_one_says_why_and_has_a_code(facts: Facts) -> None:
    end = judge(job(), facts)
    assert end.what
    assert bool(end.error_code) == (
        end.reason not in (Reason.COMPLETED, Reason.STOPPED) or (end.reason is Reason.STOPPED and bool(end.kept))
    )
    assert (end.reason is not Reason.STOPPED) or facts.stopped_by
