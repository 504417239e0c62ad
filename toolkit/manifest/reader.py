"""From a file to a `Manifest`: the only place where bad input is met."""

from __future__ import annotations

from pathlib import Path

from toolkit.manifest.model import Manifest
from toolkit.manifest.wml import WmlManifest
from toolkit.yaml_source import read_source, validate


def read_manifest(file: Path) -> Manifest:
    """Read `file`; raises `ToolkitError` (C101) that lists every problem with its line, column and path."""
    return validate(read_source(file), WmlManifest).to_manifest()
