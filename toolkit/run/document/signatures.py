"""A signed run: an in-toto statement whose predicate is its public record, and its model's OpenSSF signature. Pure.

A model's signature is a Sigstore bundle with a key, in the format of OpenSSF Model Signing 1.0
(https://github.com/ossf/model-signing-spec), so that its own tool verifies it: `model_signing verify key`. It is
written here because the digests are known: that tool would read the whole model, and brings sigstore, tuf and more than
twenty other packages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from toolkit.run.document.dsse import enveloped, key_id, opened

MAX_BYTES = 96 << 20
"""Of a signature, which contains a record."""
_STATEMENT = "https://in-toto.io/Statement/v1"
_MODEL_PREDICATE = "https://model_signing/signature/v1.0"
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_SERIALIZATION = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": list[str]()}


def signed_record(document: Mapping[str, Any], key: ec.EllipticCurvePrivateKey) -> bytes:
    """The statement about a run's results, in its signed envelope; `document` is the record as plain values."""
    statement = {
        "_type": _STATEMENT,
        "subject": _subjects(document),
        "predicateType": document["schema"],
        "predicate": dict(document),
    }
    return _text(enveloped(json.dumps(statement).encode(), key))


def record_differences(data: bytes, document: Mapping[str, Any], key: ec.EllipticCurvePublicKey) -> list[str]:
    """Why the envelope `data` does not vouch for `document`; empty if it does."""
    try:
        statement = opened(_json(data), key)
    except ValueError as error:
        return [f"the record's signature: {error}"]
    about = {"predicateType": document["schema"], "predicate": dict(document)}
    wanted = {"_type": _STATEMENT, "subject": _subjects(document), **about}
    other = [name for name, value in wanted.items() if statement.get(name) != value]
    return [f"the record's signature is of another record: its {name} differs" for name in other]


def signed_model(files: Mapping[str, str], key: ec.EllipticCurvePrivateKey) -> bytes:
    """The signature of a model, of which `files` gives the SHA-256 by path below its folder; empty if it has none."""
    if not files:
        return b""
    statement = {
        "_type": _STATEMENT,
        "subject": [{"name": "model", "digest": {"sha256": _root(files)}}],
        "predicateType": _MODEL_PREDICATE,
        "predicate": {"serialization": _SERIALIZATION, "resources": _resources(files)},
    }
    bundle = {
        "mediaType": _BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": key_id(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": enveloped(json.dumps(statement).encode(), key),
    }
    return _text(bundle)


def model_differences(data: bytes, files: Mapping[str, str], key: ec.EllipticCurvePublicKey) -> list[str]:
    """Why the bundle `data` does not vouch for a model of these files; empty if it does."""
    bundle = _json(data)
    try:
        statement = opened(bundle.get("dsseEnvelope") if isinstance(bundle, dict) else None, key)
    except ValueError as error:
        return [f"the model's signature: {error}"]
    try:
        predicate, of_model = statement["predicate"], statement["predicateType"] == _MODEL_PREDICATE
        resources = {one["name"]: one["digest"] for one in predicate["resources"]}
        by = [predicate["serialization"][name] for name in ("method", "hash_type")]
    except (KeyError, TypeError):
        of_model = False
    if not of_model:
        return ["the model's signature is not one of a model"]
    if by != ["files", "sha256"]:
        return [f"the model's signature is by {by[0]} and {by[1]}; expected files and sha256, as in the record"]
    other = sorted(name for name in files.keys() | resources.keys() if files.get(name) != resources.get(name))
    return [f"the model's signature is of another model: {name!r} differs" for name in other]


def _subjects(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The run's results; the list of checksums stands for those that the record does not name."""
    results = document["results"]
    named = [(one["path"], one["sha256"]) for one in results["files"]]
    listed = [("_run/SHA256SUMS", results["list_sha256"])] if results["list_sha256"] else []
    return [{"name": path, "digest": {"sha256": sha256}} for path, sha256 in [*named, *listed]]


def _resources(files: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "algorithm": "sha256", "digest": sha256} for name, sha256 in sorted(files.items())]


def _root(files: Mapping[str, str]) -> str:
    """SHA-256 over the files' digests, in the order of their names."""
    return hashlib.sha256(b"".join(bytes.fromhex(files[name]) for name in sorted(files))).hexdigest()


def _text(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
