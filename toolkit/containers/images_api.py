"""The engine's HTTP API for images: questions go to its socket, everything else through docker-py.

Errors are an `EngineFailure` with the engine's message; if no engine responds, it is a `ToolkitError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from toolkit.containers import engine_socket
from toolkit.containers.failure import NotThere
from toolkit.tar.read import PIECE

if TYPE_CHECKING:
    from toolkit.containers.docker_client import Client

Event = Mapping[str, Any]
"""One line of the engine's progress: `stream`, `status`, `progressDetail`, `aux`, or `error`."""
_IN_NAMES = "/:@"
"""What is in an image's name and is not quoted in a path."""


class EngineImages:
    """This machine's engine. It connects at the first call, which raises `ToolkitError` (S100) if no engine
    responds. Every method raises `EngineFailure`."""

    def version(self) -> str:
        """The engine's version, such as `28.2.2`."""
        return str(self._ask("/version")["Version"])

    def inspect(self, reference: str) -> Event | None:
        """`docker image inspect`'s object, or None if there is no such image."""
        found: Event | None = None
        with suppress(NotThere):
            found = self._ask(f"/images/{quote(reference, safe=_IN_NAMES)}/json")
        return found

    def history(self, image: str) -> list[dict[str, Any]]:
        """`docker history`, newest layer first: `CreatedBy` and `Size` (bytes)."""
        return list(self._ask(f"/images/{quote(image, safe=_IN_NAMES)}/history"))

    def each(self) -> list[dict[str, Any]]:
        """Every image: `Id`, `RepoTags`, `Size`, `Created`, `Labels`."""
        return list(self._ask("/images/json"))

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
        with suppress(NotThere), _failures():
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

    def _ask(self, path: str) -> Any:
        """The answer to a question: docker-py is needed only for an engine behind TCP or ssh."""
        if socket := engine_socket.local_socket():
            return engine_socket.ask(socket, path)
        from toolkit.containers import docker_client

        with docker_client.failures():
            return docker_client.ask(self._engine, path)

    @cached_property
    def _engine(self) -> Client:
        from toolkit.containers.docker_client import connect

        return connect()


@contextmanager
def _failures() -> Iterator[None]:
    from toolkit.containers.docker_client import failures

    with failures():
        yield
