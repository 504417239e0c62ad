"""A run's public record, `record.json` beside its results: what the launch sent, completed by how the run ended. Pure.

Its form is described by `toolkit/run/document/record.schema.json`. It holds no keys, and is not signed with the run's
own: whoever launched the run has the digest of its list of checksums, anyone else needs a signature.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from toolkit.agent.paths import CHECKPOINTS, RUN_FOLDER

NAME = "record.json"
MOST_FILES = 20_000
"""Of the results named in the record; the list of checksums, whose SHA-256 is in it, has them all."""
_LONGEST, _LARGEST = 4096, 1 << 62
"""Of a metric: characters of its name or text, and its absolute value if it is whole."""
_STEP = ("number", "exit_status", "seconds", "started", "ended", "attempts", "folder", "argv", "ranks", "times")
_HOST = ("host", "offset", "operator_clock", "host_clock")
_END = {"state": "state", "end": "reason", "reason": "what", "error_code": "error_code", "evidence": "evidence"}


def completed(
    run: str,
    launched: Mapping[str, Any],
    record: Mapping[str, Any],
    sums: Mapping[str, str],
    disputed: Collection[str] = (),
) -> dict[str, Any]:
    """The whole record of `run`.

    Args:
        launched: what was known before the run started (`toolkit.run.document.launched`).
        record: the run's internal record at its end, as plain values.
        sums: SHA-256 by key, of what its programs wrote; empty if there is no list.
        disputed: the keys that two hosts wrote differently, which have no checksum.
    """
    own, shared = _below(f"{run}/", sums), _below(f"{CHECKPOINTS}/", sums)
    hosts = [{name: host[name] for name in _HOST if name in host} for host in record.get("host_stages", ())]
    return dict(launched) | {
        "stages": [{"state": state, "at": at} for state, at in record.get("states", ())],
        **({"host_stages": hosts} if hosts else {}),
        "steps": [{name: step[name] for name in _STEP if name in step} for step in record.get("steps", ())],
        "end": {ours: record.get(field, "") for field, ours in _END.items()} | {"kept": list(record.get("kept", ()))},
        "metrics": {name: value for name, value in record.get("metrics", {}).items() if _is_metric(name, value)},
        "results": {
            "stored_files": record.get("stored_files", 0),
            "stored_bytes": record.get("stored_bytes", 0),
            "list_sha256": record.get("checksums", ""),
            "files": own[:MOST_FILES],
            "omitted": max(0, len(own) - MOST_FILES),
            "disputed": sorted(key.removeprefix(f"{run}/") for key in disputed if key.startswith(f"{run}/")),
            "checkpoints": shared[:MOST_FILES],
        },
    }


def key_for(run: str, written: Iterable[str]) -> str:
    """The record's key: beside the results, unless a program wrote a file of that name, which is not overwritten.

    Without a list of what was written, `written` is empty, and it is not known whether there is one. The other key is
    in the tool's own folder; a record that is there is the one that counts, so a program that put one there gains
    nothing.
    """
    keys, own, other = list(written), f"{run}/{NAME}", f"{run}/{RUN_FOLDER}/{NAME}"
    taken = not keys or any(key in (own, other) or key.startswith(f"{own}/") for key in keys)
    return other if taken else own


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """As it is stored."""
    return json.dumps(document, indent=1).encode() + b"\n"


def _is_metric(name: str, value: object) -> bool:
    """Whether the operator takes it from the run's report, too; JSON has no infinity."""
    if isinstance(value, float):
        return len(name) <= _LONGEST and math.isfinite(value)
    fits = len(value) <= _LONGEST if isinstance(value, str) else isinstance(value, int) and abs(value) < _LARGEST
    return len(name) <= _LONGEST and fits


def _below(prefix: str, sums: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"path": key.removeprefix(prefix), "sha256": sha256}
        for key, sha256 in sorted(sums.items())
        if key.startswith(prefix)
    ]
