"""docs/benchmarks.md: a table and a plot from docs/benchmarks.json, which keeps every measurement."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.compare.case import Outcome
from benchmarks.compare.plot import plot

_HEAD = """# Benchmarks

`tox -e bench` wrote this page. Each row has medians of the tool and of a peer, measured in turn (A B A B) on the same
machine; the tool runs with the flags, mounts and defaults of `toolkit launch`. *Ratio* is ours divided by the peer's,
in brackets the lowest and the highest of single pairs; *rounds* is the number of pairs. A ratio that misses its aim is
in bold, and the reason is below. Every measurement is in [benchmarks.json](benchmarks.json).

"""


class Page:
    """The page at `file`; its data and its plot lie beside it."""

    def __init__(self, file: Path) -> None:
        self._file, self._data = file, file.with_suffix(".json")
        self._outcomes: dict[str, Outcome] = {}
        if self._data.exists():
            self._outcomes = {one["name"]: Outcome(**one) for one in json.loads(self._data.read_text())}

    def add(self, outcome: Outcome) -> None:
        """Write the page with this outcome in the place of an earlier one of the same case."""
        self._outcomes[outcome.name] = outcome
        ordered = sorted(self._outcomes.values(), key=lambda one: one.name)
        self._data.write_text(json.dumps([asdict(one) for one in ordered], indent=1) + "\n")
        self._file.with_suffix(".svg").write_text(plot(ordered))
        self._file.write_text(_HEAD + _table(ordered) + _reasons(ordered) + _machines(ordered))

    def line(self, outcome: Outcome) -> str:
        """The outcome for a terminal."""
        ours, theirs = statistics.median(outcome.ours), statistics.median(outcome.theirs)
        met = "met" if outcome.is_met else "MISSED"
        figures = f"{ours:9.3f} {theirs:9.3f} {outcome.unit:<3} ratio {outcome.ratio:6.2f}, aim {_aim(outcome)}"
        return f"{outcome.name:<20} {figures}: {met}"


def _table(outcomes: Sequence[Outcome]) -> str:
    lines = ["| | toolkit | peer | | ratio | aim | rounds |", "|---|---|---|---|---|---|---|"]
    for one in outcomes:
        low, high = one.spread()
        ratio = f"{one.ratio:.2f} ({low:.2f} to {high:.2f})"
        ratio = ratio if one.is_met else f"**{ratio}**"
        ours, theirs = (_quantity(statistics.median(side), one.unit) for side in (one.ours, one.theirs))
        lines.append(f"| {one.title} | {ours} | {theirs} | {one.peer} | {ratio} | {_aim(one)} | {len(one.ours)} |")
    return "\n".join(lines) + "\n\n![Ratios and aims](benchmarks.svg)\n\n"


def _quantity(value: float, unit: str) -> str:
    return f"{value * 1000:.0f} ms" if unit == "s" and value < 1 else f"{value:.3g} {unit}"


def _reasons(outcomes: Sequence[Outcome]) -> str:
    missed: dict[str, list[str]] = {}
    for one in outcomes:
        if not one.is_met:
            missed.setdefault(one.reason or "not yet explained.", []).append(f"{one.title}, beside {one.peer}")
    if not missed:
        return ""
    lines = [f"- {'; '.join(rows)}: {reason}" for reason, rows in missed.items()]
    return "## Missed aims\n\n" + "\n".join(lines) + "\n\n"


def _machines(outcomes: Sequence[Outcome]) -> str:
    """Each machine, with its versions and its load after each case."""
    loads: dict[str, list[float]] = {}
    for one in outcomes:
        facts = ", ".join(f"{name} {value}" for name, value in one.machine.items())
        loads.setdefault(f"{one.date}: {facts}", []).append(one.load)
    lines = [f"- {facts}; load {min(those):.1f} to {max(those):.1f}" for facts, those in loads.items()]
    return "## Measured on\n\n" + "\n".join(lines) + "\n"


def _aim(outcome: Outcome) -> str:
    return "–" if outcome.aim is None else f"{outcome.aim:g}"
