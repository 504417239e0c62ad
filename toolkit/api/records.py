"""The records of runs that were launched from this machine, brought up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from toolkit.errors import Code, ToolkitError
from toolkit.hosts.parallel import Job, do_all
from toolkit.paths import home
from toolkit.run.plan.training_id import TrainingId
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records

_AT_ONCE = 8


@dataclass(frozen=True)
class RunList:
    """Runs, the newest first; `unreadable` says by training ID why a record could not be read."""

    runs: tuple[Record, ...]
    unreadable: Mapping[TrainingId, ToolkitError]


def find_run(training_id: str | None = None) -> Record:
    """A run's current record; the newest run's by default.

    `training_id` may be its first characters, and its `training-` may be left out.

    Raises:
        ToolkitError: C101 if no run, or more than one, matches.

    Example:
        >>> api.find_run().state
    """
    records = Records(home())
    newest = records.newest()
    if not training_id and not newest:
        raise ToolkitError(Code.MANIFEST, "no runs are recorded here yet", hint="toolkit launch MANIFEST")
    return _current(records.find(training_id or newest[0]), records)


def list_runs(*, active: bool = False) -> RunList:
    """The current records of runs launched from here; with `active`, only those that have not ended.

    Example:
        >>> [run.training_id for run in api.list_runs(active=True).runs]
    """
    records = Records(home())
    found = list(records.each())
    unreadable = {training_id: why for training_id, why in found if isinstance(why, ToolkitError)}
    known = [one for _, one in found if isinstance(one, Record) and not (active and one.final)]
    jobs = [Job(record.training_id, partial(_current, record, records)) for record in known if not record.final]
    answers = {answer.host: answer.value for answer in do_all(jobs, at_once=_AT_ONCE)} if jobs else {}
    return RunList(tuple(answers.get(record.training_id) or record for record in known), unreadable)


def _current(record: Record, records: Records) -> Record:
    """The record as its agent or bucket has it now; reading clusters and buckets is imported only for a run that has
    not ended."""
    if record.final:
        return record
    from toolkit.run.records.reconcile import refreshed

    return refreshed(record, records)
