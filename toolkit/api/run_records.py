"""A run's public record, `record.json`: read, verified, signed, exported."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.api.records import find_run
from toolkit.atomic_file import write_output
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.paths import home
from toolkit.progress import Progress, Report, silent
from toolkit.run.document.compare import (
    MODEL_SIGNATURE,
    STATEMENT,
    below,
    code_differences,
    expected_files,
    own_differences,
)
from toolkit.run.document.dsse import key_id
from toolkit.run.document.export import export
from toolkit.run.document.find import FoundRecord, in_file, in_place, names_a_file
from toolkit.run.document.keys import private_key, public_key
from toolkit.run.document.launched import load_launched
from toolkit.run.document.model import document_schema
from toolkit.run.document.places import InBucket, InFolder, OnFile, Place
from toolkit.run.document.signatures import signed_model, signed_record
from toolkit.run.document.verify import Own, Verified, listed_sums, verify, with_signatures
from toolkit.run.follow.connect import results_store
from toolkit.run.records.record import Record
from toolkit.secrets import Secret
from toolkit.secrets.passphrase import SPELLINGS, resolve_passphrase

_MOST_NAMED = 1000


@dataclass(frozen=True)
class SignedRun:
    """A signed run: the record's signature and the model's (empty without a model), as stored, and the key's ID."""

    training_id: str
    statement: str
    model_signature: str
    key_id: str


def record_schema() -> dict[str, Any]:
    """The JSON Schema of a run's record.

    Example:
        >>> api.record_schema()["$id"]
    """
    return document_schema()


def read_record(run: str | Path) -> FoundRecord:
    """A run's record, from its bucket by training ID, or from a file.

    Raises:
        ToolkitError: C101 if there is no such run or file, S302 if the bucket has no record, C202 if it is none.

    Example:
        >>> api.read_record("training-9itkb8gw").document.metrics
    """
    if names_a_file(str(run)):
        return in_file(Path(run))
    with _stored(_ended(str(run))) as place:
        return in_place(place, place.run)


def verify_record(
    run: str | Path,
    *,
    folder: str | Path | None = None,
    key: str | Path | None = None,
    report: Report = silent,
) -> Verified:
    """Compare a run's record with its results, file by file, and with what this machine knows of the run.

    Args:
        run: a training ID, or a record's file.
        folder: where the results are (a copy of the run's folder, or a collected model); default: the run's bucket.
        key: a public key; then record and model must be signed with its private key.

    Returns:
        What was compared. Its `differences` name everything that is not as recorded.

    Raises:
        ToolkitError: C101 for a run that is not recorded here and no `folder`, C202 if the record is none.

    Example:
        >>> api.verify_record("record.json", folder="models/training-9itkb8gw", key="key.pub").differences
    """
    public = public_key(Path(key)) if key else None
    with _found(run, folder) as (found, place, own):
        known = Own(own, load_launched(home(), own.training_id)) if own else None
        verified = verify(found, place, known, _progress(report, "verifying"))
        beside = Path(run).parent if names_a_file(str(run)) else None
        return with_signatures(verified, place, beside, public) if public else verified


def sign_record(
    run: str,
    key: str | Path,
    *,
    passphrase: str = "",
    ask: Callable[[str], str] | None = None,
    output: str | Path | None = None,
) -> SignedRun:
    """Sign a run of this machine with your own key: its record, and its model if it has one.

    The signatures are stored beside the results; with `output`, an existing folder, they and the record are also
    written there.

    Args:
        key: an ECDSA private key in PEM (P-256, P-384 or P-521), which only its owner may read.
        passphrase: of an encrypted key, as a reference: `${env:NAME}` or `${file:PATH}`.
        ask: called with a prompt if the key is encrypted and there is no `passphrase`; returns it.

    Raises:
        ToolkitError: C101 if `output` is no folder, C103 for a key or passphrase that cannot be used, C202
            if the record is not what this machine's run left.

    Example:
        >>> api.sign_record("training-9itkb8gw", "key.pem").statement
    """
    given = resolve_passphrase(passphrase, os.environ) if passphrase else None
    private = private_key(Path(key), lambda: given or _asked(key, ask))
    if output and not Path(output).is_dir():
        raise ToolkitError(Code.MANIFEST, f"{output} is not a folder", hint="create it, or choose another")
    own = _ended(run)
    with _stored(own) as place:
        found = in_place(place, own.training_id)
        sums, said = listed_sums(place, found)
        said += code_differences(found.document)
        said += own_differences(found.values, load_launched(home(), own.training_id), own)
        if said:
            raise differing(f"{found.source} is not what {own.training_id} left; it was not signed", said)
        model = below("model/", expected_files(found.document, sums))
        made = {STATEMENT: signed_record(found.values, private), MODEL_SIGNATURE: signed_model(model, private)}
        made = {path: data for path, data in made.items() if data}
        for path, data in made.items():
            place.write(path, data)
    if output:
        for path, data in {**made, "record.json": found.data}.items():
            write_output(Path(output) / path.rpartition("/")[2], data)
    names = (f"{place.name}/{STATEMENT}", f"{place.name}/{MODEL_SIGNATURE}" if MODEL_SIGNATURE in made else "")
    return SignedRun(own.training_id, *names, key_id(private.public_key()))


