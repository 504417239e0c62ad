"""What a run's ranks reported, and what its hosts did."""

from __future__ import annotations

from toolkit.api.records import find_run
from toolkit.api.runs import log_lines
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.parallel import Job, do_all
from toolkit.metrics.regex_lines import NO_EXPRESSIONS, Extractor
from toolkit.metrics.series import RunMetrics, Series
from toolkit.run.follow.agent_client import AgentClient
from toolkit.run.follow.connect import manifest_of, reached, stored_run
from toolkit.run.follow.measured import live_metrics, stored_metrics
from toolkit.run.records.record import Record

_AT_ONCE = 8


def metrics(run: str | Record) -> RunMetrics:
    """A run's measurements, as series over time: those of a run that goes on are those so far.

    TensorBoard's event files and `metrics.json` are read when the run has ended: before, they are not in the bucket.

    Raises:
        ToolkitError: S100 if its host does not answer, S302 if its bucket cannot be read, S303 if its output is still
            on a host and must be rescued.

    Example:
        >>> [(one.source, one.points[-1].value) for one in api.metrics("training-9itkb8gw").ranks if one.name == "loss"]
    """
    record = run if isinstance(run, Record) else find_run(run)
    if not record.final:
        return live_metrics(log_lines(record), _samples(record), _expressions(record))
    manifest = manifest_of(record)
    with stored_run(record, manifest) as stored:
        found = stored_metrics(record, stored, manifest.metrics)
    if record.kept and not found.ranks:
        raise ToolkitError(
            Code.STORING_RESULTS,
            f"{record.training_id}: what it measured is not in the bucket but still on {', '.join(record.kept)}",
            hint=f"toolkit rescue {record.training_id}",
        )
    return found


def host_metrics(run: str | Record) -> tuple[Series, ...]:
    """What the hosts of a run that goes on have done so far; empty for one that has ended. A host that does not answer
    has none.

    Example:
        >>> [(one.source, one.points[-1].value) for one in api.host_metrics("training-9itkb8gw") if one.name == "cpu"]
    """
    record = run if isinstance(run, Record) else find_run(run)
    return () if record.final else live_metrics((), _samples(record), NO_EXPRESSIONS).hosts


def _expressions(record: Record) -> Extractor:
    """Those of the run's manifest; none if that has been moved or changed: its keys are not needed to see the run."""
    try:
        return manifest_of(record).metrics
    except ToolkitError:
        return NO_EXPRESSIONS


def _samples(record: Record) -> list[str]:
    """The samples of each host, as its agent prints them."""
    with reached(record) as engines:
        asked = [Job(host, AgentClient(engine, record.training_id).samples) for host, engine in engines.items()]
        return [answer.value or "" for answer in do_all(asked, at_once=_AT_ONCE)]
