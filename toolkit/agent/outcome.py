"""Determines how a run ended, from the reports of supervisor, engines, hosts and bucket. Pure.

mpirun's exit status is never trusted alone: Open MPI 5.0 has exited with 0 after losing a host.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from toolkit.agent.end_reasons import BUCKET_REASONS, End, Reason
from toolkit.agent.facts import Facts, HostReport, LearnerEnd
from toolkit.agent.job_spec import Job, LearnerSpec
from toolkit.agent.process_limit import MORE_PROCESSES
from toolkit.agent.status import why_diverged

T = TypeVar("T")
_FIRST_SIGNAL = 129
_LAST_SIGNAL = 128 + 64
_OWN_KEYS = "Give them keys, or a folder, of their own"
_NOT_STARTED = (126, 127)
"""A shell's exit statuses for a program that it cannot run or find."""


def judge(job: Job, facts: Facts) -> End:
    """How the run ended, the first that applies: stopped, host lost, deadline, memory, ranks, program, storing."""
    end, untold = next(_ends(job, facts), None), _untold(job, facts)
    failed = next((report for report in facts.reports if report.failure), None)
    is_stop, stopped = end is not None and end.reason is Reason.STOPPED, f"stopped by {facts.stopped_by}"
    if failed is None and not untold:
        if end is None:
            return End(Reason.COMPLETED, f"all commands exited with 0; all results verified in {job.kept_in}")
        return replace(end, what=f"{stopped}; its results are in {job.kept_in}") if is_stop else end
    keeping = {report.host for report in facts.reports if report.failure and not report.unstorable} | untold
    kept = tuple(job.host_name(number) for number in range(len(job.hosts)) if number in keeping)
    if failed is None:
        assert end is not None  # a host that has not reported is lost
        if is_stop:
            what = f"{stopped}; {', '.join(kept)} has not reported that all its results are in {job.kept_in}"
            return End(Reason.STOPPED, what, "", _look_at(job), kept, Reason.HOST_LOST.code)
        return replace(end, kept=kept)
    rescue = f"its results are still on {', '.join(kept)}; fix the store, then: toolkit rescue {job.run}"
    rescue = rescue if kept else f"everything else is in {job.kept_in}; log: toolkit logs {job.run}"
    failure = _at(job, failed.host, failed.what)
    what = f"not all results are in {job.kept_in}: {failure}"
    if end is None:
        return End(Reason(failed.failure), what, failed.evidence, rescue, kept)
    if is_stop:
        return End(Reason.STOPPED, f"{stopped}; {what}", failed.evidence, rescue, kept, Reason(failed.failure).code)
    if end.reason is Reason.PROGRAM_FAILED and Reason(failed.failure) in BUCKET_REASONS:
        # A program fails if it cannot write: the store's error comes first, because it must be fixed first.
        return End(Reason(failed.failure), f"{failure}; and {end.what}", failed.evidence, rescue, kept)
    return End(end.reason, f"{end.what}; and {failure}", end.evidence, rescue, kept)


def first_word(job: Job, facts: Facts) -> str:
    """The error that is known before anything is stored, in a sentence; empty if there is none.

    Ranks on other hosts are assumed to have succeeded: their reports are not known yet.
    """
    everywhere = [
        (at.host, f"{one.number}.{key}") for one in job.steps for key, at in job.processes(one.number).items()
    ]
    others = tuple(
        HostReport(host, ranks={name: 0 for at, name in everywhere if at == host})
        for host in range(len(job.hosts))
        if host != job.host
    )
    end = next(_ends(job, replace(facts, reports=(*facts.reports, *others))), None)
    if end is None:
        return ""
    return end.what or f"stopped by {facts.stopped_by}"


def _ends(job: Job, facts: Facts) -> Iterator[End]:
    """The errors of the run itself, the most significant first."""
    steps = facts.status.get("steps", [])
    whole = len(steps) == len(job.steps) and all(_step_ok(job, facts, step) for step in steps)
    if facts.stopped_by and not whole:
        yield End(Reason.STOPPED, "")
    if facts.gave_up and not whole:
        reason, what, evidence = facts.gave_up
        hint = f"can the host reach the store? toolkit doctor; full log: toolkit logs {job.run}"
        yield End(Reason(reason), _at(job, job.host, what), evidence, hint)
    yield from _tampered(job, facts)
    yield from _out_of_processes(job, facts, whole)
    yield from _lost(job, facts)
    if silent := facts.status.get("silent_learners"):
        hosts = ", ".join(_where(job, learner) for learner in job.learners if learner.hostname in silent)
        seconds = facts.status.get("start_deadline")
        yield End(Reason.START_DEADLINE, f"{hosts} did not answer within {seconds} s", facts.last_lines)
    yield from _out_of_memory(job, facts, whole)
    for step in steps:
        if step.get("exit_status") is not None and not _step_ok(job, facts, step):
            yield _step_failed(job, facts, step)
    if whole:
        yield from _contradicted(job, facts)
    else:  # the supervisor could not record how the last step ended
        first = _first_learner(facts)
        how = status_words(first.exit_status) if first and first.exit_status is not None else "gone"
        where = _where(job, job.learners[0])
        if not steps and first and first.exit_status in _NOT_STARTED:
            hint = "the image needs /usr/bin/python3, /bin/bash and sshd; images from toolkit build have them"
            yield End(Reason.IMAGE, f"{where} cannot run what a learner needs ({how})", facts.last_lines, hint)
        yield End(Reason.HOST_LOST, f"{where} ended ({how}) before all commands had run", facts.last_lines)


