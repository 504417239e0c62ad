"""docker-py: the one module that imports it, which takes a fifth of a second of processor time.

It is imported when an image is built or transferred, and for an engine behind TCP or ssh.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import requests

if not os.environ.get("DOCKER_HOST", "").startswith("ssh:"):
    # docker-py imports Paramiko and Invoke for engines behind ssh: half of the time of its import.
    sys.modules.setdefault("docker.transport.sshconn", None)  # type: ignore[arg-type]

import docker
import docker.errors

from toolkit.containers.engine import engine_unreachable
from toolkit.containers.failure import EngineFailure, NotThere

Client: TypeAlias = docker.DockerClient
_TIMEOUT = 600
"""Seconds without a byte from the engine: committing a layer of some GB is silent for minutes."""


def connect() -> Client:
    """A client of this machine's engine; raises `ToolkitError` (S100) if no engine responds."""
    try:
        client = docker.from_env(timeout=_TIMEOUT)
        client.ping()
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise engine_unreachable(str(error)) from None
    return client


def ask(client: Client, path: str) -> Any:
    """The engine's answer to `GET path`; raises as docker-py's methods do."""
    answer = client.api.get(client.api.base_url + path, timeout=_TIMEOUT)
    try:
        answer.raise_for_status()
    except requests.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)
    return answer.json()


@contextmanager
def failures() -> Iterator[None]:
    """docker-py's errors as an `EngineFailure`."""
    try:
        yield
    except docker.errors.NotFound as error:
        raise NotThere(str(error.explanation or error)) from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineFailure(str(getattr(error, "explanation", None) or error)) from error
