"""What an agent knows of its run, and how it asks for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent.job_spec import Job, LearnerSpec, StepSpec, read_job

from .jobs import job

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
LEARNERS = st.builds(
    LearnerSpec, st.integers(1, 9), TEXTS, TEXTS, st.lists(st.integers(0, 9)).map(tuple), st.integers(0, 9)
)
STEPS = st.builds(StepSpec, st.integers(1, 9), TEXTS, st.booleans())
JOBS = st.builds(
    Job,
    run=TEXTS,
    host=st.integers(0, 9),
    hosts=st.lists(TEXTS, max_size=3).map(tuple),
    learners=st.lists(LEARNERS, max_size=3).map(tuple),
    steps=st.lists(STEPS, max_size=3).map(tuple),
    **dict.fromkeys(("volume", "filesystem", "folder"), TEXTS),  # type: ignore[arg-type]
    **dict.fromkeys(("stop", "store", "lost"), st.integers(1, 600)),  # type: ignore[arg-type]
    record=st.dictionaries(TEXTS, TEXTS | st.integers(), max_size=3),
    rescue=st.booleans(),
)


@given(JOBS)
def test_any_job_arrives_as_it_was_sent(one: Job) -> None:
    assert read_job(one.to_json()) == one


def test_each_host_knows_its_own_learners_and_the_first_one_leads() -> None:
    first, second = job(), job(host=1)
    assert [learner.number for learner in first.here] == [1]
    assert [learner.number for learner in second.here] == [2]
    assert (first.leads, second.leads) == (True, False)
    assert (first.name, second.name) == ("p100-01", "p100-02")


def test_on_the_operators_own_machine_all_learners_are_on_one_host_without_a_name() -> None:
    here = job(("",))
    assert [learner.number for learner in here.here] == [1, 2]
    assert here.name == "this machine"
