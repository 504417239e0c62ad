"""What runs have left on hosts: found by its label, removed where its run is over and its bytes are in the bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from toolkit.buckets.embedded import store_container
from toolkit.cluster.model import Cluster
from toolkit.engines import docker_argv
from toolkit.engines.engine import LOCAL, Engine
from toolkit.errors import ToolkitError
from toolkit.hosts.fan_out import Hosts
from toolkit.run.kept import Presence, RemoteKeeper
from toolkit.run.launcher import lives
from toolkit.run.record import Record
from toolkit.run.records import Records
from toolkit.run.refresh import refreshed


@dataclass(frozen=True)
class Found:
    """Something of `run` on `host`, in words."""

    host: str
    run: str
    what: str


@dataclass(frozen=True)
class Cleaned:
    """What was removed, what was kept because no bucket has it, and what could not be looked at or removed."""

    removed: tuple[Found, ...]
    kept: tuple[Found, ...]
    failed: tuple[Found, ...]


def clean(cluster: Cluster, records: Records, *, orphans: bool) -> Cleaned:
    """Clean every host of `cluster`.

    A run that goes on is left alone, also one that others have launched. Of runs that are not recorded here, things
    are removed only with `orphans`; a volume of theirs never, as nobody here knows what is in it.
    """
    removed, kept, failed = list[Found](), list[Found](), list[Found]()
    known = {record.training_id: record for record in records.all()}
    with _engines(cluster) as engines:
        for engine in engines:
            try:
                for run in _runs_on(engine):
                    _clean_run(engine, run, known.get(run), records, removed, kept, failed, orphans=orphans)
            except ToolkitError as error:
                failed.append(Found(engine.host, "", error.what))
    return Cleaned(tuple(removed), tuple(kept), tuple(failed))


@contextmanager
def _engines(cluster: Cluster) -> Iterator[tuple[Engine, ...]]:
    if cluster.engine == "local":
        yield (LOCAL,)
        return
    with Hosts(cluster) as hosts:
        yield tuple(Engine(shell, cluster.container_engine) for shell in hosts.shells)


def _runs_on(engine: Engine) -> list[str]:
    """The runs that have anything here, by their label."""
    found: set[str] = set()
    for noun in ("container", "volume", "network"):
        found.update(engine.run(docker_argv.runs_of(noun)).output.split())
    return sorted(found)


def _clean_run(
    engine: Engine,
    run: str,
    record: Record | None,
    records: Records,
    removed: list[Found],
    kept: list[Found],
    failed: list[Found],
    *,
    orphans: bool,
) -> None:
    if RemoteKeeper(engine, run).presence() is not Presence.GONE or (record and lives(record.launcher)):
        return
    record = refreshed(record, records) if record else None
    containers, volumes = engine.names("container", run), engine.names("volume", run)
    if record and not record.final:  # it goes on elsewhere, or nobody could be asked
        kept += [Found(engine.host, run, f"container {name}, as the run has not ended") for name in containers]
        containers = []
    if volumes and (record is None or not record.final or record.kept):
        mend = f"toolkit rescue {run}" if record else "its launcher has its record: toolkit rescue there"
        kept.append(Found(engine.host, run, f"volume {volumes[0]}, which holds what may be in no bucket; {mend}"))
        volumes = []
    elif record is None and not orphans:
        kept.append(Found(engine.host, run, "a run that is not recorded here; toolkit clean --orphans"))
        return
    if record is None and store_container(run) in containers:
        kept.append(Found(engine.host, run, "an embedded store, which ends by itself when no run needs it"))
        containers.remove(store_container(run))
    networks = engine.names("network", run) if record is None or record.final else []
    _remove(engine, run, {"container": containers, "network": networks, "volume": volumes}, removed, failed)


def _remove(
    engine: Engine, run: str, names: Mapping[str, list[str]], removed: list[Found], failed: list[Found]
) -> None:
    for noun, ones in names.items():
        for name in ones:
            gone = engine.remove(noun, name)
            (removed if gone else failed).append(Found(engine.host, run, f"{noun} {name}"))
