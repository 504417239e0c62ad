"""Runs that were launched from this machine: follow, stop, rescue, clean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from toolkit.api.records import find_run
from toolkit.cluster.reader import read_cluster
from toolkit.errors import Code, ToolkitError
from toolkit.paths import assets, home
from toolkit.progress import Progress, Report, silent
from toolkit.run.finish.clean import Cleaned, clean
from toolkit.run.finish.force import force_stop
from toolkit.run.finish.rescue import rescue
from toolkit.run.follow.agent_client import AgentClient, Presence
from toolkit.run.follow.connect import cluster_of, reached, stored_run
from toolkit.run.follow.events import Beat, Events, Gone, Line, Silence
from toolkit.run.follow.follow import Detached, Watch, Watched, stop, this_person
from toolkit.run.follow.view import Choice, SilentView, View
from toolkit.run.launch.errors import raise_for
from toolkit.run.launch.launcher_process import interrupt, lives
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records
from toolkit.storage.embedded_server import remove_store


def follow(run: str | Record, *, view: View | None = None) -> Record:
    """Follow a run to its end, from its first line; returns its record.

    The view (default: shows nothing) may detach: then the record is not final, and the run continues.

    Raises:
        ToolkitError: if the run FAILED.

    Example:
        >>> api.follow("training-9itkb8gw").state
    """
    record = _record(run)
    if not record.final:
        with _clients(record) as clients:
            record = _followed(record, clients, view)
    raise_for(record)
    return record


def stop_run(run: str | Record, *, force: bool = False, report: Report = silent, view: View | None = None) -> Record:
    """Stop a run, and wait until its results are stored and its hosts are clean.

    With `force` its agents are bypassed: everything of it is removed, host by host, and reported.

    Raises:
        ToolkitError: S100 if no agent answers, or something could not be removed.

    Example:
        >>> api.stop_run("training-9itkb8gw").reason
    """
    record = _record(run)
    if force:
        record = force_stop(record, Records(home()), this_person(), _notes(report, "stop"))
        remove_store(record.training_id)
        return record
    if record.final:
        return record
    with _clients(record) as clients:
        _refuse_not_begun(record, next(iter(clients.values())))
        who = stop(clients)
        note = f"{record.training_id}: stopping, as requested by {who}; its results are stored first"
        report(Progress("stop", note=note))
        record = _followed(record, clients, view)
    if record.final and not record.kept:  # hosts that we lost may still be uploading
        remove_store(record.training_id)
    return record


def log_lines(run: str | Record) -> Iterator[Line]:
    """The output of a run's ranks so far, in order.

    Raises:
        ToolkitError: S100 if its host does not answer, S303 if its output is still on a host and must be rescued.

    Example:
        >>> [line.text for line in api.log_lines("training-9itkb8gw")]
    """
    record = _record(run)
    return _stored_lines(record) if record.final else _lines_so_far(record)


def rescue_run(run: str | Record, *, report: Report = silent) -> Record:
    """Upload results that are still on a run's hosts; returns its new record.

    Raises:
        ToolkitError: C101 if it has not ended, S100 if a host does not answer, S303 if the bucket refuses.

    Example:
        >>> api.rescue_run("training-9itkb8gw").state
    """
    return rescue(_record(run), Records(home()), _notes(report, "rescue"))


def clean_hosts(cluster: str | Path | None = None, *, orphans: bool = False) -> tuple[str, Cleaned]:
    """Remove leftovers of ended runs from a cluster's hosts (default: this machine); unsaved results are kept.

    With `orphans`, also those of runs that are not recorded here. Returns the cluster's name and what was found.

    Example:
        >>> api.clean_hosts("clusters/lab-p100.yml", orphans=True)
    """
    read = read_cluster(Path(cluster) if cluster else assets() / "clusters" / "local.yml")
    return read.name, clean(read, Records(home()), orphans=orphans)


def _record(run: str | Record) -> Record:
    return run if isinstance(run, Record) else find_run(run)


@contextmanager
def _clients(record: Record) -> Iterator[dict[str, AgentClient]]:
    """The run's agents by host, learner 1's first."""
    with reached(record) as engines:
        yield {host: AgentClient(engine, record.training_id) for host, engine in engines.items()}


def _followed(record: Record, clients: dict[str, AgentClient], view: View | None) -> Record:
    watched = Watched(record, clients, partial(stored_run, record), cluster_of(record).deadlines.lost)
    try:
        return Watch(watched, Records(home()), view or SilentView(Choice.DETACH)).run()
    except Detached:
        return record


def _refuse_not_begun(record: Record, first: AgentClient) -> None:
    """Interrupt the launch of a run that has not started on any host, and raise `ToolkitError`."""
    if record.launcher and first.presence() is Presence.GONE and lives(record.launcher):
        interrupt(record.launcher)
        raise ToolkitError(
            Code.RESOURCES,
            f"{record.training_id} had not started: its launch (process {record.launcher[0]} here) was interrupted",
            hint=f"toolkit show {record.training_id}",
        )


def _stored_lines(record: Record) -> Iterator[Line]:
    count = 0
    with stored_run(record) as stored:
        for count, line in enumerate(stored.lines(), 1):  # noqa: B007 - how many there were
            yield line
    if not count and record.kept:
        raise ToolkitError(
            Code.STORING_RESULTS,
            f"{record.training_id}: its output is not in the bucket but still on {', '.join(record.kept)}",
            hint=f"toolkit rescue {record.training_id}",
        )


def _lines_so_far(record: Record) -> Iterator[Line]:
    with reached(record) as engines:
        client = AgentClient(next(iter(engines.values())), record.training_id)
        for event in Events(client):
            match event:
                case Line():
                    yield event
                case Beat():
                    return
                case Gone(offset):
                    with stored_run(record) as stored:
                        yield from stored.lines(offset)
                    return
                case Silence(_, why):
                    raise ToolkitError(Code.RESOURCES, f"the run's host does not answer: {why}", hint="toolkit doctor")


def _notes(report: Report, stage: str) -> Callable[[str], None]:
    return lambda text: report(Progress(stage, note=text))
