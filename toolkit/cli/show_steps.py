"""What ran where: each command of a run with the statuses of its ranks. Bounded for any number of ranks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from toolkit.agent.outcome import status_words
from toolkit.plural import listed, ranges
from toolkit.run.records.record import Record, StepResult

_MOST_GROUPS, _MOST_HOSTS = 12, 6
_LONGEST = 60
"""Characters of a list of ranks."""


def step_lines(record: Record) -> Iterator[tuple[str, str]]:
    """A line for each command, and below it one for each exit status of its ranks."""
    for step in record.steps:
        folder = f"  (in {step.folder.removeprefix('/job/code/')}/)" if step.folder not in ("", "/job/code") else ""
        yield f"command {step.number}", step.command + folder
        for line in _ranks(record, step) if step.parallel else [_once(record, step)]:
            yield "", line
        if step.attempts > 1:
            yield "", f"{step.attempts} attempts; the last is shown"


def _once(record: Record, step: StepResult) -> str:
    host = next((f" on {host}" for number, host, _ in record.placement if number == 1 and host), "")
    return f"once, on learner 1{host}: {_status(step.exit_status)}, {step.seconds:.1f} s"


def _ranks(record: Record, step: StepResult) -> Iterator[str]:
    """Ranks with the same status share one line, the largest group first; mpirun's own status if it differs."""
    groups: dict[int | None, list[int]] = {}
    for rank, status in enumerate(step.ranks):
        groups.setdefault(status, []).append(rank)
    placed = _places(record, step)
    first = 0 if step.each == "rank" else 1
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[1]))
    for status, ranks in ordered[:_MOST_GROUPS]:
        where = "" if status == 0 and len(groups) == 1 else _where(ranks, placed)
        noun = step.each if len(ranks) == 1 else f"{step.each}s"
        if step.each == "learner" and not any(host for _, host in placed.values()):
            where = ""  # its name is where it ran
        numbers = ranges(rank + first for rank in ranks)
        numbers = numbers if len(numbers) <= _LONGEST else f"{numbers[: _LONGEST - 3]}..."
        yield f"{noun} {numbers}{where}: {_status(status)}{_times(step, ranks)}"
    if rest := ordered[_MOST_GROUPS:]:
        more = f"{sum(len(ranks) for _, ranks in rest)} more {step.each}s"
        yield f"{more}, with {len(rest)} other statuses: toolkit show --json"
    if step.exit_status and not any(step.ranks):
        yield f"mpirun itself: {_status(step.exit_status)}, {step.seconds:.1f} s"


def _places(record: Record, step: StepResult) -> dict[int, tuple[int, str]]:
    """For each of the step's processes, in the order of its statuses, the learner's number and host."""
    if step.each == "learner":
        return {number - 1: (number, host) for number, host, _ in record.placement}
    return {rank: (number, host) for number, host, ranks in record.placement for rank in ranks}


def _where(ranks: Iterable[int], placed: dict[int, tuple[int, str]]) -> str:
    """` on p100-02`, or the learners on this machine."""
    known = [placed[rank] for rank in ranks if rank in placed]
    names = dict.fromkeys(host or f"learner {number}" for number, host in known)
    return f" on {listed(list(names), _MOST_HOSTS)}" if names else ""


def _times(step: StepResult, ranks: Iterable[int]) -> str:
    """`, 13.8 s` or `, 13.1 to 13.8 s`; the whole command's time if a record has no others."""
    spans_of = [step.times[rank] for rank in ranks if rank < len(step.times)]
    seconds = sorted(end - start for start, end in filter(None, spans_of))
    if not seconds:
        return "" if step.times else f", {step.seconds:.1f} s"
    low, high = f"{seconds[0]:.1f}", f"{seconds[-1]:.1f}"
    return f", {high} s" if low == high else f", {low} to {high} s"


def _status(status: int | None) -> str:
    return "no status (killed, or never started)" if status is None else status_words(status)
