"""An image as its stages: each one's parent, Dockerfile, context, and the paths kept of it. Pure.

base (mmdebstrap) → environment (the lock's wheels) → the image itself. Each has a reference that is a hash of its
inputs, so an existing stage is not rebuilt, and images that share a stage share its layers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, StrictUndefined

from toolkit.catalogue.model import LEARNER_UID, Native, Recipe, RegistryBase, Tree
from toolkit.catalogue.reader import ENVIRONMENT_TEMPLATE, NATIVE_TEMPLATE
from toolkit.errors import Code, ToolkitError
from toolkit.fetch.wheels import requirements_text
from toolkit.image import labels as label
from toolkit.image.bundle_layer import LIBRARIES
from toolkit.image.version import (
    COMPILE_PROGRAM,
    Inputs,
    base_reference,
    bundle_inputs,
    environment_inputs,
    native_inputs,
    tree_files,
)
from toolkit.lock.file import read_lock
from toolkit.lock.model import Lock, WheelPin
from toolkit.lock.pool import Pool
from toolkit.lock.wheel_choice import is_foreign
from toolkit.tar.write import Entry

_HEADERS = {
    "nvidia-cuda-nvcc-cu12": "cuda_nvcc",
    "nvidia-cuda-runtime-cu12": "cuda_runtime",
    "nvidia-nccl-cu12": "nccl",
}
"""NVIDIA's wheels whose headers are needed to compile native libraries, and their folders in `nvidia`."""


@dataclass(frozen=True)
class Stage:
    """One build on `parent`: its Dockerfile, the files beside it, and the paths whose content becomes the layer."""

    reference: str
    parent: str
    dockerfile: str
    context: tuple[Entry, ...]
    roots: tuple[str, ...]
    origin: str
    apart: bool = False
    """Built in another image than `parent`: only the files at `roots` are taken from it, and none of its settings."""
    variables: tuple[str, ...] = ()
    """`NAME=value` added to the parent's settings, if it is built in another image."""

    def entries(self) -> Iterator[Entry]:
        """The build context: the Dockerfile and everything that it copies."""
        yield Entry("Dockerfile", self.dockerfile.encode())
        yield from self.context


def stages_of(
    recipe: Recipe, inputs: Inputs, lock: Lock, templates: Mapping[str, str], pool: Pool, namespace: str = ""
) -> tuple[Stage, ...]:
    """The stages on top of the base, from the lowest up.

    Args:
        templates: the templates' texts by file name.
        namespace: prepended to every name, so that a second build of the same inputs does not find the first.
    """
    stages: list[Stage] = []
    parent = in_namespace(namespace, recipe, base_reference(recipe.base, lock))
    if lock.wheels:
        reference = namespace + environment_inputs(recipe, lock).reference
        stages.append(_environment(recipe, lock, templates[ENVIRONMENT_TEMPLATE], pool, parent, reference))
        parent = reference
    if recipe.bundle:
        parent = namespace + bundle_inputs(recipe, lock).reference
    if recipe.native:
        reference = namespace + native_inputs(recipe, lock).reference
        template = templates[NATIVE_TEMPLATE]
        stages.append(native_stage(recipe, recipe.native, template, lock.wheels, parent, reference, namespace))
        parent = reference
    stages.append(_image(recipe, inputs, lock, templates[recipe.template.name], parent, namespace + inputs.reference))
    return tuple(stages)


def in_namespace(namespace: str, recipe: Recipe, reference: str) -> str:
    """The base's name in `namespace`; a registry's image keeps its name."""
    return reference if isinstance(recipe.base, RegistryBase) else namespace + reference


def import_paths(recipe: Recipe) -> tuple[str, ...]:
    """Python's search path besides the environment: the tool's own library, the user's own packages."""
    return ("/opt/ddl", f"/opt/user/lib/python{recipe.python}/site-packages")


def labels(recipe: Recipe, inputs: Inputs, lock: Lock) -> dict[str, str]:
    """All labels of the image; nothing here depends on when or where it is built."""
    base = recipe.base
    facts = {
        "base": base.image if isinstance(base, RegistryBase) else base.suite.title,
        "packages": [] if isinstance(base, RegistryBase) else list(base.packages),
        "python": recipe.python,
        "requirements": list(recipe.requirements),
        "gpu": list(recipe.architectures),
        "trees": [tree.target for tree in recipe.trees] + ([recipe.native.target] if recipe.native else []),
        "debs": len(lock.debs),
        "wheels": len(lock.wheels),
    }
    return {
        label.TITLE: recipe.title,
        label.VERSION: inputs.reference,
        label.BASE: base_reference(base, lock),
        label.COMBINATION: recipe.name,
        label.INPUTS_SHA256: inputs.digest,
        label.INPUTS: inputs.summary,
        label.RECIPE: json.dumps(facts, sort_keys=True, separators=(",", ":")),
        label.FACTS: recipe.facts,
    }


