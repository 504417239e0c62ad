"""How a run ended, judged from what is known: values in, one of a closed list of reasons out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent.end_reasons import End, Reason
from toolkit.agent.facts import Facts, HostReport, LearnerEnd
from toolkit.agent.job_spec import StepSpec
from toolkit.agent.outcome import first_word, judge, rank_statuses, status_words
from toolkit.agent.status import why_diverged

from .jobs import ALL_RANKS, RUN, facts, job, step

LOG = f"full log: toolkit logs {RUN}"
RESCUE = f"check the host (toolkit doctor); recover its results with: toolkit rescue {RUN}"
FULL = HostReport(1, (LearnerEnd(2, 0),), {}, Reason.BUCKET_FULL, "3 files could not be stored", "507")


def test_a_run_is_completed_when_all_is_well() -> None:
    assert judge(job(), facts()) == End(
        Reason.COMPLETED, "all commands exited with 0; all results verified in the bucket"
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"1.3": 3}, "rank 3 exited with status 3 on p100-02"),
        ({"1.0": 4, "1.3": 3}, "rank 0 exited with status 4 on p100-01, rank 3 exited with status 3 on p100-02"),
        ({"1.2": 137}, "rank 2 exited with status 137 (SIGKILL) on p100-02"),
    ],
)
def test_a_failed_program_is_reported_by_the_ranks_to_blame(wrong: dict[str, int], said: str) -> None:
    assert judge(job(), facts(step(1, 1), ranks=ALL_RANKS | wrong)) == End(
        Reason.PROGRAM_FAILED, f"command 1 of 2, `python train.py`: {said}", "the last line", LOG
    )


DIVERGED = {"why": "ranks diverged in steps 1 to 100: dense/kernel differs by 0.2 of its size", "rank": 0}


@pytest.mark.parametrize("status", [86, 1, 0])
def test_ranks_that_diverged_come_before_the_programs_own_failure(status: int) -> None:
    end = judge(job(), facts(step(1, status, unsynchronised=DIVERGED), ranks=ALL_RANKS | {"1.0": status}))
    assert (end.reason, end.what) == (Reason.RANKS_DIVERGED, f"command 1 of 2, `python train.py`: {DIVERGED['why']}")
    assert (end.reason.state, end.error_code) == ("FAILED", "C201")
    assert "DDL_GUARD_EXCLUDE" in end.hint


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda one: (
            st.lists(one)
            | st.dictionaries(st.sampled_from(["why", "first_step", "last_step", "variable", "difference"]), one)
        ),
        max_leaves=5,
    )
)
def test_whatever_a_program_writes_there_is_shown_without_harm(said: Any) -> None:
    found = why_diverged({"unsynchronised": said})
    assert bool(found) == bool(said)
    assert found.isprintable() and len(found) <= 2000


def test_ranks_that_left_no_status_are_named() -> None:
    end = judge(job(), facts(step(1, 1), ranks={"1.0": 0, "1.1": 0}))
    said = "no exit status from rank 2, 3 (killed, or never started)"
    assert (end.reason, end.what) == (Reason.PROGRAM_FAILED, f"command 1 of 2, `python train.py`: {said}")


def test_mpiruns_own_status_is_not_believed() -> None:
    assert judge(job(), facts(ranks=ALL_RANKS | {"1.1": 3})).reason is Reason.PROGRAM_FAILED


def test_a_later_command_is_reported_by_its_own_status() -> None:
    end = judge(job(), facts(step(1), step(2, 9)))
    assert (end.reason, end.what) == (
        Reason.PROGRAM_FAILED,
        "command 2 of 2, `python transform.py`: exit status 9",
    )


def test_a_supervisor_that_did_not_write_down_how_a_command_ended_was_killed_itself() -> None:
    end = judge(job(), facts(step(1), step(2, None)))
    assert (end.reason, end.what) == (
        Reason.HOST_LOST,
        "learner-1 on p100-01 ended (status 0) before all commands had run",
    )


@pytest.mark.parametrize(
    ("why", "reason", "said"),
    [
        (
            {"why": "start deadline", "limit": 60, "missing_ranks": [2, 3]},
            Reason.START_DEADLINE,
            "learner-2 on p100-02 did not start within 60 s",
        ),
        ({"why": "start deadline", "limit": 60}, Reason.START_DEADLINE, "mpirun did not start within 60 s"),
        ({"why": "no progress", "limit": 90}, Reason.NO_PROGRESS, "no rank has printed a line for 90 s"),
    ],
)
def test_a_step_that_was_ended_is_reported_by_what_ended_it(why: dict[str, Any], reason: Reason, said: str) -> None:
    end = judge(job(), facts(step(1, 143, **why)))
    assert (end.reason, end.what) == (reason, f"command 1 of 2, `python train.py`: {said}")


def test_a_time_limit_is_reported_with_its_seconds() -> None:
    end = judge(job(), facts(step(1, 143, why="time limit", limit=3600)))
    assert (end.reason, end.what) == (
        Reason.TIME_LIMIT,
        "command 1 of 2, `python train.py` exceeded its time limit of 3600 s",
    )


def test_learners_that_never_answered_are_named() -> None:
    status = {"silent_learners": ["learner-2"], "start_deadline": 60, "steps": []}
    end = judge(job(), facts(status=status))
    assert (end.reason, end.what) == (Reason.START_DEADLINE, "learner-2 on p100-02 did not answer within 60 s")


def test_a_learner_that_met_its_memory_limit_is_reported_with_its_ranks_before_the_programs_failure() -> None:
    reports = (
        HostReport(0, (LearnerEnd(1, 0),), {"1.0": 0, "1.1": 1}),
        HostReport(1, (LearnerEnd(2, 137, oom=True),), {"1.2": 0, "1.3": 137}),
    )
    end = judge(job(), facts(step(1, 1), reports=reports))
    assert (end.reason, end.what, end.error_code) == (
        Reason.OUT_OF_MEMORY,
        "learner-2 on p100-02, rank 3 reached its memory limit",
        "C201",
    )


@pytest.mark.parametrize(
    ("first", "second", "reported", "what"),
    [
        (4096, 0, 0, "learner-1 on p100-01 met its limit of 4096 processes and threads"),
        (0, -1, 0, "learner-2 on p100-02 met its limit of processes and threads"),
        (0, 0, 64, "learner-1 on p100-01 met its limit of 64 processes and threads"),
        (64, 64, 64, "learner-1 on p100-01, learner-2 on p100-02 met its limit of 64 processes and threads"),
    ],
)
def test_a_learner_that_met_its_limit_of_processes_comes_before_all_that_followed(
    first: int, second: int, reported: int, what: str
) -> None:
    reports = (
        HostReport(0, (LearnerEnd(1, 76, processes=first),), {"1.0": 143, "1.1": 1}),
        HostReport(1, (LearnerEnd(2, 77, processes=second),), {}),
    )
    status = {"lost_learners": ["learner-2"], "steps": [step(1, 1, why="host lost")], "processes_met": reported}
    end = judge(job(), facts(status=status, reports=reports))
    assert (end.reason, end.what, end.error_code) == (Reason.OUT_OF_PROCESSES, what, "C201")
    assert "limits: {processes: NUMBER}" in end.hint


def test_a_limit_of_processes_that_a_program_met_and_got_on_with_is_no_fault() -> None:
    reports = (
        HostReport(0, (LearnerEnd(1, 0, processes=64),), {"1.0": 0, "1.1": 0}),
        HostReport(1, (LearnerEnd(2, 0),), {"1.2": 0, "1.3": 0}),
    )
    assert judge(job(), facts(reports=reports)).reason is Reason.COMPLETED
    reported = {"processes_met": "many", "steps": [step(1, 1)]}
    assert judge(job(), facts(status=reported)).reason is Reason.PROGRAM_FAILED


def test_memory_that_ran_out_in_a_child_that_nobody_missed_is_no_fault() -> None:
    reports = (
        HostReport(0, (LearnerEnd(1, 0, oom=True),), {"1.0": 0, "1.1": 0}),
        HostReport(1, (LearnerEnd(2, 0),), {"1.2": 0, "1.3": 0}),
    )
    assert judge(job(), facts(reports=reports)).reason is Reason.COMPLETED


def test_a_lost_host_comes_before_all_that_followed_from_it() -> None:
    status = {"lost_learners": ["learner-2"], "lost_seconds": 12, "steps": [step(1, 1, why="host lost")]}
    first = HostReport(0, (LearnerEnd(1, 76, oom=True),), {"1.0": 143, "1.1": 143})
    assert judge(job(), facts(status=status, reports=(first,))) == End(
        Reason.HOST_LOST,
        "learner-2 on p100-02 is lost: no answer for 12 s",
        "the last line",
        RESCUE,
        ("p100-02",),
    )


def test_a_lost_learner_whose_host_has_stored_all_leaves_nothing_to_rescue() -> None:
    status = {"lost_learners": ["learner-2"], "lost_seconds": 12, "steps": [step(1, 1, why="host lost")]}
    end = judge(job(), facts(status=status))
    assert (end.reason, end.kept) == (Reason.HOST_LOST, ())


def test_a_host_that_has_not_reported_is_lost_though_every_command_ended_well() -> None:
    alone = facts(reports=(HostReport(0, (LearnerEnd(1, 0),), ALL_RANKS),))
    assert judge(job(), alone) == End(
        Reason.HOST_LOST,
        "p100-02 is lost: it has not reported that all its results are in the bucket",
        "the last line",
        RESCUE,
        ("p100-02",),
    )


@pytest.mark.parametrize(("status", "how"), [(None, "gone"), (137, "status 137 (SIGKILL)"), (1, "status 1")])
def test_a_first_learner_that_ended_before_its_commands_is_named(status: int | None, how: str) -> None:
    reports = (HostReport(0, (LearnerEnd(1, status),)), HostReport(1, (LearnerEnd(2, 0),)))
    end = judge(job(), facts(status={}, reports=reports))
    assert (end.reason, end.what) == (
        Reason.HOST_LOST,
        f"learner-1 on p100-01 ended ({how}) before all commands had run",
    )


def test_a_disk_that_is_full_is_reported_beside_the_command_that_failed() -> None:
    well = facts(ranks=ALL_RANKS | {"1.2": 1})
    end = judge(job(), replace(well, reports=(well.reports[0], replace(well.reports[1], full=True))))
    assert (end.reason, end.what) == (
        Reason.PROGRAM_FAILED,
        "command 1 of 2, `python train.py`: rank 2 exited with status 1 on p100-02; "
        "the disk of the engine's volumes is full on p100-02",
    )


def test_an_image_that_lacks_what_a_learner_needs_is_reported_as_that() -> None:
    reports = (HostReport(0, (LearnerEnd(1, 127),)), HostReport(1, (LearnerEnd(2, 0),)))
    end = judge(job(), facts(status={}, reports=reports))
    assert (end.reason, end.error_code, end.what) == (
        Reason.IMAGE,
        "S103",
        "learner-1 on p100-01 cannot run what a learner needs (status 127)",
    )


def test_what_could_not_be_stored_is_the_end_of_a_run_that_was_well() -> None:
    well = facts()
    assert judge(job(), replace(well, reports=(well.reports[0], replace(FULL, ranks=well.reports[1].ranks)))) == End(
        Reason.BUCKET_FULL,
        "not all results are in the bucket: p100-02: 3 files could not be stored",
        "507",
        f"its results are still on p100-02; fix the store, then: toolkit rescue {RUN}",
        ("p100-02",),
    )


COMMAND_1 = "command 1 of 2, `python train.py`"
FAILED = f"{COMMAND_1}: rank 0 exited with status 3 on p100-01"


def test_a_program_fails_where_it_cannot_write_so_the_store_comes_first() -> None:
    both = facts(step(1, 1), ranks={"1.0": 3, "1.1": 0})
    end = judge(job(), replace(both, reports=(both.reports[0], replace(FULL, ranks={"1.2": 0, "1.3": 0}))))
    assert (end.reason, end.what, end.error_code, end.kept) == (
        *(Reason.BUCKET_FULL, f"p100-02: 3 files could not be stored; and {FAILED}", "S303"),
        ("p100-02",),
    )


def test_a_supervisor_that_failed_contradicts_a_status_file_that_says_all_is_well() -> None:
    known = facts()
    ends = replace(known.reports[0], learners=(LearnerEnd(1, 137),))
    end = judge(job(), replace(known, reports=(ends, known.reports[1])))
    assert end.reason is Reason.TAMPERED
    assert "learner-1 on p100-01 ended with status 137 (SIGKILL), but its status file says" in end.what


def test_a_lost_host_is_reported_as_that_though_every_command_ended_with_0() -> None:
    known = facts()
    status = {**known.status, "lost_learners": ["learner-2"], "lost_seconds": 15}
    ends = replace(known.reports[0], learners=(LearnerEnd(1, 75),))
    end = judge(job(), replace(known, status=status, reports=(ends, known.reports[1])))
    assert end.reason is Reason.HOST_LOST


def test_of_two_faults_that_have_nothing_to_do_with_each_other_both_are_reported() -> None:
    both = facts(step(1, 1), ranks={"1.0": 3, "1.1": 0})
    torn = replace(FULL, ranks={"1.2": 0, "1.3": 0}, failure=Reason.SYSTEM, what="the mount is gone")
    end = judge(job(), replace(both, reports=(both.reports[0], torn)))
    assert (end.reason, end.what) == (Reason.PROGRAM_FAILED, f"{FAILED}; and p100-02: the mount is gone")


def test_a_run_that_was_ended_because_nothing_could_be_stored_tells_that() -> None:
    gave_up = (Reason.BUCKET_WRITE.value, "no upload has succeeded for 60 s", "connection refused")
    end = judge(job(), facts(step(1, 143, why="stopped"), gave_up=gave_up))
    assert (end.reason, end.what) == (Reason.BUCKET_WRITE, "p100-01: no upload has succeeded for 60 s")
    assert (end.evidence, "toolkit doctor" in end.hint) == ("connection refused", True)


@pytest.mark.parametrize(
    ("known", "word"),
    [
        (facts(), ""),
        (facts(step(1, 1), ranks=ALL_RANKS | {"1.0": 3}), FAILED),
        (facts(step(1, 143, why="stopped"), stopped_by="ada@desk"), "stopped by ada@desk"),
    ],
)
def test_what_went_wrong_is_known_before_anything_is_stored(known: Facts, word: str) -> None:
    assert first_word(job(), known) == word


@pytest.mark.parametrize(
    ("own", "word"),
    [
        ({"1.0": 0, "1.1": 0}, ""),
        ({"1.0": 3, "1.1": 0}, FAILED),
        ({"1.0": 0}, f"{COMMAND_1}: no exit status from rank 1 (killed, or never started)"),
    ],
)
def test_before_the_other_hosts_have_reported_their_ranks_are_taken_to_be_well(own: dict[str, int], word: str) -> None:
    alone = facts(step(1, 1 if word else 0), *(() if word else (step(2),)), reports=(HostReport(0, (), own),))
    assert first_word(job(), alone) == word


def stopped(*reports: HostReport) -> Facts:
    return facts(
        step(1, 143, why="stopped"),
        ranks=ALL_RANKS | {"1.0": 143},
        stopped_by="ada@desk",
        **({"reports": reports} if reports else {}),
    )


def test_a_stop_is_no_fault_and_tells_who_asked() -> None:
    assert judge(job(), stopped()) == End(Reason.STOPPED, "stopped by ada@desk; its results are in the bucket")


def test_a_stop_whose_results_were_not_stored_has_the_stores_code() -> None:
    end = judge(job(), stopped(HostReport(0), FULL))
    assert (end.reason, end.error_code, end.kept, end.evidence) == (Reason.STOPPED, "S303", ("p100-02",), "507")
    assert end.what == "stopped by ada@desk; not all results are in the bucket: p100-02: 3 files could not be stored"


def test_a_stop_does_not_claim_what_a_silent_host_has_not_reported() -> None:
    end = judge(job(), stopped(HostReport(0)))
    assert (end.reason, end.error_code, end.kept, end.hint) == (Reason.STOPPED, "S100", ("p100-02",), RESCUE)
    assert end.what == "stopped by ada@desk; p100-02 has not reported that all its results are in the bucket"


def test_a_stop_that_came_when_all_was_done_changes_nothing() -> None:
    assert judge(job(), facts(stopped_by="ada@desk")).reason is Reason.COMPLETED


def test_a_step_that_a_stranger_ended_has_failed() -> None:
    end = judge(job(), facts(step(1, 143, why="stopped"), ranks=ALL_RANKS | {"1.0": 143}))
    assert (end.reason, end.what.rpartition(": ")[2]) == (
        Reason.PROGRAM_FAILED,
        "learner-1 on p100-01 was stopped by someone unknown; rank 0 exited with status 143 (SIGTERM) on p100-01",
    )


@pytest.mark.parametrize(
    ("why", "reason"),
    [("time limit", Reason.TIME_LIMIT), ("no progress", Reason.NO_PROGRESS), ("stopped", Reason.STOPPED)],
)
@pytest.mark.parametrize("steps", [[step(1)], [step(1), step(2)]])
def test_a_program_that_ends_with_0_because_it_was_stopped_is_not_complete(
    steps: list[dict[str, Any]], why: str, reason: Reason
) -> None:
    ended = facts(*steps[:-1], steps[-1] | {"why": why}, stopped_by="ada@desk" if why == "stopped" else "")
    assert judge(job(), ended).reason is reason


def test_on_the_operators_own_machine_no_host_is_named() -> None:
    here = HostReport(0, (LearnerEnd(1, 0), LearnerEnd(2, 0)), ALL_RANKS | {"1.3": 3})
    end = judge(job(("",)), facts(step(1, 1), reports=(here,)))
    assert end.what == "command 1 of 2, `python train.py`: rank 3 exited with status 3"
    lost = judge(job(("",)), facts(reports=()))
    assert (lost.what.partition(":")[0], lost.kept) == ("this machine is lost", ("this machine",))


def test_ranks_belong_to_steps_that_run_on_every_rank() -> None:
    known = facts(ranks={"1.0": 0, "1.2": 5})
    assert rank_statuses(job(), known, step(1)) == [0, None, 5, None]
    assert rank_statuses(job(), known, step(2)) == []


NODE_STEPS = (StepSpec(1, "python train.py", "node"), StepSpec(2, "python transform.py", "one"))


def test_a_step_that_runs_once_on_each_learner_is_judged_by_its_learners() -> None:
    each = job(steps=NODE_STEPS)
    well = facts(
        reports=(HostReport(0, (LearnerEnd(1, 0),), {"1.0": 0}), HostReport(1, (LearnerEnd(2, 0),), {"1.1": 0}))
    )
    assert rank_statuses(each, well, step(1)) == [0, 0]
    assert judge(each, well).reason is Reason.COMPLETED
    missing = replace(well, reports=(well.reports[0], replace(well.reports[1], ranks={})))
    assert judge(each, missing).what.endswith(": no exit status from learner 2 (killed, or never started)")


@pytest.mark.parametrize(
    ("about", "report", "reason", "said"),
    [
        ({}, {"ranks": {"1.1": 3}}, Reason.PROGRAM_FAILED, "learner 2 exited with status 3 on p100-02"),
        (
            {},
            {"ranks": {"1.1": 69}, "without_gpu": ("1.1",)},
            Reason.GPU,
            "learner 2 on p100-02 sees fewer GPUs than its learner was given",
        ),
        (
            {"why": "start deadline", "missing_ranks": [1], "limit": 60},
            {},
            Reason.START_DEADLINE,
            "learner-2 on p100-02 did not start within 60 s",
        ),
    ],
)
def test_what_went_wrong_on_a_learner_names_it(
    about: dict[str, Any], report: dict[str, Any], reason: Reason, said: str
) -> None:
    reports = (HostReport(0, (LearnerEnd(1, 0),), {"1.0": 0}), HostReport(1, (LearnerEnd(2, 0),), **report))
    end = judge(job(steps=NODE_STEPS), facts(step(1, 1, **about), reports=reports))
    assert (end.reason, end.what) == (reason, f"command 1 of 2, `python train.py`: {said}")


def test_memory_that_ran_out_on_a_learner_names_no_rank() -> None:
    first = HostReport(0, (LearnerEnd(1, 0),), {"1.0": 0})
    second = HostReport(1, (LearnerEnd(2, 0, oom=True),), {"1.1": 137})
    end = judge(job(steps=NODE_STEPS), facts(step(1, 137), reports=(first, second)))
    assert end.what == "learner-2 on p100-02 reached its memory limit"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "status 0"),
        (128, "status 128"),
        (129, "status 129 (SIGHUP)"),
        (139, "status 139 (SIGSEGV)"),
        (160, "status 160"),
        (192, "status 192 (SIGRTMAX)"),
        (193, "status 193"),
        (255, "status 255"),
    ],
)
def test_a_signal_has_a_name(status: int, words: str) -> None:
    assert status_words(status) == words


def test_a_rank_that_did_not_find_its_gpu_is_a_fault_of_its_host() -> None:
    ranks = ALL_RANKS | {"1.2": 69, "1.3": 69}
    wrong = facts(step(1, 1), ranks=ranks)
    report = replace(wrong.reports[1], without_gpu=("1.2", "1.3"))
    end = judge(job(), replace(wrong, reports=(wrong.reports[0], report)))
    said = "rank 2 on p100-02, rank 3 on p100-02 sees fewer GPUs than its learner was given"
    assert (end.reason, end.error_code) == (Reason.GPU, "S100")
    assert end.what == f"command 1 of 2, `python train.py`: {said}"
    assert "toolkit doctor" in end.hint
    assert judge(job(), wrong).reason is Reason.PROGRAM_FAILED, "a program may end with 69 by itself"


def test_a_machine_may_rely_on_the_reasons_their_states_and_codes() -> None:
    assert {reason.value: (reason.state, reason.code) for reason in Reason} == {
        "completed": ("COMPLETED", ""),
        "stopped": ("HALTED", ""),
        **dict.fromkeys(("program failed", "out of memory", "time limit", "no progress"), ("FAILED", "C201")),
        **dict.fromkeys(("ranks diverged", "tampered", "out of processes"), ("FAILED", "C201")),
        **dict.fromkeys(
            ("host lost", "start deadline", "lease", "system", "gpu missing", "forged report"), ("FAILED", "S100")
        ),
        "image": ("FAILED", "S103"),
        "bucket read": ("FAILED", "S302"),
        **dict.fromkeys(("bucket write", "bucket credentials", "bucket full"), ("FAILED", "S303")),
    }
