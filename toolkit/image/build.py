"""Building an image: the deeds, in the order in which they are told.

An image that is there is not built again. A tag appears only when the whole image is there; a build that
fails or is killed leaves no image under the tag.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.catalogue.model import DistributionBase, Recipe
from toolkit.catalogue.version import base_inputs, read_inputs
from toolkit.image.base import make_base, temporary_tar
from toolkit.image.context import build_context
from toolkit.image.progress import Progress, Report
from toolkit.image.render import render_dockerfile
from toolkit.image.store import ImageStore
from toolkit.image.wheels import Fetching, fetch_wheels
from toolkit.places import private_folder
from toolkit.tar_stream import tar_stream


@dataclass(frozen=True)
class BuiltImage:
    """An image that is in the engine: its name and version, its id, its size in bytes; `fresh` if built just now."""

    reference: str
    image_id: str
    size: int
    fresh: bool


class Build:
    """One recipe made into one image. `run` is the story."""

    def __init__(self, recipe: Recipe, python: str, store: ImageStore, cache: Path, report: Report) -> None:
        self._recipe, self._python, self._store, self._report = recipe, python, store, report
        self._cache = private_folder(cache)
        self._inputs = read_inputs(recipe)

    def run(self) -> BuiltImage:
        """Build the image unless it is there; raises `ToolkitError` (S103) naming the step that failed."""
        with self._one_at_a_time():
            there = self._store.find(self._inputs.reference)
            if there:
                return BuiltImage(self._inputs.reference, there.image_id, there.size, fresh=False)
            self._make_base()
            wheels = self._fetch_wheels()
            self._build(wheels)
        made = self._store.get(self._inputs.reference)
        return BuiltImage(self._inputs.reference, made.image_id, made.size, fresh=True)

    def _make_base(self) -> None:
        base = self._recipe.base
        reference = base_inputs(base).reference
        if not isinstance(base, DistributionBase) or self._store.find(reference):
            return
        stage = f"base {base.suite}"
        tar = temporary_tar(self._cache)
        try:
            make_base(base, tar, lambda step: self._report(Progress(stage, step)))
            self._report(Progress(stage, "importing into the engine"))
            self._store.import_tar(tar, reference)
        finally:
            tar.unlink(missing_ok=True)

    def _fetch_wheels(self) -> dict[str, Path]:
        if not self._recipe.lock:
            return {}

        def on_progress(state: Fetching) -> None:
            detail = f"{state.package} ({state.position} of {state.count})" if state.package else "resolving"
            self._report(Progress("wheels", detail, state.done, state.total, "bytes"))

        self._report(Progress("wheels", "looking at what is here"))
        return fetch_wheels(self._recipe.lock, self._python, self._cache / "wheels", on_progress)

    def _build(self, wheels: dict[str, Path]) -> None:
        pip = wheels["pip"].name if "pip" in wheels else ""
        template = self._recipe.template.read_text(encoding="utf-8")
        dockerfile = render_dockerfile(self._recipe, self._inputs, template, pip)
        context = tar_stream(build_context(self._recipe, dockerfile, wheels))
        self._store.build(context, self._inputs.reference, self._report)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Two builds at once share bases and wheels: the second waits, and then finds what the first made."""
        with (self._cache / "build.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._report(Progress("waiting", "another build is running on this machine"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
