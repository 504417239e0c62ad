"""From a file to a `Manifest`: the only place where bad input is met."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.manifest.wml import FRAMEWORK_PATHS, WmlManifest
from toolkit.yaml_source import read_source, validate


def read_manifest(file: Path) -> Manifest:
    """Read `file`; raises `ToolkitError` (C101) that lists every problem with its line, column and path."""
    return validate(read_source(file), WmlManifest).to_manifest()


def framework_error(file: Path, field: str, what: str) -> ToolkitError:
    """What the catalogue found wrong with the framework in `file`, placed at its `field`."""
    problem = read_source(file).problem(what, FRAMEWORK_PATHS[field])
    return ToolkitError(Code.MANIFEST, f"{file} has 1 problem", (problem,))
