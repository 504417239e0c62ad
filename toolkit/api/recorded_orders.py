"""A recorded run as the inputs of a launch: its manifest and code, read and compared with the record."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.api.conditions_here import canonical, conditions_here, continued_by, say_where, wanted
from toolkit.api.orders import Order, read_order
from toolkit.api.records import find_run
from toolkit.api.run_records import differing, read_record
from toolkit.cluster.model import Cluster
from toolkit.cluster.reader import read_cluster
from toolkit.containers.engine import LOCAL
from toolkit.errors import Code, ToolkitError
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import buckets_reference
from toolkit.manifest.deterministic import deterministic
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.manifest.results import bucket_name
from toolkit.paths import assets, home
from toolkit.plural import listed
from toolkit.progress import Progress, Report
from toolkit.run.comparison.conditions import (
    Difference,
    code_differences,
    code_entry,
    condition_differences,
    conditions_of,
)
from toolkit.run.comparison.here import code_beside, copy_code, data_now, manifest_file
from toolkit.run.comparison.packages import unmet
from toolkit.run.document.compare import code_differences as wrong_digest
from toolkit.run.document.compare import own_differences
from toolkit.run.document.find import FoundRecord, names_a_file
from toolkit.run.document.launched import load_launched
from toolkit.run.document.model import Data
from toolkit.run.plan.code_listing import Listed
from toolkit.run.plan.source_files import read_submitted
from toolkit.run.plan.training_id import TrainingId, new_label
from toolkit.run.records.record import Record, State
from toolkit.run.records.stored_run import fetch_code
from toolkit.storage.examine import located
from toolkit.storage.open_storage import Opened, open_access
from toolkit.storage.s3 import Store

_MOST_SHOWN = 6


@dataclass(frozen=True)
class Asked:
    """What a reproduction names: the run (ID or record's file), and what is used instead of what was recorded."""

    run: str
    manifest: Path | None = None
    cluster: Path | None = None
    code: Path | None = None
    deterministic: bool = False


@dataclass(frozen=True)
class Recorded:
    """A run's record, this machine's own record of the run if it has one, and the files to launch it again with."""

    found: FoundRecord
    own: Record | None
    manifest: Path
    cluster: Path | None
    deterministic: bool

    @property
    def listing(self) -> list[Listed]:
        """The recorded code."""
        return [Listed(one.path, one.sha256, one.executable) for one in self.found.document.code.files]


@dataclass(frozen=True)
class Prepared:
    """The launch that reproduces a run; `differences` are from what was recorded. `order` is None if there can be none
    because of them, for the reason `refused`."""

    recorded: Recorded
    differences: tuple[Difference, ...]
    order: Order | None
    refused: ToolkitError | None = None


def recorded(asked: Asked) -> Recorded:
    """The record of a run, and the files to launch it again with.

    Raises `ToolkitError`: as `read_record`; C202 if it is not what this machine recorded, or its own list of code is
    not the one that it names.
    """
    found = read_record(asked.run)
    own = own_record(found)
    again = asked.deterministic or bool(own and own.deterministic)
    own_manifest = _unchanged(own, found) if own else None
    if own and not (asked.manifest or own_manifest or load_launched(home(), own.training_id)):
        # Whoever can write to the bucket could choose what is run here.
        what = f"what was launched as {own.training_id} is no longer kept here, so the record's manifest was not used"
        raise ToolkitError(Code.MANIFEST, what, hint="name the manifest: --manifest FILE")
    manifest = asked.manifest or own_manifest or manifest_file(found.document, home())
    own_cluster = Path(own.cluster_file) if own and own.cluster_file else None
    return Recorded(found, own, manifest, asked.cluster or own_cluster, again)


@contextmanager
def prepared(asked: Asked, report: Report) -> Iterator[Prepared]:
    """The launch that reproduces a run, with its code in a temporary folder while the context lasts.

    Raises `ToolkitError`: as `recorded`; C102 if the code in the bucket is not the recorded one; C103 for keys.
    """
    run = recorded(asked)
    manifest = read_manifest(run.manifest)
    cluster = _cluster_of(run)
    end = run.found.document.end
    if end.state is not State.COMPLETED:
        note = f"{run.found.document.run.id} is {end.state} ({end.reason}): what it left is not that of a whole run"
        report(Progress("reproduce", note=note))
    with tempfile.TemporaryDirectory(prefix="toolkit-code-") as folder:
        code = Path(folder)
        given = asked.code or (code_beside(Path(asked.run)) if names_a_file(asked.run) else None)
        if given and (others := copy_code(given, run.listing, code)):
            note = f"{given}: not in the record, so left out: {listed(others, _MOST_SHOWN)}"
            report(Progress("reproduce", note=note))
        for line in [] if run.own or asked.manifest else _stores(manifest):
            report(Progress("reproduce", note=line))
        report(Progress("reproduce", "listing the data, fetching the code"))
        with _opened(manifest, run.found.document.run.id, on_hosts=cluster.remote) as opened:
            data = data_now(manifest, opened.remotes.get("data"), on_hosts=cluster.remote)
            continued = tuple(continued_by(manifest, opened))
            if not given:
                _fetch(run, manifest, opened, code)
        files = read_submitted(code, run.found.document.run.id).files
        found = {one.name: code_entry(one.sha256, one.executable) for one in files}
        yield _compared(run, found, data, continued, (code, given), report)


def _cluster_of(run: Recorded) -> Cluster:
    here = assets() / "clusters" / "local.yml"
    if run.cluster and not run.cluster.is_file():
        hint = f"name another one: --cluster FILE; this machine's is {here}"
        raise ToolkitError(Code.RESOURCES_ASKED, f"the cluster file {run.cluster} is not there", hint=hint)
    return read_cluster(run.cluster or here)


def _compared(
    run: Recorded,
    code: Mapping[str, str],
    data: Data,
    continued: tuple[Difference, ...],
    folders: tuple[Path, Path | None],
    report: Report,
) -> Prepared:
    """`folders`: that with the code, and the one that it was copied from, if it is not from the bucket."""
    folder, given = folders
    before = conditions_of(run.found.document)
    changed = tuple(code_differences(before.code or {}, code))
    try:
        order = read_order(
            run.manifest,
            run.cluster,
            folder,
            report,
            code_of=run.found.document.run.id
            if not changed
            else "",  # else it is read as new code is: it may hold keys
            deterministic=run.deterministic,
        )
    except ToolkitError as error:
        say_where(error, folder, given)
        if not changed:
            raise
        unmade = Difference("image", "cannot be made", before.image.reference, error.what)
        packages = [
            Difference("package", *one)
            for one in unmet(before.image.packages, wanted(run.manifest, _cluster_of(run), folder))
        ]
        return Prepared(run, (*changed, *packages, unmade), None, error)
    differences = (
        *condition_differences(before, conditions_here(run.found.document.run.id, order, code, data)),
        *continued,
    )
    return Prepared(run, differences, replace(order, reproduces=run.found.document.run.id))


def _stores(manifest: Manifest) -> Iterator[str]:
    """The stores that someone else's record names, and the keys with which they are asked."""
    for purpose, reference in manifest.buckets.items():
        if not reference.connection.is_embedded:
            keys = ", ".join(dict.fromkeys(map(str, reference.connection.secrets.values())))
            yield f"{purpose}: bucket {reference.place} at {reference.connection.endpoint_url}, with your {keys}"


def own_record(found: FoundRecord) -> Record | None:
    """This machine's own record of a run that was launched from here.

    Raises `ToolkitError` (C202) if `found` is not what this machine recorded, or lists other code than it names.
    """
    own, run = None, found.document.run.id
    with suppress(ToolkitError):
        own = find_run(run)
    wrong = wrong_digest(found.document)
    wrong += own_differences(found.values, load_launched(home(), run), own) if own else []
    if wrong:
        raise differing(f"{found.source} is not what {run} left; it was not used", wrong)
    return own


def _unchanged(own: Record, found: FoundRecord) -> Path | None:
    """The manifest that was launched from here, if it still says what was recorded: it may hold keys, the record does
    not."""
    file = Path(own.manifest_file)
    with suppress(ToolkitError):
        manifest = read_manifest(file)
        manifest = deterministic(manifest) if own.deterministic else manifest
        return file if canonical(manifest) == found.document.manifest else None
    return None


@contextmanager
def _opened(manifest: Manifest, run: TrainingId, *, on_hosts: bool) -> Iterator[Opened]:
    """The stores of a manifest; without its results if they are a folder on other hosts."""
    if manifest.uses_embedded_store:
        ImageStore().get(buckets_reference())
    host = None if on_hosts else LOCAL
    with open_access(manifest, home(), buckets_reference(), new_label(run), host=host) as opened:
        yield opened


def _fetch(run: Recorded, manifest: Manifest, opened: Opened, folder: Path) -> None:
    """Fetch the recorded code from the results. Raises `ToolkitError` (C102) if it is not there, or not as recorded."""
    bucket, training_id = bucket_name(manifest.training_results), run.found.document.run.id
    hint = "name a folder with it: --code FOLDER"
    if "results" not in opened.remotes:
        raise ToolkitError(Code.CODE, f"the code of {training_id} is in a folder of other hosts", hint=hint)
    try:
        store = Store(located(opened["results"], bucket))
        count = fetch_code(store, bucket, training_id, folder, run.listing)
    except ToolkitError as error:
        if error.code is not Code.CODE:  # the bucket was not reached; what was changed there stays refused
            error.hint = f"{error.hint}; or {hint}" if error.hint else hint
        raise
    if not count:
        raise ToolkitError(Code.CODE, f"{bucket} has no submitted code of {training_id}", hint=hint)
