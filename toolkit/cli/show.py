"""`toolkit show [TRAINING_ID]`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from toolkit.api.records import find_run
from toolkit.cli.output import human_size, print_json
from toolkit.cli.show_steps import step_lines
from toolkit.plural import counted
from toolkit.run.plan.mounts import written_locally
from toolkit.run.records.record import Record, State


def run(arguments: argparse.Namespace) -> int:
    """Print one run's record."""
    record = find_run(arguments.training_id)
    if arguments.json:
        print_json(asdict(record))
    else:
        # Lines of a multi-line text are indented, so that others' text cannot look like ours.
        print("\n".join(f"{name:<10} {text}".replace("\n", f"\n{'':<10} ") for name, text in lines(record)))
    return 0


def lines(record: Record) -> Iterator[tuple[str, str]]:
    """Facts about a run, one per line."""
    yield "run", f"{record.training_id}  {record.name}"
    why = f"{record.end}: " if record.end and record.state is not State.COMPLETED else ""
    yield "state", f"{record.state.value}  {record.error_code} {why}{record.reason}".rstrip()
    yield "image", f"{record.image}  {record.image_id}"
    yield (
        "ran on",
        f"{record.cluster}: {counted(record.learners, 'learner')}, {counted(record.ranks, 'rank')} ({record.ran_on})",
    )
    if record.hosts:
        yield "hosts", ", ".join(record.hosts)
    yield from step_lines(record)
    if record.write_local:
        yield "results", written_locally(record.results_place)
    if record.stored_files:
        where = f"{record.results_place}/{record.training_id}"
        yield "stored", f"{record.stored_files} files, {human_size(record.stored_bytes)} in {where}"
    if record.collected:
        yield "model", f"{record.collected}/model"
    if record.metrics:
        yield "metrics", ", ".join(f"{name} {value}" for name, value in record.metrics.items())
    for line in record.evidence.splitlines():
        yield "evidence", line
    if record.resumed_from:
        yield "resumed", f"from {record.checkpoint or record.resumed_from}"
    if record.reproduces:
        yield "reproduces", record.reproduces
    if record.hint:
        yield "next", record.hint
    if not record.final:
        yield "next", f"toolkit logs -f {record.training_id}"
    if record.state is State.COMPLETED and not record.collected:
        yield "next", f"toolkit collect {record.training_id}"
