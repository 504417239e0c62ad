"""The engine's HTTP API for images, through docker-py: the one module that imports it.

Errors are an `EngineFailure` with the engine's message; if no engine responds, it is a `ToolkitError`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

import requests

if not os.environ.get("DOCKER_HOST", "").startswith("ssh:"):
    # docker-py imports Paramiko and Invoke for engines behind ssh: half of the time of its import.
    sys.modules.setdefault("docker.transport.sshconn", None)  # type: ignore[arg-type]

import docker
import docker.errors

from toolkit.containers.engine import engine_unreachable
from toolkit.tar.read import PIECE

_TIMEOUT = 600
"""Seconds without a byte from the engine: committing a layer of some GB is silent for minutes."""
Event = Mapping[str, Any]
"""One line of the engine's progress: `stream`, `status`, `progressDetail`, `aux`, or `error`."""


class EngineFailure(Exception):
    """The engine refused, or the connection to it broke; the text is the message."""

    @property
    def full_disk(self) -> bool:
        """Whether the engine's disk is full."""
        return "no space left" in str(self)


class EngineImages:
    """This machine's engine. It connects at the first call, which raises `ToolkitError` (S100) if no engine
    responds. Every method raises `EngineFailure`."""

    def __init__(self) -> None:
        self._client: docker.DockerClient | None = None

    def version(self) -> str:
        """The engine's version, such as `28.2.2`."""
        with _failures():
            return str(self._engine.version()["Version"])

    def inspect(self, reference: str) -> Event | None:
        """`docker image inspect`'s object, or None if there is no such image."""
        found: Event | None = None
        with suppress(_NotThere), _failures():
            found = self._engine.api.inspect_image(reference)
        return found

    def history(self, image: str) -> list[dict[str, Any]]:
        """`docker history`, newest layer first: `CreatedBy` and `Size` (bytes)."""
        with _failures():
            return list(self._engine.api.history(image))

    def each(self) -> list[dict[str, Any]]:
        """Every image: `Id`, `RepoTags`, `Size`, `Created`, `Labels`."""
        with _failures():
            return list(self._engine.api.images())

    def tag(self, image: str, repository: str, tag: str) -> None:
        """Give the image another name."""
        with _failures():
            self._engine.api.tag(image, repository, tag)

    def remove(self, image: str) -> None:
        """Remove a name, or an image that has none."""
        with _failures():
            self._engine.api.remove_image(image)

    def prune_dangling(self, label: str) -> None:
        """Remove unnamed images that have `label` (`name=value`)."""
        with _failures():
            self._engine.images.prune(filters={"dangling": True, "label": label})

    def build(self, context: Iterator[bytes] | IO[bytes]) -> Iterator[Event]:
        """Build a tar with a Dockerfile with the classic builder, without network and cache."""
        options = {"network_mode": "none", "rm": True, "forcerm": True, "nocache": True, "decode": True}
        with _failures():
            yield from self._engine.api.build(fileobj=context, custom_context=True, **options)

    def save(self, reference: str) -> Iterator[bytes]:
        """`docker save`."""
        with _failures():
            yield from self._engine.api.get_image(reference, chunk_size=PIECE)

    def load(self, pieces: Iterable[bytes]) -> Iterator[Event]:
        """`docker load`."""
        with _failures():
            yield from self._engine.api.load_image(pieces)

    def push(self, repository: str, tag: str) -> Iterator[Event]:
        """`docker push`."""
        with _failures():
            yield from self._engine.api.push(repository, tag, stream=True, decode=True)

    def pull(self, repository: str, tag: str | None = None) -> Iterator[Event]:
        """`docker pull`; `repository` may end in a digest."""
        with _failures():
            yield from self._engine.api.pull(repository, tag, stream=True, decode=True)

    def create_container(self, image: str) -> str:
        """The id of a new container of the image, never started, to read from."""
        with _failures():
            return str(self._engine.api.create_container(image, ["true"])["Id"])

    def remove_container(self, container: str) -> None:
        """Remove it; no error if it is gone."""
        with suppress(_NotThere), _failures():
            self._engine.api.remove_container(container, force=True)

    def archive(self, container: str, path: str) -> Iterator[bytes]:
        """A tar of `path` in the container."""
        with _failures():
            pieces, _ = self._engine.api.get_archive(container, path, chunk_size=PIECE)
            yield from pieces

    def export(self, container: str) -> Iterator[bytes]:
        """A tar of the container's whole file system."""
        with _failures():
            yield from self._engine.api.export(container, chunk_size=PIECE)

    @property
    def _engine(self) -> docker.DockerClient:
        if self._client is None:
            try:
                client = docker.from_env(timeout=_TIMEOUT)
                client.ping()
            except (docker.errors.DockerException, requests.RequestException) as error:
                raise engine_unreachable(str(error)) from None
            self._client = client
        return self._client


class _NotThere(EngineFailure):
    """The requested object does not exist."""


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except docker.errors.NotFound as error:
        raise _NotThere(str(error.explanation or error)) from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineFailure(str(getattr(error, "explanation", None) or error)) from error
