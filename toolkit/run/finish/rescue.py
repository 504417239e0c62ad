"""Results that could not be uploaded are in the run's volume on a host: a rescue agent mounts it and uploads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial

from toolkit.agent.container_names import buckets_container
from toolkit.agent.end_reasons import BUCKET_REASONS, Reason
from toolkit.agent.paths import CONTROL_FOLDER, RECORD
from toolkit.agent.run_document import completed, document_bytes, key_for
from toolkit.agent.signed import signed
from toolkit.cluster.model import Cluster
from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.image.tool_images import buckets_reference
from toolkit.paths import home
from toolkit.run.document.launched import load_launched
from toolkit.run.finish.digests import store_digests, stored_digests
from toolkit.run.follow.agent_client import AgentClient, Presence
from toolkit.run.follow.connect import cluster_of, manifest_of, reached
from toolkit.run.follow.events import Events, Gone, Reported
from toolkit.run.follow.reported import read_report
from toolkit.run.launch.agent_container import AgentContainer
from toolkit.run.launch.allocator import allocator_of, release_run
from toolkit.run.plan.job_specs import job_on
from toolkit.run.plan.mounts import learner_mounts, results_mount, volume_of
from toolkit.run.plan.training_id import TrainingId
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records, new_run_key
from toolkit.storage.open_storage import Opened, open_access
from toolkit.storage.results_folder import FolderServer, results_server
from toolkit.storage.s3 import Store
from toolkit.storage.sidecar import AGENT_PROGRAM, Mount, SideContainer
from toolkit.storage.store_server import LOOPBACK, with_heartbeat

_POLL_SECONDS = 1.0
_FINISH_SECONDS = 60


def rescue(record: Record, records: Records, tell: Callable[[str], None]) -> Record:
    """Upload results that are still on the run's hosts; returns the new record, saved here and in the bucket.

    Raises `ToolkitError` if the run is active, if a host does not answer, or if the bucket still refuses.
    """
    if not record.final:
        raise ToolkitError(
            Code.MANIFEST, f"{record.training_id} has not ended", hint=f"toolkit stop {record.training_id}"
        )
    manifest, cluster = manifest_of(record), cluster_of(record)
    side_image, run = buckets_reference(), record.training_id
    address = cluster.operator if record.hosts else LOOPBACK
    with (
        reached(record) as engines,
        open_access(manifest, home(), side_image, f"{run}-rescue", address, next(iter(engines.values()))) as opened,
    ):
        opened.examine(manifest)
        store = Store(opened["results"])
        lists = [_digests(store, record, tell)]
        for host, engine in engines.items():
            if _has_volume(engine, run):
                tell(f"uploading the results kept on {engine.host}")
                results = results_server(engine, manifest.training_results, run, side_image)
                host_record = _rescue_on(record, cluster, host, engine, opened, results, side_image, tell)
                lists.append(_digests(store, host_record, tell) if host_record else {})
            left = engine.remove_run(run)
            release_run(allocator_of(cluster), engine, run)
            if left:
                tell(f"could not be removed on {engine.host}: {', '.join(left)}")
        record = replace(rescued(record, time.time()), checksums=store_digests(store, record, lists))
        store.write(
            record.results_bucket,
            f"{CONTROL_FOLDER}/{run}/{RECORD}",
            signed(asdict(record), new_run_key(home(), run), RECORD),
        )
        _store_document(store, record, lists)
    records.save(record)
    return record


def to_be_stored(record: Record) -> Record:
    """The record of the rescue itself: nothing has failed in it, whatever ended the run."""
    return replace(
        record, state=State.STORING, steps=(), reason="", error_code="", end="", evidence="", hint="", kept=()
    )


def rescued(record: Record, now: float) -> Record:
    """The record after all results are uploaded. A run with no other error is then complete."""
    record = replace(record, kept=(), hint="")
    store = f"the {record.results_place.partition(' ')[0]}"  # bucket, folder or export
    if record.end in BUCKET_REASONS and all(step.ok for step in record.steps):
        what = f"all commands exited with 0; the missing results are now in {store}"
        record = replace(record, end=Reason.COMPLETED.value, error_code="", evidence="", reason=what)
        return record.at(State.COMPLETED, now)
    uploaded = f"; the results kept on its hosts are now in {store}"
    return record if record.reason.endswith(uploaded) else replace(record, reason=record.reason + uploaded)


def _store_document(store: Store, record: Record, lists: Sequence[Mapping[str, str]]) -> None:
    """Store the public record of a run whose launch is known here."""
    run = record.training_id
    if launched := load_launched(home(), run):
        sums = {key: sha256 for one in lists for key, sha256 in one.items()}
        data = document_bytes(completed(run, launched, asdict(record), sums))
        elsewhere = key_for(run, ())
        is_there = any(item.key == elsewhere for item in store.objects(record.results_bucket, elsewhere))
        store.write(record.results_bucket, elsewhere if is_there else key_for(run, sums), data)


def _digests(store: Store, record: Record, tell: Callable[[str], None]) -> dict[str, str]:
    """The list of checksums so far; a list that cannot be trusted does not prevent the upload."""
    try:
        return stored_digests(store, record)
    except ToolkitError as error:
        if error.context.get("reason") != "refused":
            raise
        tell(f"{error.what}; the objects that it listed have no checksum now")
        return {}


def _has_volume(engine: Engine, run: TrainingId) -> bool:
    """Whether the run's volume is on a host. Raises if the engine does not answer: it may hold one."""
    return volume_of(run) in engine.names("volume", run, check=True)


