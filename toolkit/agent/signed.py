"""Control objects of a run, authenticated with a key of the run: write access to the bucket is not enough to forge one.

The operator creates the key, sends it to the agents with the start signal, and keeps it beside the run's record. No
learner and no bucket has it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

_FIELD = "mac"


class Forged(ValueError):
    """An object that no agent of the run wrote."""


def signed(body: dict[str, Any], key: str, name: str) -> bytes:
    """The object `name` with `body`, as JSON with the field `mac`: HMAC-SHA256 over the name and all other fields."""
    plain = {field: value for field, value in body.items() if field != _FIELD}
    return json.dumps(plain | {_FIELD: _mac(plain, key, name)}, indent=1).encode()


def verified(data: bytes, key: str, name: str) -> dict[str, Any]:
    """The body of such an object. Raises `Forged` if it was written without the key, or for another name."""
    try:
        found = json.loads(data)
        mac = found.pop(_FIELD)
        right = hmac.compare_digest(_mac(found, key, name), mac)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        right = False
    if not key or not right:
        raise Forged(f"{name} was not written by an agent of this run")
    return dict(found)


def _mac(body: dict[str, Any], key: str, name: str) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hmac.new(key.encode(), f"{name}\n{text}".encode(), hashlib.sha256).hexdigest()
