"""The images of one host: what exists, what is missing, and the operations that change it. An image is tagged last."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.shipping.hosts import ship_commands
from toolkit.shipping.hosts.missing_layers import prefix_there
from toolkit.shipping.hosts.ship_commands import There

_MOST_IMAGES = 500
"""Only the newest of a host's images are inspected: a command line has a maximum length."""


class HostImages:
    """The images of `engine`'s host. Every method raises `ToolkitError` that names it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def host(self) -> str:
        """The host's name."""
        return self.engine.host

    def has(self, image_id: str, reference: str) -> bool:
        """Whether the image exists under its ID and its name; if only the name is missing, it is added.

        Raises `ToolkitError` (S103) if the name belongs to another image there.
        """
        found = self._inspect([image_id, reference])
        own = next((image for image in found if image.image_id == image_id), None)
        other = next((image for image in found if image.image_id != image_id and reference in image.names), None)
        if other:
            raise ToolkitError(
                Code.IMAGE,
                f"host {self.host} has a different image named {reference}",
                evidence=f"on the host     {other.image_id}\nto be shipped   {image_id}",
                hint=f"to replace it, run `docker image rm {reference}` on {self.host}",
                context={"host": self.host},
            )
        if own and reference not in own.names:
            self.engine.run(self.engine.runtime.tag_image(image_id, reference))
        return own is not None

    def prefix(self, diff_ids: Sequence[str]) -> int:
        """How many of these layers, from the lowest up, the host has."""
        return prefix_there(diff_ids, (image.layers for image in self._all()))

    def names(self) -> list[str]:
        """The names of the host's images, sorted."""
        return sorted({name for image in self._all() for name in image.names})

    def load(self, pieces: Iterable[bytes]) -> None:
        """Load an archive as a stream."""
        with self.translated_errors():
            self.engine.feed(self.engine.runtime.load_image(), pieces)

    def name(self, image_id: str, reference: str) -> None:
        """Tag the loaded image if it is the expected one; raises `ToolkitError` (S103) if that is missing."""
        if not any(image.image_id == image_id for image in self._inspect([image_id])):
            raise ToolkitError(
                Code.IMAGE,
                f"host {self.host} has no {image_id} after the transfer",
                hint="an engine with the containerd image store identifies images differently: switch it to overlay2",
                context={"host": self.host},
            )
        self.engine.run(self.engine.runtime.tag_image(image_id, reference))

    def pull(self, place: str, image_id: str) -> None:
        """Pull the image from `place`, `host:port/name@digest` or with a tag.

        Raises `ToolkitError` if that fails, or if it is another image; then nothing keeps that name.
        """
        self.engine.run(self.engine.runtime.pull_image(place), timeout=None)
        came = self._inspect([place])
        if not any(image.image_id == image_id for image in came):
            self.engine.run(self.engine.runtime.untag_image(place), check=False)
            ids = ", ".join(image.image_id for image in came)
            raise ToolkitError(Code.IMAGE, f"{place} is not the expected image", evidence=f"it is {ids}")

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise the engine's message about a full disk as an error that says so; other messages are ignored."""
        try:
            yield
        except ToolkitError as error:
            if "no space left" not in error.evidence.lower():
                raise
            raise ToolkitError(
                Code.RESOURCES,
                f"the disk of {self.host}'s engine is full",
                evidence=error.evidence[-1000:],
                hint=f"see `docker system df` on {self.host}, and free some space; nothing of the image was kept there",
                context={"host": self.host},
            ) from None

    def _all(self) -> tuple[There, ...]:
        ids = list(dict.fromkeys(self.engine.run(self.engine.runtime.list_images()).output.split()))
        return self._inspect(ids[:_MOST_IMAGES])

    def _inspect(self, images: Sequence[str]) -> tuple[There, ...]:
        if not images:
            return ()
        result = self.engine.run(self.engine.runtime.inspect_images(images), check=False)
        if not result.ok and not self.engine.runtime.is_absent(result.errors):
            raise self.engine.failed(result)
        return ship_commands.read_images(result.output)

    def forget(self, name: str) -> None:
        """Remove a name; no error if it does not exist."""
        with contextlib.suppress(ToolkitError):
            self.engine.run(self.engine.runtime.untag_image(name), check=False)
