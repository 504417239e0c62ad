"""Commands that only read: beside an empty Python, whose start is the least that a tool in Python can take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.compare.case import Case
from benchmarks.compare.workspace import TOOLKIT, Workspace
from benchmarks.launched import ROOT
from toolkit.run.plan.training_id import new_training_id
from toolkit.run.records.record import Record, State, StepResult
from toolkit.run.records.record_store import Records

_RUNS = 1000
_ROUNDS = 15
_REASON = "importing pydantic and PyYAML takes ten times an empty Python: docs/performance.md."
_REASONS = {
    "cli-help": "argparse, and the names of all commands, which are added for each call.",
    "cli-runs": "each record is parsed and validated in Python, besides the imports.",
}


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """`--help`, `manifest check`, `launch --dry-run`, and `runs` with a thousand runs."""
    manifest = ROOT / "examples" / "mnist" / "manifest.yml"
    space.run([TOOLKIT, "build", manifest])
    fill(space)
    verbs = [
        ("cli-help", "`toolkit --help`", 3, [TOOLKIT, "--help"]),
        ("cli-check", "`toolkit manifest check`", 15, [TOOLKIT, "manifest", "check", manifest]),
        ("cli-dry-run", "`toolkit launch --dry-run`", 20, [TOOLKIT, "launch", "--dry-run", manifest]),
        ("cli-runs", f"`toolkit runs`, {_RUNS:,} runs", 25, [TOOLKIT, "runs"]),
    ]
    empty = space.timed(sys.executable, "-c", "pass")
    yield [
        Case(name, title, "`python -c pass`", aim, space.timed(*argv), empty, _REASONS.get(name, _REASON), _ROUNDS)
        for name, title, aim, argv in verbs
    ]


def fill(space: Workspace) -> None:
    """A thousand records, as runs of this machine leave them."""
    records = Records(space.folder / "home")
    if len(records.newest()) >= _RUNS:
        return
    steps = tuple(StepResult(number, f"python step-{number}.py", False, 0, 61.5, (0, 0)) for number in range(3))
    for number in range(_RUNS):
        states = tuple((state.value, 1.75e9 + 90 * number + later) for later, state in enumerate(State) if later < 6)
        records.save(
            Record(
                *(new_training_id(), "mnist", State.COMPLETED, "tensorflow-ddl-2.19-py3.11-cpu:1", "sha256:abc"),
                *("local", 2, 2, True, "embedded", "results", "data", "manifest.yml", "/code"),
                states=states,
                steps=steps,
                metrics={"loss": 0.1, "accuracy": 0.99},
            )
        )
