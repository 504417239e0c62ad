"""Signatures with a person's own key: DSSE envelopes (https://github.com/secure-systems-lab/dsse, v1.0.0), ECDSA."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from toolkit.run.document.keys import CURVES

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def key_id(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of the public key's PEM, as model signing names it."""
    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def enveloped(payload: bytes, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """The envelope of a statement, signed."""
    signature = key.sign(_authenticated(payload), ec.ECDSA(CURVES[key.curve.name]))
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
        key.verify(signature, _authenticated(payload), ec.ECDSA(CURVES[key.curve.name]))
    except InvalidSignature:
        return False
    return True


def _authenticated(payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
