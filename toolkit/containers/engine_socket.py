"""What the engine of this machine answers on its socket: questions that only read need no engine client.

docker-py, which does everything else, takes a fifth of a second of processor time to import
(`python -m benchmarks.startup`).
"""

from __future__ import annotations

import http.client
import json
import os
from typing import Any

from toolkit.agent.unix_http import UnixConnection
from toolkit.containers.engine import engine_unreachable
from toolkit.containers.failure import EngineFailure, NotThere

_DEFAULT = "/var/run/docker.sock"
_SCHEME = "unix://"
_TIMEOUT = 120
_MOST = 64 << 20
"""Bytes of an answer: the list of ten thousand images has 10 MB."""


def local_socket() -> str:
    """The engine's socket, as docker-py chooses it; empty if `DOCKER_HOST` names another machine."""
    address = os.environ.get("DOCKER_HOST") or _SCHEME + _DEFAULT
    return address.removeprefix(_SCHEME) if address.startswith(_SCHEME + "/") else ""


def ask(socket: str, path: str) -> Any:
    """The engine's answer to `GET path`.

    Raises `NotThere` or `EngineFailure` with its message, and `ToolkitError` (S100) if no engine responds.
    """
    connection = UnixConnection(socket, _TIMEOUT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        data = answer.read(_MOST)
        found = json.loads(data)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise engine_unreachable(f"{socket}: {error}") from None
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        message = str(found.get("message", found) if isinstance(found, dict) else found)
        raise (NotThere if answer.status == http.client.NOT_FOUND else EngineFailure)(message)
    return found