def export_record(
    run: str | Path,
    output: str | Path,
    *,
    folder: str | Path | None = None,
    licence: str = "",
    report: Report = silent,
) -> Path:
    """Write a run as a Workflow Run RO-Crate: record, manifest, code, results, and metadata that relate them.

    Args:
        run, folder: as for `verify_record`.
        output: a new folder.
        licence: the URL of the licence of code and results (default: none is stated).

    Raises:
        ToolkitError: C101 if `output` exists, C202 if a file is not as recorded; then nothing is written.

    Example:
        >>> api.export_record("training-9itkb8gw", "crate", licence="https://spdx.org/licenses/CC-BY-4.0")
    """
    target = Path(output)
    with _found(run, folder) as (found, place, _):
        if said := export(found, place, target, licence, _progress(report, "exporting")):
            raise differing(f"{found.source} does not match {place.name}; nothing was exported", said)
    return target


def differing(what: str, differences: list[str]) -> ToolkitError:
    """The error (C202) that names each difference, up to a thousand."""
    named = [Problem(one) for one in differences[:_MOST_NAMED]]
    more = len(differences) - len(named)
    return ToolkitError(
        Code.MODEL_CHECK,
        what,
        (*named, *([Problem(f"and {more} more")] if more else [])),
        hint="something was changed after the run: who may write there?",
    )


def _asked(key: str | Path, ask: Callable[[str], str] | None) -> Secret:
    if ask:
        return Secret(ask(f"passphrase of {key}: "))
    what = f"{key} is encrypted, and no passphrase is given"
    raise ToolkitError(Code.CREDENTIALS, what, hint=f"name where it is, {SPELLINGS}")


def _ended(run: str) -> Record:
    record = find_run(run)
    if record.final:
        return record
    what = f"{record.training_id} has not ended: its record is stored at its end"
    raise ToolkitError(Code.MANIFEST, what, hint=f"toolkit logs -f {record.training_id}")


def _known(run: str, folder: str | Path | None) -> Record | None:
    """This machine's own record of a run; None if it has none, and the results are in `folder`."""
    try:
        return find_run(run)
    except ToolkitError:
        if folder:
            return None
    what = f"{run} was not launched from here, so where its results are is not known"
    raise ToolkitError(Code.MANIFEST, what, hint="name a copy of them: toolkit record verify FILE --folder FOLDER")


@contextmanager
def _found(run: str | Path, folder: str | Path | None) -> Iterator[tuple[FoundRecord, Place, Record | None]]:
    """A record, where its results are, and this machine's own record of the run if it has one."""
    given = in_file(Path(run)) if names_a_file(str(run)) else None
    own = _known(given.document.run.id, folder) if given else _ended(str(run))
    with _place(own, folder) as place:
        yield given or _beside(place, own), place, own


def _beside(place: Place, own: Record | None) -> FoundRecord:
    """The record beside the results of a run that is known here; a collected model has none, so its bucket is asked."""
    assert own
    if not place.partial:
        return in_place(place, own.training_id)
    with _stored(own) as stored:
        return in_place(stored, own.training_id)


@contextmanager
def _stored(record: Record) -> Iterator[InBucket]:
    with results_store(record) as store:
        yield InBucket(store, record.results_bucket, record.training_id)


@contextmanager
def _place(own: Record | None, folder: str | Path | None) -> Iterator[Place]:
    if folder or own is None:
        yield InFolder(Path(folder or "."))
        return
    with _stored(own) as place:
        yield place


def _progress(report: Report, stage: str) -> OnFile:
    done = 0

    def on_file(path: str, size: int) -> None:
        nonlocal done
        done += size
        report(Progress(stage, path, done, 0, "bytes"))

    return on_file
