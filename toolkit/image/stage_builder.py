"""The side effects common to all builds: fetch a lock's files, build a base, build a stage, one build at a time."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from toolkit.catalogue.model import DistributionBase
from toolkit.fetch.debs import fetch_debs
from toolkit.fetch.wheels import fetch_wheels
from toolkit.file_lock import lock
from toolkit.full_disk import disk_watched
from toolkit.image.base import make_base
from toolkit.image.builders import Builder
from toolkit.image.config import ImageConfig, base_config, settled_settings, with_variables
from toolkit.image.layer import Layer, LayerWriter
from toolkit.image.stages import Stage
from toolkit.image.store import ImageStore
from toolkit.lock.model import DebPin, WheelPin
from toolkit.lock.pool import Pool
from toolkit.paths import private_folder
from toolkit.progress import Progress, Report

Prove = Callable[[str], None]
"""Validates an image, by its ID, before it is tagged; raises `ToolkitError` if it fails."""


class Workshop:
    """The engine, a builder, and this machine's cache."""

    def __init__(self, store: ImageStore, builder: Builder, cache: Path, report: Report) -> None:
        self.store, self.report = store, report
        self._builder, self._cache = builder, private_folder(cache)
        self.pool = Pool(self._cache / "pool")

    def make_base(self, base: DistributionBase, debs: tuple[DebPin, ...], reference: str) -> None:
        """Build the base `reference` unless it exists."""
        with self._alone(reference) as there, self.scratch() as folder:
            if there:
                return
            origin = f"toolkit base: {base.suite.title}, {len(debs)} packages"
            layer = self.base_layer(base, debs, folder / "layer.tar", reference, origin)
            config = base_config(layer)
            self.report(Progress(reference, "loading into the engine"))
            self.store.tag(self.store.load(config, [layer]), reference)

    def base_layer(
        self, base: DistributionBase, debs: tuple[DebPin, ...], file: Path, reference: str, origin: str
    ) -> Layer:
        """The normalized file system of `base`, in `file`."""
        with self._alone("packages"):
            fetch_debs(debs, base.suite, self.pool, self.report)
        tar = file.with_name(f"raw-{file.stem}.tar")  # mmdebstrap chooses the format by the suffix
        make_base(base, debs, self.pool, tar, lambda step: self.report(Progress(reference, step)))
        self.report(Progress(reference, "settling"))
        writer = LayerWriter(file, origin)
        with tar.open("rb") as stream:
            writer.add(stream)
        tar.unlink()
        return writer.finish()

    def make_stage(self, stage: Stage, wheels: tuple[WheelPin, ...], python: str, prove: Prove | None) -> bool:
        """Build the stage unless it exists; returns whether it was built now. `wheels` are in its context."""
        with self._alone(stage.reference) as there:
            if there:
                return False
            with self._alone("wheels"):
                fetch_wheels(wheels, python, self.pool, self.report)
            parent = self.store.get(stage.parent).config
            built = self._builder.build(stage, self.report)
            try:
                with self.scratch() as folder:
                    self.report(Progress(stage.reference, "settling"))
                    layer = self.store.cut(built, stage.roots, folder / "layer.tar", stage.origin)
                    settings = settled_settings(self.store.get(built).config.settings)
                    if stage.apart:
                        settings = with_variables(settled_settings(parent.settings), stage.variables)
                    self._load(stage.reference, parent.on_top(settings, layer), layer, prove)
            finally:
                self.store.remove(built)
        return True

    def make_layer(
        self, parent: str, reference: str, write: Callable[[Path], Layer], variables: Sequence[str] = ()
    ) -> None:
        """Create `reference` unless it exists: `parent` with one layer on top, which `write` puts into a folder.

        `variables` (`NAME=value`) are added to the parent's.
        """
        with self._alone(reference) as there, self.scratch() as folder:
            if not there:
                below = self.store.get(parent).config
                layer = write(folder)
                settings = with_variables(settled_settings(below.settings), variables)
                self._load(reference, below.on_top(settings, layer), layer, None)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A temporary folder for layers; leftovers of a killed build are removed first."""
        scratch = private_folder(self._cache / "layers")
        for left in scratch.iterdir():
            if not _is_alive(int(left.name.partition("-")[0])):
                shutil.rmtree(left, ignore_errors=True)
        with disk_watched(), tempfile.TemporaryDirectory(dir=scratch, prefix=f"{os.getpid()}-") as folder:
            yield Path(folder)

    def _load(self, reference: str, config: ImageConfig, layer: Layer, prove: Prove | None) -> None:
        self.report(Progress(reference, "loading into the engine"))
        image_id = self.store.load(config, [layer])
        if prove:
            try:
                prove(image_id)
            except BaseException:
                self.store.remove(image_id)
                raise
        self.store.tag(image_id, reference)

    @contextmanager
    def _alone(self, what: str) -> Iterator[bool]:
        """One build at a time creates `what`: a second one waits, and then checks whether the image exists."""
        file = private_folder(self._cache / "locks") / what.replace("/", "_").replace(":", "_")
        # The cache may be shared: an existing file of that name is neither followed nor truncated.
        with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), "rb+") as opened:
            lock(opened, lambda: self.report(Progress(what, "waiting for another build on this machine")))
            yield ":" in what and self.store.find(what) is not None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