def _tampered(job: Job, facts: Facts) -> Iterator[End]:
    if facts.forged:
        what = f"a report in {job.kept_in} was not written by an agent of this run: {', '.join(facts.forged)}"
        yield End(Reason.FORGED, what, facts.last_lines, f"who may write to {job.kept_in}? {_OWN_KEYS}")
    if found := [f"{one}{_on(job, report.host)}" for report in facts.reports for one in report.found]:
        what = f"the program replaced the run's own files: {'; '.join(found)}"
        yield End(Reason.TAMPERED, what, facts.last_lines, "programs must not use /run/logs")


def _contradicted(job: Job, facts: Facts) -> Iterator[End]:
    """The status file reports success although its writer, the supervisor, has failed: someone else wrote it."""
    first = _first_learner(facts)
    if first and first.exit_status:
        ended = f"{_where(job, job.learners[0])} ended with {status_words(first.exit_status)}"
        what = f"{ended}, but its status file says that every command exited with 0"
        yield End(Reason.TAMPERED, what, facts.last_lines, f"full log: toolkit logs {job.run}")


def _lost(job: Job, facts: Facts) -> Iterator[End]:
    lost = [learner for learner in job.learners if learner.hostname in facts.status.get("lost_learners", [])]
    if lost:
        seconds = facts.status.get("lost_seconds")
        yield End(
            Reason.HOST_LOST,
            f"{', '.join(_where(job, one) for one in lost)} is lost: no answer for {seconds} s",
            facts.last_lines,
            _look_at(job),
        )
    if untold := _untold(job, facts):
        hosts = ", ".join(map(job.host_name, sorted(untold)))
        what = f"{hosts} is lost: it has not reported that all its results are in {job.kept_in}"
        yield End(Reason.HOST_LOST, what, facts.last_lines, _look_at(job))


def _untold(job: Job, facts: Facts) -> set[int]:
    """The numbers of the hosts without a final report: nobody knows what they still hold."""
    return set(range(len(job.hosts))) - {report.host for report in facts.reports}


def _look_at(job: Job) -> str:
    return f"check the host (toolkit doctor); recover its results with: toolkit rescue {job.run}"


def _out_of_memory(job: Job, facts: Facts, whole: bool) -> Iterator[End]:
    met = {one.number for one in _learner_ends(facts) if one.oom}
    learners = [learner for learner in job.learners if learner.number in met]
    if learners and not whole:
        ranks = [
            str(rank)
            for rank, learner in job.processes(1).items()
            for report in facts.reports
            if learner in learners and report.host == learner.host
            if report.ranks.get(f"1.{rank}") not in (0, None)
        ]
        whose = f", rank {', '.join(ranks)}" if ranks and job.noun(1) == "rank" else ""
        where = ", ".join(_where(job, one) for one in learners)
        hint = "raise the memory limit in the manifest, or use less memory"
        yield End(Reason.OUT_OF_MEMORY, f"{where}{whose} reached its memory limit", facts.last_lines, hint)


def _out_of_processes(job: Job, facts: Facts, whole: bool) -> Iterator[End]:
    """Checked before its consequences: a learner that cannot start a process can neither answer nor exit cleanly."""
    said = facts.status.get("processes_met")  # by learner 1's supervisor
    first = (LearnerEnd(1, processes=said if isinstance(said, int) else 0),)
    met = {one.number: one.processes for one in (*first, *_learner_ends(facts)) if one.processes}
    learners = [learner for learner in job.learners if learner.number in met]
    if learners and not whole:
        limits = {met[learner.number] for learner in learners} - {-1}
        limit = f" of {', '.join(map(str, sorted(limits)))}" if limits else " of"
        where = ", ".join(_where(job, one) for one in learners)
        what = f"{where} met its limit{limit} processes and threads"
        yield End(Reason.OUT_OF_PROCESSES, what, facts.last_lines, MORE_PROCESSES)


def _step_ok(job: Job, facts: Facts, step: Mapping[str, Any]) -> bool:
    """A program that was stopped may exit with 0, but it did not run to completion."""
    ended_by_itself = step.get("exit_status") == 0 and not step.get("why") and not why_diverged(step)
    return ended_by_itself and all(status == 0 for status in rank_statuses(job, facts, step))


