"""A report of runs: one HTML file that needs no network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit import __version__
from toolkit.api.measurements import metrics as _metrics_of
from toolkit.api.records import find_run
from toolkit.api.runs import log_lines
from toolkit.errors import Code, ToolkitError
from toolkit.metrics.series import RunMetrics
from toolkit.paths import home
from toolkit.progress import Progress, Report, silent
from toolkit.report.log_excerpt import excerpt
from toolkit.report.model import LogExcerpt, ReportInput, RunInput
from toolkit.run.comparison.conditions import Conditions, conditions_of
from toolkit.run.document.launched import load_launched
from toolkit.run.document.model import read_launched
from toolkit.run.records.record import Record
from toolkit.shipping.output_file import new_file

MOST_RUNS = 8


@dataclass(frozen=True)
class Reported:
    """A report that was written; `notes` say what is not in it, and why."""

    file: Path
    size: int
    runs: tuple[str, ...]
    notes: tuple[str, ...]


def report(runs: Sequence[str | Record], file: str | Path, *, report: Report = silent) -> Reported:
    """Write a report of one run, or of several side by side, to `file`, which is replaced.

    A log or metrics that cannot be read are left out; the report and `notes` say so. Of a run that has not ended, it
    shows what there is so far.

    Raises:
        ToolkitError: C101 for no run, an unknown one or more than 8; S100 if `file` cannot be written.

    Example:
        >>> api.report(["training-9itkb8gw"], "report.html").size
    """
    from toolkit.report.render import page  # Jinja2

    records = _records(runs)
    with new_file(Path(file)) as stream:
        gathered = _gathered(records, report)
        content = page(gathered).encode()
        stream.write(content)
    notes = tuple(note for run in gathered.runs for note in run.notes)
    return Reported(Path(file), len(content), tuple(record.training_id for record in records), notes)


def serve_report(
    runs: Sequence[str | Record],
    *,
    port: int = 0,
    ready: Callable[[str], None] | None = None,
    report: Report = silent,
) -> None:
    """Show a report to browsers on this machine until Ctrl-C (`KeyboardInterrupt`), made anew while a run lasts.

    Its address, which has a token, is reported as a note; `ready` is called with it. `port` 0: one that is free.

    Raises:
        ToolkitError: C101 for no run, an unknown one or more than 8; C104 if the port is not free.

    Example:
        >>> api.serve_report(["training-9itkb8gw"], port=8765)
    """
    from toolkit.report.render import page
    from toolkit.report.serve import SECONDS, PageServer

    ids = [record.training_id for record in _records(runs)]

    def make() -> str:
        records = _records(ids)
        going_on = not all(record.final for record in records)
        return page(replace(_gathered(records, silent), refresh=SECONDS if going_on else 0))

    try:
        server = PageServer(make, port)
    except (OSError, OverflowError) as error:
        raise ToolkitError(
            Code.RESOURCES_ASKED, f"port {port} of this machine cannot be used: {error}", hint="choose another --port"
        ) from None
    with server:
        if ready:
            ready(server.url)
        report(Progress("serving", note=f"{server.url}  (Ctrl-C ends it)"))
        server.run()


def _records(runs: Sequence[str | Record]) -> tuple[Record, ...]:
    """Each run once, in the order in which they were named."""
    found = [run if isinstance(run, Record) else find_run(run) for run in runs]
    records = {record.training_id: record for record in found}
    if not records or len(records) > MOST_RUNS:
        raise ToolkitError(
            Code.MANIFEST,
            f"a report shows 1 to {MOST_RUNS} runs, not {len(records)}",
            hint="toolkit runs lists them",
        )
    return tuple(records.values())


def _gathered(records: Sequence[Record], report: Report) -> ReportInput:
    runs = tuple(_gathered_run(record, len(records), report) for record in records)
    return ReportInput(runs, time.time(), __version__)


def _gathered_run(record: Record, runs: int, report: Report) -> RunInput:
    report(Progress("reading", record.training_id))
    notes = []
    log, metrics = LogExcerpt(), RunMetrics()
    try:
        log = excerpt(log_lines(record), runs)
    except ToolkitError as error:
        notes.append(f"{record.training_id}: its output could not be read: {error.what}")
    try:
        metrics = _metrics_of(record)
    except ToolkitError as error:
        notes.append(f"{record.training_id}: its metrics could not be read: {error.what}")
    return RunInput(record, metrics, log, tuple(notes), _conditions(record) if runs > 1 else None)


def _conditions(record: Record) -> Conditions | None:
    """From what its launch kept here; a run that did not start has left nothing."""
    part = load_launched(home(), record.training_id)
    try:
        return conditions_of(read_launched(part)) if part else None
    except ValueError:  # it is damaged
        return None
