"""The folders that a recipe copies into its image: their files belong to no package, so each folder counts as one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from toolkit.inventory.model import Contents, File, Package

TREE = "tree"
_SHORT = 12


def with_trees(contents: Contents, targets: Sequence[str]) -> Contents:
    """`contents` with a package for each of the paths `targets`; its version is a hash over its files. Pure."""
    trees = [_tree(target.rstrip("/"), contents.files) for target in sorted(targets)]
    return replace(contents, packages=(*contents.packages, *(tree for tree in trees if tree.files)))


def _tree(target: str, files: Mapping[str, File]) -> Package:
    paths = [path for path in files if path == target or path.startswith(f"{target}/")]
    own = tuple(sorted(path for path in paths if files[path].kind != "folder"))
    lines = "".join(f"{path} {files[path].content}\n" for path in own)
    version = hashlib.sha256(lines.encode()).hexdigest()[:_SHORT]
    return Package(TREE, target, version, files=own, size=sum(files[path].size for path in own))