def native_stage(
    recipe: Recipe,
    native: Native,
    template: str,
    wheels: Sequence[WheelPin],
    parent: str,
    reference: str,
    namespace: str = "",
) -> Stage:
    """The native libraries for the environment `parent` of `wheels`, compiled in a base that has the compilers."""
    compiler = native.compiler
    dockerfile = render(
        template,
        parent=parent,
        compiler=in_namespace(namespace, compiler, base_reference(compiler.base, read_lock(compiler.lock))),
        stage=reference,
        python=recipe.python,
        target=native.target,
        headers=[_HEADERS[wheel.name] for wheel in sorted(wheels) if wheel.name in _HEADERS],
    )
    sources = tree_files(Tree(native.source, native.target))
    context = tuple(Entry(f"native/{name}", file) for name, file in sources)
    library_path = f"{native.target}:{LIBRARIES}" if recipe.bundle else native.target
    origin = f"toolkit native: {native.source.parent.name}, compiled for {recipe.name}"
    variables = (f"LD_LIBRARY_PATH={library_path}",)
    return Stage(reference, parent, dockerfile, context, (native.target,), origin, apart=True, variables=variables)


def _environment(recipe: Recipe, lock: Lock, template: str, pool: Pool, parent: str, reference: str) -> Stage:
    roots = ("/opt/venv",)
    foreign = [wheel for wheel in lock.wheels if is_foreign(wheel.file, recipe.python)]
    dockerfile = render(
        template,
        parent=parent,
        stage=reference,
        roots=roots[0],
        python=recipe.python,
        pip_wheel=_pip(lock.wheels),
        foreign=bool(foreign),
        paths=import_paths(recipe),
    )
    context = wheels_context(lock.wheels, pool, foreign)
    return Stage(
        reference, parent, dockerfile, tuple(context), roots, f"toolkit environment: {len(lock.wheels)} wheels"
    )


def wheels_context(wheels: Sequence[WheelPin], pool: Pool, foreign: Sequence[WheelPin] = ()) -> list[Entry]:
    """The files of `wheels`, their requirements file, that of those for another Python, and what compiles them."""
    context = [Entry(f"wheels/{wheel.file}", pool.path(wheel), sha256=wheel.sha256) for wheel in sorted(wheels)]
    own = [wheel for wheel in wheels if wheel not in foreign]
    context.append(Entry("wheels/requirements.lock", requirements_text(own).encode()))
    if foreign:
        context.append(Entry("wheels/foreign.lock", requirements_text(foreign).encode()))
    return [*context, Entry("compile.py", COMPILE_PROGRAM)]


def _image(recipe: Recipe, inputs: Inputs, lock: Lock, template: str, parent: str, reference: str) -> Stage:
    context = [Entry("lock.yml", recipe.lock)]
    for index, tree in enumerate(recipe.trees):
        for name, file in tree_files(tree):
            mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            context.append(Entry(f"{_context_name(index)}/{name}".rstrip("/"), file, mode, sha256=tree.sha256))
    dockerfile = render(
        template,
        parent=parent,
        stage=reference,
        python=recipe.python,
        paths=import_paths(recipe),
        trees=[{"context": _context_name(index), "target": tree.target} for index, tree in enumerate(recipe.trees)],
        uid=LEARNER_UID,
        labels=labels(recipe, inputs, lock),
    )
    roots = (*(tree.target for tree in recipe.trees), label.LOCK_IN_IMAGE)
    return Stage(reference, parent, dockerfile, tuple(context), roots, f"toolkit image: {recipe.name}")


def _pip(wheels: Sequence[WheelPin]) -> str:
    for wheel in wheels:
        if wheel.name == "pip":
            return wheel.file
    raise ToolkitError(Code.IMAGE, "the lock has wheels, but no pip to install them", hint="add pip to the recipe")


def _context_name(index: int) -> str:
    return f"trees/{index}"


def render(template: str, **values: Any) -> str:
    """A Dockerfile; an undefined name in the template is an error, never an empty string."""
    # A Dockerfile is not HTML: autoescape would turn quotes into entities.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    environment.filters["quoted"] = _quoted
    return environment.from_string(template).render(values)


def _quoted(value: str) -> str:
    """A value in a Dockerfile's double quotes, where `$` would start a variable."""
    return json.dumps(value, ensure_ascii=False).replace("$", "\\$")
