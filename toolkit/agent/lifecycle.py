"""One run on one host, supervised by its agent: wait for learners, store results, determine the outcome, report."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.agent.container_names import buckets_container
from toolkit.agent.docker_api import DockerApi, EngineRefused
from toolkit.agent.end_reasons import End, Reason
from toolkit.agent.event_stream import parse_line
from toolkit.agent.facts import Facts, HostReport, LearnerEnd
from toolkit.agent.flush import NotStored, flush
from toolkit.agent.gpu_readings import GpuReadings
from toolkit.agent.host_reports import Reports
from toolkit.agent.host_samples import EVERY, HostSamples, put_samples
from toolkit.agent.host_stages import Stopwatch, with_own
from toolkit.agent.job_spec import Job
from toolkit.agent.learners import Learners
from toolkit.agent.metrics import read_metrics
from toolkit.agent.outcome import first_word, judge
from toolkit.agent.paths import CHECKPOINTS, GO, HOST, LOGS, OUTPUT, STOP, VIEWS, WEIGHTS
from toolkit.agent.process_limit import CROWDED
from toolkit.agent.ranks import RankEnds, read_ranks
from toolkit.agent.requests import stopped_by
from toolkit.agent.run_checksums import gathered, own_list, run_list
from toolkit.agent.run_document import completed, document_bytes, key_for
from toolkit.agent.run_state import RunState, ended
from toolkit.agent.service import BucketClient
from toolkit.agent.status import read_status
from toolkit.agent.step_results import step_result
from toolkit.agent.untrusted import NotRegular, Replacements, read_tail
from toolkit.agent.upload_progress import Waiting
from toolkit.agent.weights import put_weights

_POLL_SECONDS = 0.25
_ASK_SECONDS = 3.0
_LAST_LINES = 15
_TAIL_BYTES = 1 << 16
_LINGER_SECONDS = 5.0
_ROOM = 1 << 20
"""Bytes; a disk with less free space counts as full."""
_SURE_SECONDS = 10
"""Seconds, for a store that was already waited for."""
UNHEARD = 71
"""A learner's exit status if it has not heard learner 1 for too long (`learner.entry.sh.j2`)."""


