"""Signatures with a person's own key: DSSE envelopes (https://github.com/secure-systems-lab/dsse, v1.0.0), ECDSA.

The curves, and the hash for each, are those of Sigstore's bundles: P-256, P-384 and P-521.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from toolkit.errors import Code, ToolkitError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
NEW_KEY = "openssl ecparam -name prime256v1 -genkey -noout -out key.pem; openssl ec -in key.pem -pubout -out key.pub"
_MAX_KEY_BYTES = 1 << 16
_HASHES: Mapping[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}


def private_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in a PEM file. Raises `ToolkitError` (C103) that says why it cannot be used."""
    try:
        key = load_pem_private_key(_read(file), password=None)
    except TypeError:
        hint = f"decrypt it: openssl ec -in {file} -out FILE"
        raise ToolkitError(Code.CREDENTIALS, f"{file} is encrypted with a passphrase", hint=hint) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ToolkitError(Code.CREDENTIALS, f"{file} is not a private key in PEM", hint=NEW_KEY) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.key_size not in _HASHES:
        raise _other_kind(file)
    return key


def public_key(file: Path) -> ec.EllipticCurvePublicKey:
    """The public key in a PEM file. Raises `ToolkitError` (C103)."""
    try:
        key = load_pem_public_key(_read(file))
    except (ValueError, UnsupportedAlgorithm):
        hint = "openssl ec -in key.pem -pubout -out key.pub"
        raise ToolkitError(Code.CREDENTIALS, f"{file} is not a public key in PEM", hint=hint) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.key_size not in _HASHES:
        raise _other_kind(file)
    return key


def key_id(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of the public key's PEM, as model signing names it."""
    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def enveloped(payload: bytes, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """The envelope of a statement, signed."""
    signature = key.sign(_authenticated(payload), ec.ECDSA(_HASHES[key.curve.key_size]))
    signed = {"keyid": key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}
    return {"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE, "signatures": [signed]}


def opened(envelope: object, key: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    """The statement in an envelope that `key` has signed. Raises `ValueError` if it has not."""
    try:
        if not isinstance(envelope, dict) or envelope["payloadType"] != PAYLOAD_TYPE:
            raise ValueError("it is not an envelope of an in-toto statement")
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"][:16]]
    except (KeyError, TypeError, ValueError):
        raise ValueError("it is not an envelope of an in-toto statement") from None
    if not any(_is_signed(payload, signature, key) for signature in signatures):
        raise ValueError("it is not signed with this key")
    try:
        statement = json.loads(payload)
    except (ValueError, RecursionError):
        statement = None
    if not isinstance(statement, dict):
        raise ValueError("its payload is not a statement")
    return statement


def _is_signed(payload: bytes, signature: bytes, key: ec.EllipticCurvePublicKey) -> bool:
    try:
        key.verify(signature, _authenticated(payload), ec.ECDSA(_HASHES[key.curve.key_size]))
    except InvalidSignature:
        return False
    return True


def _authenticated(payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise ToolkitError(Code.CREDENTIALS, f"{file}: {error.strerror}", hint=NEW_KEY) from None


def _other_kind(file: Path) -> ToolkitError:
    what = f"{file} is not an ECDSA key on P-256, P-384 or P-521, which model signing requires"
    return ToolkitError(Code.CREDENTIALS, what, hint=NEW_KEY)
