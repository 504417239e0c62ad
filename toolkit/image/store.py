"""The images of a local engine, through docker-py: look one up, import a base, build with progress."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from toolkit.engines.docker_run import engine_unreachable
from toolkit.errors import Code, ToolkitError
from toolkit.image.progress import Progress, Report

_STEP = re.compile(r"^Step (\d+)/(\d+) : (.*)$", re.DOTALL)
LAST_LINES = 20
_TIMEOUT = 600
"""Seconds without a byte from the engine: committing a layer of some GB is silent for minutes."""


@dataclass(frozen=True)
class StoredImage:
    """An image of the engine: its id (digest of its configuration), its size in bytes, the variables it sets."""

    image_id: str
    size: int
    environment: tuple[tuple[str, str], ...]


class ImageStore:
    """The images of the engine on this machine. Making one does nothing; the wire opens on first use."""

    def __init__(self) -> None:
        self._client: docker.DockerClient | None = None

    def find(self, reference: str) -> StoredImage | None:
        """The image, or None where there is none."""
        try:
            image = self._engine().images.get(reference)
        except docker.errors.ImageNotFound:
            return None
        variables = tuple(tuple(entry.split("=", 1)) for entry in image.attrs["Config"]["Env"] or ())
        return StoredImage(str(image.id), int(image.attrs["Size"]), variables)

    def get(self, reference: str) -> StoredImage:
        """The image; raises `ToolkitError` (S103) where there is none."""
        found = self.find(reference)
        if not found:
            raise ToolkitError(Code.IMAGE, f"image {reference} is not here", mend="toolkit build MANIFEST")
        return found

    def import_tar(self, tar: Path, reference: str) -> None:
        """Make an image of one layer from a file system's tar."""
        name, _, tag = reference.partition(":")
        try:
            self._engine().api.import_image_from_file(str(tar), repository=name, tag=tag)
        except (docker.errors.APIError, requests.RequestException) as error:
            raise ToolkitError(Code.IMAGE, f"the engine could not import {reference}", evidence=str(error)) from error

    def build(self, context: Iterator[bytes], reference: str, report: Report) -> None:
        """Build `context` under `reference`, with no network; raises `ToolkitError` with the last lines of the step."""
        last: deque[str] = deque(maxlen=LAST_LINES)
        step, done, total = "sending the context", 0, 0
        report(Progress("image", step))
        options = {"network_mode": "none", "rm": True, "forcerm": True, "decode": True}
        try:
            for event in self._engine().api.build(fileobj=context, custom_context=True, tag=reference, **options):
                if "error" in event:
                    raise _build_failed(reference, step, str(event["error"]), last)
                text = str(event.get("stream", "")).rstrip()
                if match := _STEP.match(text):
                    step, done, total = match[3], int(match[1]), int(match[2])
                    report(Progress("image", step, done - 1, total))
                    last.clear()
                elif text and not text.startswith((" ---> ", "Removing intermediate")):
                    last.extend(text.splitlines())
        except (docker.errors.APIError, requests.RequestException, OSError) as error:
            raise _build_failed(reference, step, str(error), last) from error
        self._drop_stages()
        report(Progress("image", step, total, total))

    def _drop_stages(self) -> None:
        """The first stage holds the wheels once more and is of no use to anyone: a gigabyte.

        A build that was interrupted or failed leaves it, as cache for the next one, which then drops it.
        """
        self._engine().images.prune(filters={"dangling": True, "label": "toolkit.stage=environment"})

    def _engine(self) -> docker.DockerClient:
        if self._client is None:
            try:
                client = docker.from_env(timeout=_TIMEOUT)
                client.ping()
            except (docker.errors.DockerException, requests.RequestException) as error:
                raise engine_unreachable(str(error)) from None
            self._client = client
        return self._client


def _build_failed(reference: str, step: str, error: str, last: Any) -> ToolkitError:
    return ToolkitError(
        Code.IMAGE,
        f"building {reference} failed at: {step}",
        evidence="\n".join([*last, error]),
        mend="nothing was left under that name; mend the step and build again",
    )
