"""End a run whose agent hangs or does not answer: remove and report everything, host by host.

Results that are not in the bucket yet stay in the run's volume, for `toolkit rescue`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from toolkit.agent.container_names import buckets_container
from toolkit.agent.end_reasons import Reason
from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.run.follow.connect import cluster_of, reached
from toolkit.run.launch.allocator import allocator_of, release_run
from toolkit.run.plan.mounts import volume_of
from toolkit.run.plan.training_id import TrainingId
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records
from toolkit.runtimes.specs import Noun
from toolkit.storage.sidecar import AGENT_PROGRAM

_UNMOUNT_SECONDS = 30


def force_stop(record: Record, records: Records, who: str, report: Callable[[str], None]) -> Record:
    """End `record`'s run on every host without asking its agents; returns the new record, saved.

    `report` gets each thing that was removed. Raises `ToolkitError` (S100) that names what could not be, at the end.
    """
    left, kept = list[str](), list[str]()
    with reached(record) as engines:
        for host, engine in engines.items():
            try:
                left += _end_on(engine, record.training_id, report)
                if volume_of(record.training_id) in engine.names("volume", record.training_id):
                    kept.append(host or "this machine")
            except ToolkitError as error:
                left.append(f"what the run has on {engine.host} ({error.what})")
                kept.append(host or "this machine")
        _release_leases(record, engines, left)
    ended = _ended(record, who, tuple(kept))
    records.save(ended)
    if left:
        raise ToolkitError(
            Code.RESOURCES,
            f"{record.training_id} has ended, but this could not be removed: {', '.join(left)}",
            hint="toolkit doctor, then toolkit clean",
        )
    return ended


def _end_on(engine: Engine, run: TrainingId, report: Callable[[str], None]) -> list[str]:
    """Remove what the run has on one host except its volume; returns what is left. Raises `ToolkitError`."""
    containers = engine.names("container", run, check=True)
    buckets = buckets_container(run)
    left = []
    for name in sorted(containers, key=lambda one: one == buckets):  # last: its mounts can go once nothing uses them
        if name == buckets:
            unmount = engine.runtime.execute(name, (*AGENT_PROGRAM, "unmount"))
            engine.run(unmount, check=False, timeout=_UNMOUNT_SECONDS)
        left += _removed(engine, "container", name, report)
    for name in engine.names("network", run):
        left += _removed(engine, "network", name, report)
    for name in engine.names("volume", run):
        if name != volume_of(run):  # an NFS export, which holds nothing of its own
            left += _removed(engine, "volume", name, report)
    return left


def _removed(engine: Engine, noun: Noun, name: str, report: Callable[[str], None]) -> list[str]:
    if engine.remove(noun, name):
        report(f"{engine.host}: removed: {noun} {name}")
        return []
    return [f"{noun} {name} on {engine.host}"]


def _release_leases(record: Record, engines: Mapping[str, Engine], left: list[str]) -> None:
    if not record.hosts:
        return
    allocator = allocator_of(cluster_of(record))
    for engine in engines.values():
        try:
            release_run(allocator, engine, record.training_id)
        except ToolkitError as error:
            left.append(f"the lease on {engine.host} ({error.what})")


def _ended(record: Record, who: str, kept: tuple[str, ...]) -> Record:
    """The record afterwards; a run that had already ended keeps its end."""
    rescue = f"its results are still on {', '.join(kept)}: toolkit rescue {record.training_id}" if kept else ""
    if record.final:
        return replace(record, kept=kept, hint=rescue or record.hint)
    what = f"stopped by {who} with --force; its last results may not be in the bucket"
    ended = replace(record, end=Reason.STOPPED.value, reason=what, kept=kept, hint=rescue, launcher=None)
    return ended.at(State.HALTED, time.time())
