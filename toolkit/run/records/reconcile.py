"""Update a record: what happened to a run since it was last followed here."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from toolkit.agent.end_reasons import Reason
from toolkit.containers.engine import Engine
from toolkit.errors import ToolkitError
from toolkit.run.follow.agent_client import AgentClient, Presence
from toolkit.run.follow.connect import reached, stored_run
from toolkit.run.follow.reported import read_outcome
from toolkit.run.launch.launcher_process import lives
from toolkit.run.plan.mounts import volume_of
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records


def refreshed(record: Record, records: Records) -> Record:
    """The current record, saved if it changed; the old one if no agent or bucket can be reached."""
    if record.final or lives(record.launcher):
        return record
    try:
        with reached(record) as engines:
            now = _now(record, engines)
    except ToolkitError:
        return record
    if now == record:
        return record
    with suppress(ToolkitError):
        saved = records.find(record.training_id)
        if saved.final:  # its launcher, or another follower, was faster, and knows better
            return saved
    records.save(now)
    return now


def _now(record: Record, engines: Mapping[str, Engine]) -> Record:
    """From learner 1's agent; else the bucket; else the volume that the agent left; else inferred."""
    first = next(iter(engines.values()))
    client = AgentClient(first, record.training_id)
    presence = client.presence()
    if presence is Presence.UNKNOWN:
        return record
    if presence is Presence.THERE:
        return _read(json.dumps(client.state()), record) or record
    try:
        with stored_run(record) as stored:
            ended, trouble = stored.record(), ""
    except ToolkitError as error:
        ended, trouble = None, error.what
    return ended or from_volume(record, first) or _judged(record, first, trouble)


def _read(data: str, record: Record) -> Record | None:
    try:
        return read_outcome(data, record).onto(record)
    except ValueError:
        return None


def from_volume(record: Record, engine: Engine) -> Record | None:
    """What the agent wrote before it left a volume behind, read in a container of the run's own image; also the outcome
    of a run whose record no bucket accepted."""
    volume = volume_of(record.training_id)
    if volume not in engine.names("volume", record.training_id):
        return None
    read = engine.run(engine.runtime.read_from_volume(volume, record.image_id, "state.json"), check=False)
    return _read(read.output, record)


def _judged(record: Record, engine: Engine, trouble: str) -> Record:
    """No agent and no report: either the launch died before the run started, or the agent was killed.

    `trouble` is why the bucket could not be read, or is not trusted; empty if it has no outcome.
    """
    if record.launcher is not None:
        return never_began(record)
    what = f"the run's agent on {engine.host} is gone: it was killed, or the host's engine was stopped"
    hint = f"recover its results with: toolkit rescue {record.training_id}"
    lost = host_lost(record, what, hint, next(iter(record.hosts), ""))
    return replace(lost, evidence=trouble or record.evidence)


def host_lost(record: Record, what: str, hint: str, host: str) -> Record:
    """A run with no agent left to determine its outcome; `host` may have results that are in no bucket."""
    end = Reason.HOST_LOST
    lost = replace(record, end=end.value, error_code=end.code, reason=what, hint=hint, kept=(host,))
    return lost.at(State.FAILED, time.time())


def never_began(record: Record) -> Record:
    """A run whose launcher was killed before the start signal: its agents removed everything."""
    what = "its launch was killed before any command ran; nothing of it is left"
    return replace(record, launcher=None, end=Reason.STOPPED.value, reason=what).at(State.HALTED, time.time())
