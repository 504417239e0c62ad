"""An image's version: one hash over everything that goes into it, so that equal names mean equal inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from toolkit.catalogue.model import Base, Recipe, Tree
from toolkit.errors import Code, ToolkitError

HASH_LENGTH = 12
BUILD_FORMAT = 1
"""Counted up when the way of building changes in a manner that no input below shows."""


@dataclass(frozen=True)
class Inputs:
    """What went in: each input's name and its SHA-256."""

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


def base_inputs(base: Base) -> Inputs:
    """The inputs of a base image, which many recipes share."""
    facts = json.dumps({"kind": type(base).__name__, **asdict(base)}, sort_keys=True)
    return Inputs("toolkit-base", (("base", _sha256(facts.encode())),))


def read_inputs(recipe: Recipe) -> Inputs:
    """Read every file that `recipe` names, and hash it; raises `ToolkitError` (S103) for one that is not there."""
    files = [recipe.template, *([recipe.lock] if recipe.lock else []), *(tree.source for tree in recipe.trees)]
    missing = [str(file) for file in files if not file.exists()]
    if missing:
        raise ToolkitError(Code.IMAGE, f"recipe {recipe.name} names what is not there: {', '.join(missing)}")
    digests = [("base", base_inputs(recipe.base).digest), ("template", sha256_of(recipe.template))]
    digests.append(("labels", _sha256(json.dumps([recipe.title, recipe.facts]).encode())))
    if recipe.lock:
        digests.append(("lock", sha256_of(recipe.lock)))
    for tree in recipe.trees:
        digests += [
            (f"{tree.target}/{name}".rstrip("/") + _mode(file), sha256_of(file)) for name, file in tree_files(tree)
        ]
    return Inputs(recipe.name, tuple(digests))


def tree_files(tree: Tree) -> Iterator[tuple[str, Path]]:
    """The files of `tree` in a fixed order, each with its path below the tree; one file has the path ``""``."""
    if tree.source.is_file():
        yield "", tree.source
        return
    for file in sorted(tree.source.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(tree.source).as_posix(), file


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _mode(file: Path) -> str:
    """As `ls -F` marks it: whether a file may be executed is part of a layer, too."""
    return "*" if file.stat().st_mode & 0o100 else ""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
