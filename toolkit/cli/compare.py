"""`toolkit compare RUN RUN`: how two runs differ, in what they ran with and in what they left."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from toolkit.api.reproductions import compare_runs
from toolkit.cli.output import print_json, say
from toolkit.errors import Code
from toolkit.plural import counted, listed
from toolkit.run.comparison.outcome import Comparison, MetricDifference, Verdict

_MOST = 50
_COLOURS = {Verdict.IDENTICAL: "green", Verdict.WITHIN: "green", Verdict.DIFFERENT: "red", Verdict.NOTHING: "yellow"}


def run(arguments: argparse.Namespace) -> int:
    """Compare, print, and tell a script by the exit status."""
    found = compare_runs(arguments.run, arguments.other, tolerance=arguments.tolerance)
    if arguments.json:
        print_json(facts_of(found))
    else:
        show_comparison(found)
    return status_of(found)


def status_of(found: Comparison) -> int:
    """0 if one run reproduces the other, else 5."""
    return 0 if found.verdict.same else Code.MODEL_CHECK.exit_status


def show_comparison(found: Comparison) -> None:
    """The table on standard output, the verdict on standard error."""
    print("\n".join(f"{name:<11} {text}".rstrip() for name, text in lines_of(found)))
    tolerance = f" of {found.tolerance:g}" if found.verdict is Verdict.WITHIN else ""
    say(f"{found.first} and {found.second}: {found.verdict}{tolerance}", _COLOURS[found.verdict])


def facts_of(found: Comparison) -> dict[str, Any]:
    """The comparison as plain values; `part` says where the weights part."""
    return {**asdict(found), "part": [str(one.parting) for one in found.weights.values() if one.parting]}


def lines_of(found: Comparison) -> Iterator[tuple[str, str]]:
    """Name and text of each line; of what may be many, the first."""
    yield from _some("ran with", map(str, found.conditions), "the same manifest, code, image and data")
    if found.ends[0] != found.ends[1]:
        yield "end", " → ".join(found.ends)
    yield "results", f"{counted(found.same_files, 'file')} with the same SHA-256"
    yield from _some("differs", map(str, found.files))
    if found.apart:
        yield "not counted", f"{listed(list(found.apart), 6)}: differ, as they hold times or random IDs"
    yield from _some("metrics", map(_metric, found.metrics))
    for command, one in found.weights.items():
        yield "weights", str(one.parting) if one.parting else f"command {command}: the same to step {one.steps}"
    yield from _some("note", found.notes)


def _metric(one: MetricDifference) -> str:
    if one.first == one.second:
        return f"{one.name} {one.first}"
    values = " → ".join("absent" if value is None else str(value) for value in (one.first, one.second))
    return f"{one.name} {values}" + (f"  differs by {one.relative:.2g} of its size" if one.relative is not None else "")


def _some(name: str, texts: Iterable[str], if_none: str = "") -> Iterator[tuple[str, str]]:
    texts = list(texts)
    for number, text in enumerate(texts[:_MOST]):
        yield "" if number else name, text
    if len(texts) > _MOST:
        yield "", f"and {len(texts) - _MOST} more: --json"
    if not texts and if_none:
        yield name, if_none
