"""Compares a run's public record with what it describes. Pure: each function returns every difference as a sentence."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from toolkit.agent.run_document import NAME, completed, document_bytes
from toolkit.run.document.model import RunDocument
from toolkit.run.plan.code_listing import Listed, code_digest
from toolkit.run.records.record import Record

CODE = "_submitted_code/"
"""The submitted code below the run's folder."""
STATEMENT, MODEL_SIGNATURE = "_run/record.dsse.json", "_run/model.sig"
ELSEWHERE = f"_run/{NAME}"
"""The record of a run whose program wrote its own `record.json`."""
_OWN = (NAME, ELSEWHERE, "_run/SHA256SUMS", STATEMENT, MODEL_SIGNATURE)
"""What the tool itself writes below the run's folder, besides what the list of checksums names."""
_RESULTS = ("stored_files", "stored_bytes", "list_sha256")


def own_differences(found: Mapping[str, Any], launched: Mapping[str, Any], record: Record) -> list[str]:
    """Differences from what this machine knows of the run: its own record, and what it sent when it launched it.

    Args:
        found: the public record, as plain values.
        launched: what `toolkit.run.document.launched.load_launched` has; empty if the run was launched elsewhere.
    """
    own = json.loads(document_bytes(completed(record.training_id, launched, asdict(record), {})))
    pairs = [
        ("run.id", found["run"]["id"], record.training_id),
        ("image.id", found["image"]["id"], record.image_id),
        ("code.sha256", found["code"]["sha256"], record.code_digest),
        *((f"end.{name}", found["end"][name], own["end"][name]) for name in ("state", "reason", "error_code")),
        *((f"results.{name}", found["results"][name], own["results"][name]) for name in _RESULTS),
    ]
    said = [f"{name}: {theirs!r}, but this machine recorded {ours!r}" for name, theirs, ours in pairs if theirs != ours]
    said += [f"{name}: not what this machine launched" for name in launched if found.get(name) != launched[name]]
    recorded = ["stages", "host_stages", "steps", "end"]
    recorded += [] if record.collected else ["metrics"]  # a collection adds metrics
    return said + [f"{name}: not what this machine recorded" for name in recorded if found.get(name) != own.get(name)]


def code_differences(document: RunDocument) -> list[str]:
    """Whether the code's digest is that of the files that the record lists."""
    listed = [Listed(one.path, one.sha256, one.executable) for one in document.code.files]
    found = code_digest(listed)
    ours = document.code.sha256
    return [] if found == ours else [f"code.sha256: {ours}, but that of the files listed is {found}"]


def list_differences(document: RunDocument, sums: Mapping[str, str]) -> list[str]:
    """Whether the record names the files of its list of checksums (SHA-256 by path below the run's folder)."""
    named = {one.path: one.sha256 for one in document.results.files}
    wrong = sorted(path for path, sha256 in named.items() if sums.get(path) != sha256)
    said = [f"results.files: {path!r} is not so in the list of checksums" for path in wrong]
    count = len(named) + document.results.omitted
    return said if count == len(sums) else [*said, f"results: {count} files, but {len(sums)} in the list of checksums"]


def expected_files(document: RunDocument, sums: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 by path of all that must be in the run's folder: its results (all of `sums`, if there are any), its
    code."""
    results = sums or {one.path: one.sha256 for one in document.results.files}
    results = {path: sha256 for path, sha256 in results.items() if path != ELSEWHERE}  # overwritten by the record
    return {**results, **{f"{CODE}{one.path}": one.sha256 for one in document.code.files}}


def file_differences(
    expected: Mapping[str, str], found: Mapping[str, str], *, disputed: Collection[str] = (), partial: bool = False
) -> list[str]:
    """Files that were changed, removed or added.

    Args:
        disputed: files without a checksum, which may be there or not.
        partial: only a part was collected; besides the model, what is not there is no difference.
    """
    return sorted(_file_differences(expected, found, set(disputed), partial))


def _file_differences(
    expected: Mapping[str, str], found: Mapping[str, str], disputed: set[str], partial: bool
) -> Iterator[str]:
    for path, sha256 in expected.items():
        if path not in found:
            if not partial or path.startswith("model/"):
                yield f"{path!r}: missing"
        elif found[path] != sha256:
            yield f"{path!r}: SHA-256 {found[path]}, but {sha256} is recorded"
    for path in found.keys() - expected.keys():
        if path not in disputed and not _is_own(path):
            yield f"{path!r}: not in the record"


def _is_own(path: str) -> bool:
    return path in _OWN or path.startswith("_run/SHA256SUMS.")


def below(prefix: str, sums: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 by path below `prefix`."""
    return {key.removeprefix(prefix): sha256 for key, sha256 in sums.items() if key.startswith(prefix)}
