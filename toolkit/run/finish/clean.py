"""Leftovers of runs on hosts: found by label, removed if the run has ended and its results are in the bucket."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.cluster.model import Cluster
from toolkit.containers.engine import Engine
from toolkit.errors import ToolkitError
from toolkit.leases.model import STALE
from toolkit.run.finish.stale_mounts import unmount_stale
from toolkit.run.follow.agent_client import AgentClient, Presence
from toolkit.run.launch.allocator import Allocator, allocator_of
from toolkit.run.launch.launcher_process import lives
from toolkit.run.plan.mounts import VOLUME_PREFIX, volume_of
from toolkit.run.plan.training_id import PREFIX, TrainingId, run_of_label
from toolkit.run.records.reconcile import refreshed
from toolkit.run.records.record import Record
from toolkit.run.records.record_store import Records
from toolkit.runtimes.specs import NOUNS, Noun
from toolkit.storage.store_server import store_container


@dataclass(frozen=True)
class Found:
    """A leftover of `run` on `host`, described for display."""

    host: str
    run: str
    what: str


@dataclass(frozen=True)
class Cleaned:
    """What was removed, what was kept because no bucket has it, and what could not be checked or removed."""

    removed: tuple[Found, ...]
    kept: tuple[Found, ...]
    failed: tuple[Found, ...]


def clean(cluster: Cluster, records: Records, *, orphans: bool) -> Cleaned:
    """Clean every host of `cluster`. Whatever the tool leaves there is listed.

    An active run is left alone, whoever launched it. Leftovers of runs that are not recorded here are removed only with
    `orphans`; their volumes never, as their contents are unknown.
    """
    work, allocator = _Cleaning(records, orphans=orphans), allocator_of(cluster)
    with allocator.connect() as engines:
        for engine in engines.values():
            try:
                for label in _labels(engine):
                    work.clean(engine, label)
                work.give_back_leases(engine, allocator)
            except ToolkitError as error:
                work.failed.append(Found(engine.host, "", error.what))
    return Cleaned(tuple(work.removed), tuple(work.kept), tuple(work.failed))


_LISTED: tuple[Noun, ...] = ("container", "volume", "network")
_Things = dict[Noun, list[str]]


class _Cleaning:
    """A cleanup of some hosts; `clean` handles one label on one host."""

    def __init__(self, records: Records, *, orphans: bool) -> None:
        self.removed, self.kept, self.failed = list[Found](), list[Found](), list[Found]()
        self._records, self._orphans = records, orphans
        self._known = {record.training_id: record for record in records.all()}

    def clean(self, engine: Engine, label: str) -> None:
        """Remove what may be removed of the things with `label`, and list what stays."""
        run = run_of_label(label)
        record = self._known.get(run) if run else None
        if run != label:
            self._clean_beside(engine, label, record)
            return
        presence = AgentClient(engine, run).presence()
        if presence is Presence.UNKNOWN:
            self.failed.append(Found(engine.host, run, f"its agent does not answer; toolkit stop --force {run}"))
        elif presence is Presence.THERE:
            force = " --force" if record and record.final else ""
            how = f"toolkit stop{force} {run}" if record else "its launcher can stop it"
            self.kept.append(Found(engine.host, run, f"the run is still active; {how}"))
        elif record and lives(record.launcher):
            self.kept.append(Found(engine.host, run, "the run is being launched"))
        elif record:
            self._clean_own(engine, refreshed(record, self._records))
        else:
            self._clean_orphan(engine, run)

    def give_back_leases(self, engine: Engine, allocator: Allocator) -> None:
        """Release the leases that nobody renews, and those of runs that have ended and have no agent left."""
        for holder in allocator.leases(engine):
            if holder.by_container:
                continue  # it is released with the container
            run = run_of_label(holder.lease.run)
            record = self._known.get(run) if run else None
            if holder.state == STALE:  # nobody renews it: the next launch there would take it away, whoever's it is
                allocator.release(engine, holder.lease)
                self.removed.append(Found(engine.host, holder.lease.run, "its lease, which nobody renews"))
                continue
            if record is None or AgentClient(engine, record.training_id).presence() is not Presence.GONE:
                continue
            if not lives(record.launcher) and refreshed(record, self._records).final:
                allocator.release(engine, holder.lease)
                self.removed.append(Found(engine.host, record.training_id, "its lease"))

    def _clean_own(self, engine: Engine, record: Record) -> None:
        run, things = record.training_id, _things(engine, record.training_id)
        if not record.final:  # it is active elsewhere, or no agent could be asked
            self._keep(engine, run, things, "because the run has not ended")
            return
        if record.kept:
            for volume in things.pop("volume"):
                what = f"volume {volume}, which may hold results that are in no bucket; toolkit rescue {run}"
                self.kept.append(Found(engine.host, run, what))
        self._remove(engine, run, things)

    def _clean_orphan(self, engine: Engine, run: str) -> None:
        things = _things(engine, run)
        for volume in things.pop("volume"):
            what = f"volume {volume}, which may hold results that are in no bucket"
            how = "toolkit rescue on the machine that launched it"
            self.kept.append(Found(engine.host, run, f"{what}; {how}"))
        if store_container(run) in things["container"]:
            self.kept.append(Found(engine.host, run, "an embedded store, which exits when no run needs it"))
            things["container"].remove(store_container(run))
        if self._orphans:
            self._remove(engine, run, things)
        else:
            self._keep(engine, run, things, "of a run that is not recorded here; toolkit clean --orphans")

    def _clean_beside(self, engine: Engine, label: str, record: Record | None) -> None:
        """Leftovers of commands, not of runs: a model check, a reopened store, an image relay.

        Its containers exit by themselves; a running one may be in use, by anyone.
        """
        things = _things(engine, label)
        for container in [name for name in things["container"] if _is_at_work(engine, name)]:
            if not (record and self._orphans):
                what = f"container {container}of a command that is running or was killed"
                self.kept.append(Found(engine.host, label, f"{what}; it exits by itself"))
                things["container"].remove(container)
        if record is None and not self._orphans:
            self._keep(engine, label, things, "of a command, maybe another user's; toolkit clean --orphans")
            return
        if record is None:
            self._keep(engine, label, {"volume": things.pop("volume")}, "of a command, maybe another user's")
        self._remove(engine, label, things)

    def _keep(self, engine: Engine, run: str, things: _Things, why: str) -> None:
        self.kept += [Found(engine.host, run, f"{noun} {name}, {why}") for noun in things for name in things[noun]]

    def _remove(self, engine: Engine, run: str, things: _Things) -> None:
        for noun in NOUNS:
            for name in things.get(noun, ()):
                gone = engine.remove(noun, name) or (noun == "volume" and _unmounted_and_removed(engine, run, name))
                (self.removed if gone else self.failed).append(Found(engine.host, run, f"{noun} {name}"))


def _unmounted_and_removed(engine: Engine, run: str, volume: str) -> bool:
    """Remove a volume in which something is still mounted, unless a container is left that may use it."""
    try:
        if engine.names("container", run, check=True):
            return False
        unmount_stale(engine, run, volume)
    except ToolkitError:
        return False
    return engine.remove("volume", volume)


def _labels(engine: Engine) -> list[str]:
    """The labels of everything here, and the runs of volumes that have none. Raises `ToolkitError`."""
    outputs = [engine.run(engine.runtime.runs_of(noun)).output for noun in NOUNS]
    labels = {label for output in outputs for label in output.splitlines() if label}
    return sorted(labels | _runs_of_volumes(engine))


def _things(engine: Engine, label: str) -> _Things:
    """The names of everything of the label, by noun. Raises `ToolkitError` if the engine does not answer."""
    things = {noun: engine.names(noun, label, check=True) for noun in _LISTED}
    things["volume"] += [
        own for run in _runs_of_volumes(engine) if run == label and (own := volume_of(run)) not in things["volume"]
    ]
    return things


def _runs_of_volumes(engine: Engine) -> set[TrainingId]:
    """The runs that have a volume here, by its name: of a folder whose agent was killed before it made it a volume, an
    engine makes one without labels when it starts."""
    names = engine.run(engine.runtime.volumes_named(VOLUME_PREFIX + PREFIX)).output.split()
    runs = {run_of_label(name.removeprefix(VOLUME_PREFIX)) for name in names}
    return {run for run in runs if run and volume_of(run) in names}


def _is_at_work(engine: Engine, container: str) -> bool:
    """Whether it is running, or may be about to: a container created a moment ago is not a leftover."""
    try:
        return engine.status(container) not in ("", "exited", "dead")
    except ToolkitError:
        return False