def _step_failed(job: Job, facts: Facts, step: Mapping[str, Any]) -> End:
    name = f"command {step['number']} of {len(job.steps)}, `{step['command']}`"
    why = step.get("why")
    hint = f"full log: toolkit logs {job.run}"
    if why_not := why_diverged(step):
        hint = f"{hint}; list variables that are meant to differ in DDL_GUARD_EXCLUDE"
        return End(Reason.RANKS_DIVERGED, f"{name}: {why_not}", facts.last_lines, hint)
    if why == "start deadline":
        late, processes = step.get("missing_ranks", []), job.processes(step["number"])
        missing = [one for one in job.learners if any(processes.get(process) is one for process in late)]
        where = ", ".join(_where(job, one) for one in missing) or "mpirun"
        what = f"{name}: {where} did not start within {step.get('limit')} s"
        return End(Reason.START_DEADLINE, what, facts.last_lines, hint)
    if why == "time limit":
        return End(
            Reason.TIME_LIMIT, f"{name} exceeded its time limit of {step.get('limit')} s", facts.last_lines, hint
        )
    if why == "no progress":
        what = f"{name}: no rank has printed a line for {step.get('limit')} s"
        return End(Reason.NO_PROGRESS, what, facts.last_lines, hint)
    if where := _without_gpu(job, facts, step):
        hint = "check the host: toolkit doctor; without GPUs, frameworks silently train on the CPU"
        return End(Reason.GPU, f"{name}: {where} sees fewer GPUs than its learner was given", facts.last_lines, hint)
    how = _how_it_ended(job, step, rank_statuses(job, facts, step))
    if why == "stopped":
        how = f"{_where(job, job.learners[0])} was stopped by someone unknown; {how}"
    if full := [job.host_name(report.host) for report in facts.reports if report.full]:
        how += f"; the disk of the engine's volumes is full on {', '.join(full)}"
    return End(Reason.PROGRAM_FAILED, f"{name}: {how}", facts.last_lines, hint)


def rank_statuses(job: Job, facts: Facts, step: Mapping[str, Any]) -> list[int | None]:
    """The exit status of each process of a step (see `Job.processes`); None if it left none."""
    return _of_processes(job, step, [report.ranks for report in facts.reports])


def rank_times(job: Job, facts: Facts, step: Mapping[str, Any]) -> list[tuple[float, float] | None]:
    """When each process of a step started and ended it (seconds since 1970); None if one did not."""
    return _of_processes(job, step, [report.times for report in facts.reports])


def _of_processes(job: Job, step: Mapping[str, Any], reported: Iterable[Mapping[str, T]]) -> list[T | None]:
    known = {key: value for one in reported for key, value in one.items()}
    return [known.get(f"{step['number']}.{process}") for process in sorted(job.processes(step["number"]))]


def _without_gpu(job: Job, facts: Facts, step: Mapping[str, Any]) -> str:
    """The ranks (or learners) of a step that did not find their GPU; empty if all did."""
    number, found = step["number"], {key for report in facts.reports for key in report.without_gpu}
    without = [process for process in sorted(job.processes(number)) if f"{number}.{process}" in found]
    return ", ".join(_named(job, number, process) for process in without)


def _how_it_ended(job: Job, step: Mapping[str, Any], statuses: Sequence[int | None]) -> str:
    """`rank 1 exited with status 3`, for the first process that failed."""
    number = step["number"]
    wrong = [(process, status) for process, status in enumerate(statuses) if status]
    if wrong:
        return ", ".join(_named(job, number, process, f" exited with {status_words(one)}") for process, one in wrong)
    missing = [process for process, status in enumerate(statuses) if status is None]
    if missing:
        first = 0 if job.noun(number) == "rank" else 1
        names = ", ".join(str(process + first) for process in missing)
        return f"no exit status from {job.noun(number)} {names} (killed, or never started)"
    status = step.get("exit_status")
    return "it did not run to completion" if status is None else f"exit status {status}"


def status_words(status: int) -> str:
    """`status 137 (SIGKILL)`."""
    if _FIRST_SIGNAL <= status <= _LAST_SIGNAL:
        try:
            return f"status {status} ({signal.Signals(status - 128).name})"
        except ValueError:
            pass
    return f"status {status}"


def _named(job: Job, number: int, process: int, what: str = "") -> str:
    """`rank 3 on p100-02`, or `learner 2 on p100-02` if the step runs once on each; `what` is put in between."""
    learner = job.processes(number)[process]
    name = f"learner {learner.number}" if job.noun(number) == "learner" else f"rank {process}"
    return f"{name}{what}{_on(job, learner.host)}"


def _where(job: Job, learner: LearnerSpec) -> str:
    """`learner-2 on p100-02`, or only the learner on the operator's own machine."""
    return f"{learner.hostname}{_on(job, learner.host)}"


def _at(job: Job, host: int, what: str) -> str:
    """`p100-02: the mount is gone`; on the operator's own machine without a name."""
    return f"{job.hosts[host]}: {what}" if 0 <= host < len(job.hosts) and job.hosts[host] else what


def _on(job: Job, host: int) -> str:
    return f" on {job.hosts[host]}" if 0 <= host < len(job.hosts) and job.hosts[host] else ""


def _learner_ends(facts: Facts) -> Iterable[LearnerEnd]:
    return (one for report in facts.reports for one in report.learners)


def _first_learner(facts: Facts) -> LearnerEnd | None:
    return next((one for one in _learner_ends(facts) if one.number == 1), None)
