"""Builds an image, step by step.

An existing image is not built again. A name appears only once the image is complete; a build that fails or is killed
leaves no image under the name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.catalogue.model import DistributionBase, Recipe, RegistryBase, SiteBundle
from toolkit.catalogue.reader import ADDITIONS_TEMPLATE, ENVIRONMENT_TEMPLATE, NATIVE_TEMPLATE
from toolkit.errors import Code, ToolkitError
from toolkit.image.builders import Builder
from toolkit.image.bundle_layer import LIBRARY_PATH, write_bundle_layer
from toolkit.image.stage_builder import Prove, Workshop
from toolkit.image.stages import Stage, in_namespace, stages_of
from toolkit.image.store import ImageStore
from toolkit.image.user_packages import additions_stage, packages_inputs, write_packages_layer
from toolkit.image.version import base_reference, bundle_inputs, environment_inputs, read_inputs, refuse_other_programs
from toolkit.lock.file import read_lock
from toolkit.lock.staleness import stale
from toolkit.progress import Report
from toolkit.user_packages.lock import packages_base
from toolkit.user_packages.question import stale_additions


@dataclass(frozen=True)
class BuiltImage:
    """An image in the engine: its name and version, its ID, its size in bytes; `fresh` if it was built just now."""

    reference: str
    image_id: str
    size: int
    fresh: bool


class Build:
    """Builds one image from one recipe. `run` is the workflow.

    `namespace` is prepended to every name, so that a second build of the same inputs does not find the first; `prove`
    validates the image before it is tagged.
    """

    def __init__(
        self,
        recipe: Recipe,
        store: ImageStore,
        builder: Builder,
        cache: Path,
        report: Report,
        prove: Prove | None = None,
        namespace: str = "",
    ) -> None:
        self._recipe, self._store, self._namespace, self._prove = recipe, store, namespace, prove
        self._workshop = Workshop(store, builder, cache, report)
        self._lock = read_lock(recipe.lock)
        self._added = read_lock(recipe.additions.lock) if recipe.additions else None
        self._framework = replace(recipe, additions=None)
        self.reference = namespace + read_inputs(recipe).reference
        """The image's name and version."""

    def run(self) -> BuiltImage:
        """Build the image unless it exists; raises `ToolkitError` (S103) naming the step that failed."""
        self._refuse_stale()
        there = self._store.find(self.reference)
        if there:
            return BuiltImage(self.reference, there.image_id, there.size, fresh=False)
        refuse_other_programs(self._recipe)
        self._make_base()
        made = False
        for stage in self.stages():
            made = self._make(stage)
        image = self._store.get(self.reference)
        return BuiltImage(self.reference, image.image_id, image.size, fresh=made)

    def stages(self) -> tuple[Stage, ...]:
        """The stages on top of the base, from the lowest up."""
        folder = self._recipe.template.parent
        names = [self._recipe.template.name]
        names += [ENVIRONMENT_TEMPLATE] if self._lock.wheels else []
        names += [NATIVE_TEMPLATE] if self._recipe.native else []
        templates = {name: (folder / name).read_text("utf-8") for name in names}
        inputs = read_inputs(self._framework)
        stages = stages_of(self._framework, inputs, self._lock, templates, self._workshop.pool, self._namespace)
        if not self._recipe.additions or not self._added:
            return stages
        parent = self._packages_reference if self._recipe.additions.packages else stages[-1].reference
        template = (folder / ADDITIONS_TEMPLATE).read_text("utf-8")
        inputs = read_inputs(self._recipe)
        top = additions_stage(self._recipe, inputs, self._added, template, self._workshop.pool, parent, self.reference)
        return (*stages, top)

    @property
    def _packages_reference(self) -> str:
        """The image with the user's Debian packages."""
        assert self._added
        return self._namespace + packages_inputs(self._framework, self._added).reference

    def _make(self, stage: Stage) -> bool:
        lock = self._lock
        if self._added and stage.reference == self.reference:
            lock = self._added
            self._add_packages()
        if stage.apart:
            self._make_compiler(stage)
        if self._recipe.bundle and stage.reference == self._namespace + read_inputs(self._framework).reference:
            self._add_bundle(self._recipe.bundle)
        with_wheels = any(entry.name.startswith("wheels/") for entry in stage.context)
        prove = self._prove if stage.reference == self.reference else None
        return self._workshop.make_stage(stage, lock.wheels if with_wheels else (), self._recipe.python, prove)

    def _make_base(self) -> None:
        base, reference = self._recipe.base, base_reference(self._recipe.base, self._lock)
        if isinstance(base, RegistryBase):
            self._store.pull(reference)
        else:
            name = in_namespace(self._namespace, self._recipe, reference)
            self._workshop.make_base(base, self._lock.debs, name)

    def _make_compiler(self, stage: Stage) -> None:
        native = self._recipe.native
        if native and isinstance(native.compiler.base, DistributionBase) and not self._store.find(stage.reference):
            lock = read_lock(native.compiler.lock)
            name = self._namespace + base_reference(native.compiler.base, lock)
            self._workshop.make_base(native.compiler.base, lock.debs, name)

    def _add_packages(self) -> None:
        additions, added = self._recipe.additions, self._added
        if not additions or not additions.packages or not added:
            return
        base = packages_base(self._recipe)
        below = in_namespace(self._namespace, self._recipe, base_reference(self._recipe.base, self._lock))
        parent = self._namespace + read_inputs(self._framework).reference
        self._workshop.make_layer(
            parent,
            self._packages_reference,
            lambda folder: write_packages_layer(self._workshop, base, added.debs, below, additions.packages, folder),
        )

    def _add_bundle(self, bundle: SiteBundle) -> None:
        below = self._namespace + environment_inputs(self._framework, self._lock).reference
        reference = self._namespace + bundle_inputs(self._framework, self._lock).reference
        self._workshop.make_layer(below, reference, lambda folder: write_bundle_layer(bundle, folder), [LIBRARY_PATH])

    def _refuse_stale(self) -> None:
        compilers = [self._recipe.native.compiler] if self._recipe.native else []
        for recipe, lock in ((self._framework, self._lock), *((one, read_lock(one.lock)) for one in compilers)):
            if why := stale(recipe, lock):
                what = f"the lock of {recipe.name} is stale: {why}"
                raise ToolkitError(Code.IMAGE, what, hint=f"toolkit lock {recipe.name}")
        if self._added and (why := stale_additions(self._recipe, self._added)):
            what = f"{self._recipe.additions.lock if self._recipe.additions else ''} is stale: {why}"
            raise ToolkitError(Code.CODE, what, hint="toolkit lock MANIFEST")
