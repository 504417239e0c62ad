"""An image's version: a hash over all of its inputs, so that equal names mean equal inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.atomic_file import sha256_of
from toolkit.catalogue.model import Base, DistributionBase, Recipe, RegistryBase, Tree
from toolkit.catalogue.reader import ADDITIONS_TEMPLATE, ENVIRONMENT_TEMPLATE
from toolkit.errors import Code, ToolkitError
from toolkit.lock.file import read_lock
from toolkit.lock.model import DebPin, Lock
from toolkit.lock.pool import AnyPin

HASH_LENGTH = 12
BUILD_FORMAT = 4
"""Incremented when the build changes in a way that no input below shows."""
BASE_NAME = "toolkit-base"
BUNDLE_NAME = "toolkit-bundle"
ENVIRONMENT_NAME = "toolkit-environment"
NATIVE_NAME = "toolkit-native"
COMPILE_PROGRAM = Path(__file__).parents[1] / "image" / "inside" / "compile.py"


@dataclass(frozen=True)
class Inputs:
    """The inputs: each one's name and SHA-256."""

    name: str
    digests: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """SHA-256 over all of them, in hexadecimal."""
        return hashlib.sha256(json.dumps([BUILD_FORMAT, *self.digests]).encode()).hexdigest()

    @property
    def reference(self) -> str:
        """The image's name and version, `<name>:<12 hex digits>`."""
        return f"{self.name}:{self.digest[:HASH_LENGTH]}"

    @property
    def summary(self) -> str:
        """`name=digest` of each, with digests cut to 16 digits, for people who compare two images."""
        return " ".join(f"{name}={digest[:16]}" for name, digest in self.digests)


def base_inputs(base: DistributionBase, debs: tuple[DebPin, ...]) -> Inputs:
    """The inputs of a base image, which many recipes share: its packages, and mmdebstrap's options."""
    asked = json.dumps([base.suite.name, base.variant, sorted(base.packages)])
    return Inputs(BASE_NAME, (("asked", _sha256(asked.encode())), ("debs", digest_of(debs))))


def digest_of(pins: Iterable[AnyPin]) -> str:
    """SHA-256 over the files of `pins`, whatever their order."""
    return _sha256("".join(f"{pin.sha256}\n" for pin in sorted(pins)).encode())


def base_reference(base: Base, lock: Lock) -> str:
    """The base image of everything else: built here, or a registry's, pinned by digest."""
    return base.image if isinstance(base, RegistryBase) else base_inputs(base, lock.debs).reference


def environment_inputs(recipe: Recipe, lock: Lock) -> Inputs:
    """The inputs of the environment, which every framework with the same lock shares."""
    return Inputs(
        ENVIRONMENT_NAME,
        (
            ("base", _sha256(base_reference(recipe.base, lock).encode())),
            ("template", sha256_of(recipe.template.parent / ENVIRONMENT_TEMPLATE)),
            ("compile", sha256_of(COMPILE_PROGRAM)),
            ("python", _sha256(recipe.python.encode())),
            ("wheels", digest_of(lock.wheels)),
        ),
    )


def bundle_inputs(recipe: Recipe, lock: Lock) -> Inputs:
    """The inputs of the environment with the site's bundle on top."""
    assert recipe.bundle
    below = environment_inputs(recipe, lock).digest
    return Inputs(BUNDLE_NAME, (("below", below), ("bundle", recipe.bundle.sha256)))


def native_inputs(recipe: Recipe, lock: Lock) -> Inputs:
    """The inputs of the environment with its compiled libraries on top."""
    native = recipe.native
    assert native
    compiler = base_reference(native.compiler.base, read_lock(native.compiler.lock))
    sources = tree_files(Tree(native.source, native.target))
    return Inputs(
        NATIVE_NAME,
        (
            ("below", _below_sources(recipe, lock)),
            ("compiler", _sha256(compiler.encode())),
            ("template", sha256_of(native.compiler.template)),
            *((f"{native.target}/{name}", sha256_of(file)) for name, file in sources),
        ),
    )


def _below_sources(recipe: Recipe, lock: Lock) -> str:
    """The digest of the parent of the tool's own sources: a bundle, the environment, or only the base."""
    if recipe.bundle:
        return bundle_inputs(recipe, lock).digest
    if lock.wheels:
        return environment_inputs(recipe, lock).digest
    return _sha256(base_reference(recipe.base, lock).encode())


def read_inputs(recipe: Recipe) -> Inputs:
    """Read and hash every file of `recipe`; raises `ToolkitError` (S103) for one that is missing.

    A program that the catalogue pins counts by its pin, as a lock's files do: it is compared when an image is built
    (`refuse_other_programs`, `tar_stream`), not for each launch, as rclone alone is 85 MB.
    """
    files = [recipe.template, *(tree.source for tree in recipe.trees)]
    files += [recipe.native.source, recipe.native.compiler.template] if recipe.native else []
    missing = [str(file) for file in files if not file.exists()]
    if missing:
        raise ToolkitError(Code.IMAGE, f"recipe {recipe.name} names missing files: {', '.join(missing)}")
    lock = read_lock(recipe.lock)
    below = native_inputs(recipe, lock).digest if recipe.native else _below_sources(recipe, lock)
    digests = [("below", below), ("template", sha256_of(recipe.template)), ("lock", sha256_of(recipe.lock))]
    digests.append(("labels", _sha256(json.dumps([recipe.title, recipe.facts, *recipe.architectures]).encode())))
    for tree in recipe.trees:
        digests += [
            (f"{tree.target}/{name}".rstrip("/") + _mode(file), tree.sha256 or sha256_of(file))
            for name, file in tree_files(tree)
        ]
    if recipe.additions:
        digests.append(("additions", sha256_of(recipe.additions.lock)))
        digests.append(("additions template", sha256_of(recipe.template.parent / ADDITIONS_TEMPLATE)))
    return Inputs(recipe.name, tuple(digests))


def refuse_other_programs(recipe: Recipe) -> None:
    """Raise `ToolkitError` (S103) if a program is not the one that the catalogue pins."""
    for tree in recipe.trees:
        if tree.sha256 and (found := sha256_of(tree.source)) != tree.sha256:
            raise ToolkitError(
                Code.IMAGE,
                f"{tree.source} is not {tree.release}: it was not used",
                evidence=f"expected sha256 {tree.sha256}\nfound    sha256 {found}",
                hint="reinstall the tool's packages by hash: pip install --force-reinstall --require-hashes "
                "-r requirements/tool.txt",
            )


def tree_files(tree: Tree) -> Iterator[tuple[str, Path]]:
    """The files of `tree` in a fixed order, each with its path below the tree; a single file has the path ``""``."""
    if tree.source.is_file():
        yield "", tree.source
        return
    for file in sorted(tree.source.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(tree.source).as_posix(), file


def _mode(file: Path) -> str:
    """As in `ls -F`: whether a file is executable is part of a layer, too."""
    return "*" if file.stat().st_mode & 0o100 else ""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