def _let_leave(client: AgentClient, seconds: float) -> None:
    """Wait until the agent has exited, after it uploaded everything or gave up."""
    until = time.monotonic() + seconds
    while client.presence() is Presence.THERE and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)


def _rescue_on(
    record: Record,
    cluster: Cluster,
    host: str,
    engine: Engine,
    opened: Opened,
    results: FolderServer | None,
    side_image: str,
    tell: Callable[[str], None],
) -> Record | None:
    """Upload the results of one host; returns the record with its agent's report, None without a report."""
    run = record.training_id
    client = AgentClient(engine, run)
    if client.presence() is Presence.THERE:
        tell(f"the run's agent on {engine.host} is still active; waiting for it")
        _let_leave(client, cluster.deadlines.store + _FINISH_SECONDS)
        if not _has_volume(engine, run):
            return None  # an agent removes the volume only if all of it is stored
    for name in engine.names("container", run):  # left by an engine that was stopped midway
        engine.remove("container", name)
    agent = AgentContainer(engine, run, side_image, volume_of(run))
    side = SideContainer(engine, buckets_container(run), run, side_image, volume_of(run))
    mount = results_mount(record.results_bucket, opened["results"].prefix)
    folder, access = agent.start(rescue=True), opened["results"]
    if results:
        agent.make_folders()
        access = results.start_for_run(folder, access)
    side.hold_for(mount, folder, local=record.write_local)
    side.prepare({"results": access})
    with with_heartbeat(partial(agent.say, "heartbeat")):
        _recover(side, mount, run, local=record.write_local)
        side.prepare(None, learner_mounts(mount, run, write_local=record.write_local))
        job = job_on((host,), to_be_stored(record), cluster, mount, new_run_key(home(), run))
        agent.say("go", data=replace(job, rescue=True).to_json().encode())
    end = _end(client, record)
    _let_leave(client, _FINISH_SECONDS)  # it unmounts; killed earlier, it would leave a stale mount
    if end is None and not _has_volume(engine, run):
        return None  # it exited before its report was read
    if end is None or end.state is not State.COMPLETED:
        why = end.reason if end else "the rescue was interrupted"
        raise _still_there(engine, run, why, end.evidence if end else "")
    return end


def _recover(side: SideContainer, mount: Mount, run: TrainingId, *, local: bool) -> None:
    """Upload cached files that the new mount would discard. `local`: the run's own results will be in no mount."""
    done = side.run((*AGENT_PROGRAM, "recover", mount.filesystem, *((run,) if local else ())), check=False)
    if not done.ok:
        raise _still_there(side.engine, run, "the store refuses the results kept there", done.errors[-2000:])


def _still_there(engine: Engine, run: TrainingId, why: str, evidence: str) -> ToolkitError:
    hint = f"the results stay there; retry with: toolkit rescue {run}"
    return ToolkitError(Code.STORING_RESULTS, f"{engine.host}: {why}", evidence=evidence, hint=hint)


def _end(client: AgentClient, record: Record) -> Record | None:
    """The rescue's outcome from its agent's report; invalid reports are skipped."""
    last: Record | None = None
    for event in Events(client):
        if isinstance(event, Gone):
            return None
        if isinstance(event, Reported):
            with suppress(ValueError):
                last = read_report(event.record, record).record
    return last