class RunLifecycle:
    """One run on this host. `run` does everything; it returns whether the run's volume must be kept."""

    def __init__(self, job: Job, engine: DockerApi) -> None:
        self._job, self._engine = job, engine
        self._bucket = BucketClient()
        self._state = RunState(job.record)
        self._reports = Reports(job, self._bucket)
        self._found = Replacements()
        self._learners = Learners(job, engine, self._bucket, self._state.waiting, self._found)
        gpus = GpuReadings([one.container for one in job.here], engine, EVERY)
        self._samples = HostSamples(job, self._bucket.traffic, self._learners.usage, gpus)
        self._times = Stopwatch()
        self._kept = False
        self._where = f"into {job.place}"

    def run(self) -> bool:
        """From the start signal to the end. An error of this tool also ends the run and its learners."""
        try:
            if self._job.rescue:
                self._rescue()
            else:
                self._see_through()
        except Exception as error:
            self._failed(error)
        self._linger()
        return self._kept

    def _see_through(self) -> None:
        self._state.enter("PROCESSING", "the ranks' output follows, each line with its rank")
        if self._job.leads:
            self._reports.begin(self._state.record)
        Path(GO).touch()
        with self._samples.taken():
            with self._times.stage("processing"):
                self._learners.wait()
                ends = self._learners.ends()
            if any(end.exit_status == UNHEARD for end in ends):
                self._state.results(unheard=True)
            self._state.enter("STORING", self._first_word(ends) or self._where)
            mine = self._store(ends)
        if self._job.leads:
            self._finish(mine)
        elif not self._reports.tell(mine):
            self._kept = True  # nobody has heard that everything is stored: this host is considered lost, and inspected

    def _failed(self, error: Exception) -> None:
        job, said = self._job, traceback.format_exc()
        self._kept = True
        what = f"the agent on {job.name} failed: {error!r}"
        if not job.leads:
            self._reports.tell(HostReport(job.host, failure=Reason.SYSTEM, what=what, evidence=said))
            return
        self._state.end(End(Reason.SYSTEM, what, said, f"toolkit rescue {job.run}", (job.name,)))
        if not job.rescue:
            self._reports.publish(self._state.record)

    def _rescue(self) -> None:
        """Results that an earlier agent could not store are in the volume: mounted again, they are uploaded."""
        self._state.enter("STORING", self._where)
        mine = self._store(())
        self._state.results(checksums=mine.checksums)
        if mine.failure:
            kept = () if mine.unstorable else (self._job.name,)
            self._state.end(End(Reason(mine.failure), mine.what, mine.evidence, kept=kept))
        else:
            self._state.end(End(Reason.COMPLETED, f"the results kept on {self._job.name} are in {self._job.kept_in}"))

    def _first_word(self, learners: tuple[LearnerEnd, ...]) -> str:
        """The error so far, reported before steps that may take long; ranks elsewhere are not known yet."""
        return first_word(self._job, self._facts((self._report(learners),))) if self._job.leads else ""

    def _facts(self, reports: tuple[HostReport, ...]) -> Facts:
        error = self._learners.gave_up
        gave_up = (error.reason.value, error.what, error.evidence) if error else None
        status, last = dict[str, Any](), ""
        with self._found.noting():
            status = read_status(Path(LOGS), self._job)
        with self._found.noting():
            last = last_lines(Path(OUTPUT))
        mine = tuple(
            replace(report, found=self._found.what) if report.host == self._job.host else report for report in reports
        )
        return Facts(status, mine, stopped_by(Path(STOP)), last, gave_up, self._reports.forged)

    def _store(self, learners: tuple[LearnerEnd, ...]) -> HostReport:
        """Wait until everything is uploaded, store the logs, compare folder and bucket."""
        job, report = self._job, self._report(learners)
        last_report = time.monotonic()

        def on_state(waiting: Waiting) -> None:
            nonlocal last_report
            self._state.waiting(waiting)
            if not job.leads and time.monotonic() - last_report > _ASK_SECONDS:
                last_report = time.monotonic()
                self._reports.tell(replace(report, final=False, full=False), note=str(waiting))

        try:
            report = replace(report, checksums=self._store_all(on_state))
        except (NotStored, OSError) as error:
            failure = error if isinstance(error, NotStored) else NotStored(Reason.SYSTEM, str(error))
            self._kept = not failure.final
            evidence = failure.evidence
            with suppress(EngineRefused):
                evidence = evidence or self._engine.output(buckets_container(job.run))
            report = replace(
                report, failure=failure.reason, what=failure.what, evidence=evidence, unstorable=failure.final
            )
        return replace(report, found=self._found.what, stages=self._times.taken)

    def _store_all(self, on_state: Callable[[Waiting], None]) -> str:
        """Store everything; returns the SHA-256 of the list of checksums, empty if there is none.

        Raises `NotStored`. Files that can never be stored do not keep others from being stored.
        """
        never = None
        try:
            with self._times.stage("uploading"):
                flush(self._bucket, _SURE_SECONDS if self._learners.gave_up else self._job.store, on_state)
        except NotStored as error:
            if not error.final:
                raise
            never = error
        with self._times.stage("verifying"):
            return self._verify(never)

    def _verify(self, never: NotStored | None) -> str:
        """Store logs and samples, compare folder and bucket, store the checksums; `never` is what cannot be stored."""
        job = self._job
        replaced = self._bucket.put_logs()
        for what in replaced:
            self._found.add(what)
        if job.leads and not replaced:
            put_weights(self._bucket, job, Path(WEIGHTS), self._found)
        self._samples.take()  # a last one: of a short run the only one
        put_samples(self._bucket, job)
        if never:
            raise never
        said = self._bucket.differences(job.run, shared=len(job.hosts) > 1)
        said += self._bucket.differences(CHECKPOINTS)
        if said:
            raise NotStored(Reason.BUCKET_WRITE, "folder and bucket differ", said)
        if others := self._bucket.unstorable():
            what = f"a bucket has regular files only: {', '.join(others)}"
            raise NotStored(Reason.BUCKET_WRITE, what, final=True)
        return "" if replaced else self._bucket.put_checksums(own_list(job))

    def _report(self, learners: tuple[LearnerEnd, ...]) -> HostReport:
        ranks = read_ranks(Path(LOGS) / "ranks", self._found)
        learners = tuple(with_process_limit(self._job, one, ranks) for one in learners)
        return HostReport(
            self._job.host,
            learners,
            ranks.statuses,
            full=shutil.disk_usage(HOST).free < _ROOM,
            times=ranks.times,
            without_gpu=ranks.without_gpu,
            found=self._found.what,
        )

    def _finish(self, mine: HostReport) -> None:
        """On learner 1's host only: collect the other hosts' reports, determine the outcome, publish the record."""
        job = self._job
        with self._times.stage("collecting"):
            reports = (mine, *self._reports.of_others(self._unheard, patient=not mine.failure))
            lists = gathered(self._bucket, job, reports)
        stages = {report.host: report.stages for report in reports} | {job.host: self._times.taken}
        facts = self._facts(lists.reports)
        count, size = (0, 0) if mine.failure else self._bucket.size()
        metrics = {} if mine.failure else read_metrics(self._bucket.get(f"{job.run}/metrics.json", 64 << 10))
        self._state.results(
            steps=[step_result(job, facts, step) for step in facts.status.get("steps", [])],
            stored_files=count,
            stored_bytes=size,
            metrics=self._state.record.get("metrics", {}) | metrics,
            checksums=lists.checksums,
            host_stages=with_own(job.hosts, job.record.get("host_stages", ()), stages),
        )
        end, at = judge(job, facts), time.time()
        if not mine.failure or mine.unstorable:  # else a rescue stores it with the rest
            self._put_document(ended(self._state.record, end, at), lists.disputed)
        self._state.end(end, at)
        self._publish()

    def _put_document(self, record: dict[str, Any], disputed: frozenset[str]) -> None:
        """Store the public record, before anyone hears of the end. Without it the results are no less complete."""
        if self._job.document:
            sums = run_list(self._bucket, self._job.run, record["checksums"])
            document = completed(self._job.run, self._job.document, record, sums, disputed)
            self._bucket.put(key_for(self._job.run, sums.keys() | disputed), document_bytes(document))

    def _publish(self) -> None:
        """A record that is not in the bucket is in the volume, which is kept: a rescue publishes it."""
        if not self._reports.publish(self._state.record):
            self._kept = True
            kept = dict.fromkeys((*self._state.record["kept"], self._job.name))
            self._state.results(kept=list(kept), hint=f"toolkit rescue {self._job.run}")

    def _unheard(self, hosts: tuple[int, ...]) -> None:
        self._state.results(silent=[self._job.hosts[number] for number in hosts])

    def _linger(self) -> None:
        """Let followers see the end."""
        until = time.monotonic() + _LINGER_SECONDS
        while time.monotonic() < until and Path(VIEWS).is_dir() and any(Path(VIEWS).iterdir()):
            time.sleep(_POLL_SECONDS)


def with_process_limit(job: Job, end: LearnerEnd, ranks: RankEnds) -> LearnerEnd:
    """With the process limit that the learner reports as reached, by its exit status or its ranks'."""
    mine = {
        f"{step.number}.{process}"
        for step in job.steps
        for process, learner in job.processes(step.number).items()
        if learner.number == end.number
    }
    met = max((limit for name, limit in ranks.crowded.items() if name in mine), default=0)
    if not met and end.number != 1 and end.exit_status == CROWDED:
        met = -1
    return replace(end, processes=end.processes or met)


def last_lines(output: Path, count: int = _LAST_LINES) -> str:
    """The last complete lines of the run's output, without their times. Raises `NotRegular`."""
    try:
        tail, cut = read_tail(output.parent, output.name, _TAIL_BYTES)
    except NotRegular:
        raise
    except OSError:
        return ""
    whole = tail.split(b"\n")[1 if cut else 0 : -1]
    return "\n".join(parse_line(line, 0)["line"] for line in whole[-count:])
