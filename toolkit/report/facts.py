"""What ran on what, and what it left: facts of one run by name. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.agent.outcome import status_words
from toolkit.metrics.series import RunMetrics
from toolkit.plural import counted, listed, ranges
from toolkit.report.amounts import amount, duration, moment, number, size
from toolkit.run.records.record import Record, State, StepResult

_MOST_HOSTS, _MOST_COMMANDS, _MOST_METRICS, _MOST_FIGURES = 32, 24, 100, 2
_LONGEST = 20_000
"""Characters of a command line that are looked at: splitting takes the square of their number."""


@dataclass(frozen=True)
class Fact:
    """A name and a text; `code` for what is copied rather than read, `href` for a link."""

    name: str
    text: str
    code: bool = False
    href: str = ""


@dataclass(frozen=True)
class Command:
    """One command of a run, where it ran, and how it ended; `argv` as it was started."""

    number: int
    text: str
    where: str
    outcome: str
    ok: bool
    took: str
    argv: str


def tone(record: Record) -> str:
    """`good`, `bad`, `halted`, or `active` for a run that has not ended."""
    if not record.final:
        return "active"
    return {State.COMPLETED: "good", State.HALTED: "halted"}.get(record.state, "bad")


def figures(record: Record, now: float) -> tuple[Fact, ...]:
    """The few numbers that a person asks for first."""
    seconds = record.seconds if record.final else now - record.states[0][1] if record.states else None
    found = [Fact("duration" if record.final else "so far", duration(seconds))] if seconds is not None else []
    found.append(Fact("ranks", f"{record.ranks}"))
    found.append(Fact("learners", f"{record.learners}"))
    own = [(name, value) for name, value in record.metrics.items() if isinstance(value, float)]
    found += [Fact(name[:24], number(value)) for name, value in own[:_MOST_FIGURES]]
    if record.stored_files:
        found.append(Fact("stored", size(record.stored_bytes)))
    return tuple(found)


def what_ran(record: Record) -> tuple[Fact, ...]:
    """Manifest, image, code, hosts."""
    begun = moment(record.states[0][1]) if record.states else "not yet"
    hosts = listed([host for host in record.hosts if host], _MOST_HOSTS) or "this machine"
    found = [
        Fact("run", record.training_id, code=True),
        Fact("begun", begun),
        Fact("manifest", record.manifest_file, code=True),
        Fact("image", record.image, code=True),
        Fact("image ID", record.image_id, code=True),
        Fact("code", record.code_folder, code=True),
        Fact("code SHA-256", record.code_digest, code=True),
        Fact("training data", record.data_bucket, code=True),
        Fact("cluster", f"{record.cluster}: {counted(record.learners, 'learner')}, {counted(record.ranks, 'rank')}"),
        Fact("hosts", hosts),
        Fact("compute", f"{record.compute or 'not recorded'} asked for; ran on {record.ran_on}"),
        Fact("resumed from", record.resumed_from, code=True),
    ]
    return tuple(fact for fact in found if fact.text)


def commands(record: Record) -> tuple[Command, ...]:
    """Every command with the statuses of its ranks."""
    return tuple(_command(step) for step in record.steps[:_MOST_COMMANDS])


def environment(record: Record) -> tuple[Fact, ...]:
    """How Open MPI ran the ranks: its options, and the variables that it passed on."""
    words = _mpirun_words(record)
    options = [f"{words[at + 1]} = {words[at + 2]}" for at in range(len(words) - 2) if words[at] == "--mca"]
    passed = [words[at + 1] for at in range(len(words) - 1) if words[at] == "-x"]
    found = [
        Fact("variables of the ranks", ", ".join(passed), code=True),
        Fact("Open MPI's parameters", "\n".join(options), code=True),
    ]
    return tuple(fact for fact in found if fact.text)


def results(record: Record) -> tuple[Fact, ...]:
    """Where the results are, and the program's own metrics."""
    found = []
    if record.stored_files:
        stored = f"{counted(record.stored_files, 'file')}, {size(record.stored_bytes)}"
        found.append(Fact("stored", f"{stored} in {record.results_place}/{record.training_id}"))
    if record.checksums:
        found.append(Fact("SHA-256 of the list of checksums", record.checksums, code=True))
    if record.kept:
        found.append(Fact("still on", listed(list(record.kept), _MOST_HOSTS)))
    if record.collected:
        found.append(Fact("collected model", f"{record.collected}/model", code=True, href=_uri(record.collected)))
    elif record.state is State.COMPLETED:
        found.append(Fact("collect the model", f"toolkit collect {record.training_id}", code=True))
    for name, value in list(record.metrics.items())[:_MOST_METRICS]:
        found.append(Fact(name, value if isinstance(value, str) else amount(value, "")))
    return tuple(found)


def reported_once(metrics: RunMetrics) -> tuple[Fact, ...]:
    """What ranks reported a single time, such as a loss on held-out data: it has no course that a chart could show.

    `metrics.json` is left out: `results` has it.
    """
    series = [one for one in metrics.ranks if not one.name.startswith("metrics.json/")]
    courses = {one.name for one in series if len(one.points) > 1}
    single = [one for one in series if one.name not in courses and one.points][:_MOST_METRICS]
    return tuple(Fact(f"{one.name}, {one.source}", amount(one.points[0].value, one.unit)) for one in single)


def _command(step: StepResult) -> Command:
    where = "every rank" if step.parallel and step.each == "rank" else "every learner" if step.parallel else "once"
    return Command(
        number=step.number,
        text=step.command,
        where=where,
        outcome="; ".join(_statuses(step)),
        ok=step.ok,
        took=duration(step.seconds),
        argv=shlex.join(step.argv),
    )


def _statuses(step: StepResult) -> Iterator[str]:
    """`status 0`, or each status with those that have it."""
    groups: dict[int | None, list[int]] = {}
    for process, status in enumerate(step.ranks):
        groups.setdefault(status, []).append(process + (step.each == "learner"))
    if len(groups) <= 1:
        yield _status(next(iter(groups), step.exit_status))
        if groups and step.exit_status and not any(step.ranks):
            yield f"mpirun: {_status(step.exit_status)}"
    else:
        for status, processes in sorted(groups.items(), key=lambda item: item[1])[:6]:
            yield f"{step.each} {ranges(processes)[:60]}: {_status(status)}"
    if step.attempts > 1:
        yield f"{step.attempts} attempts"


def _status(status: int | None) -> str:
    return "no status (killed, or never started)" if status is None else status_words(status)


def _mpirun_words(record: Record) -> list[str]:
    try:
        return shlex.split(record.mpirun[:_LONGEST])
    except ValueError:
        return []


def _uri(folder: str) -> str:
    """A link that works on the machine that collected it."""
    path = Path(folder)
    return (path / "model").as_uri() if path.is_absolute() else ""
