"""Verifies a run's public record: against its results, this machine's own record of the run, and its signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from toolkit.agent.checksums import MOST_BYTES, SUMS, sha256_of
from toolkit.agent.paths import RUN_FOLDER
from toolkit.agent.run_checksums import believed
from toolkit.run.document.compare import (
    MODEL_SIGNATURE,
    STATEMENT,
    below,
    code_differences,
    expected_files,
    file_differences,
    list_differences,
    own_differences,
)
from toolkit.run.document.find import FoundRecord
from toolkit.run.document.places import OnFile, Place
from toolkit.run.document.signatures import MAX_BYTES, model_differences, record_differences
from toolkit.run.records.record import Record


@dataclass(frozen=True)
class Own:
    """What this machine knows of a run: its own record, and what it launched (empty if that is not kept)."""

    record: Record
    launched: Mapping[str, Any]


@dataclass(frozen=True)
class Verified:
    """A record and what was compared.

    Attributes:
        files: how many files have the SHA-256 that the record gives.
        differences: everything that is not as recorded; empty if the record is true.
        not_here: how many recorded files are in no part that was collected.
        is_own: whether it was also compared with what this machine knows of the run.
        signed: whether a key was given, and both signatures are its own.
    """

    found: FoundRecord
    place: str
    files: int
    differences: tuple[str, ...]
    not_here: int = 0
    is_own: bool = False
    signed: bool = False


def listed_sums(place: Place, found: FoundRecord) -> tuple[dict[str, str], list[str]]:
    """SHA-256 by path, from the run's list of checksums, and what is wrong with it; empty without a list."""
    results, run = found.document.results, found.document.run.id
    if not results.list_sha256:
        return {}, ["results.files: named, but without a list of checksums"] if results.files else []
    name = f"{RUN_FOLDER}/{SUMS}"
    data = place.read(name, MOST_BYTES)
    if data is None:
        return {}, [] if place.partial else [f"{name!r}: missing"]
    try:
        sums = below(f"{run}/", believed(data, results.list_sha256))
    except ValueError:
        return {}, [f"{name!r}: SHA-256 {sha256_of(data)}, but {results.list_sha256} is recorded"]
    return sums, list_differences(found.document, sums)


def verify(found: FoundRecord, place: Place, own: Own | None, on_file: OnFile) -> Verified:
    """Compare the record with the results in `place`, and with `own`, what this machine knows of the run."""
    document = found.document
    sums, said = listed_sums(place, found)
    expected = expected_files(document, sums)
    there = place.digests(expected, on_file)
    said += code_differences(document)
    said += own_differences(found.values, own.launched, own.record) if own else []
    said += file_differences(expected, there, disputed=document.results.disputed, partial=place.partial)
    same = sum(there.get(path) == sha256 for path, sha256 in expected.items())
    not_here = len(expected.keys() - there.keys()) if place.partial else 0
    return Verified(found, place.name, same, tuple(said), not_here, own is not None)


def with_signatures(verified: Verified, place: Place, beside: Path | None, key: ec.EllipticCurvePublicKey) -> Verified:
    """With the result of checking both signatures, which may be in `beside`, the folder of a record's file."""
    document = verified.found.document
    sums, _ = listed_sums(place, verified.found)
    model = below("model/", expected_files(document, sums))
    said: list[str] = []
    if (statement := _signature(STATEMENT, place, beside)) is None:
        said.append(f"{STATEMENT!r}: missing; the record is not signed")
    else:
        said += record_differences(statement, verified.found.values, key)
    if model:
        if (bundle := _signature(MODEL_SIGNATURE, place, beside)) is None:
            said.append(f"{MODEL_SIGNATURE!r}: missing; the model is not signed")
        else:
            said += model_differences(bundle, model, key)
    return replace(verified, differences=(*verified.differences, *said), signed=not said)


def _signature(path: str, place: Place, beside: Path | None) -> bytes | None:
    """A signature beside the record's file, else beside the results."""
    if beside and (file := beside / path.rpartition("/")[2]).is_file():
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES)
    return place.read(path, MAX_BYTES)
