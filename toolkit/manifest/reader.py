"""From a file in any dialect to a `Manifest`: the only place where bad input is met."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.errors import Code, Problem, ToolkitError
from toolkit.manifest.diagnostics import Diagnostics, Remark
from toolkit.manifest.dialects.registry import dialect_of
from toolkit.manifest.model import Manifest
from toolkit.manifest.other_files import other_file
from toolkit.yaml.source import Source, raise_if_any, read_source
from toolkit.yaml.validate import validate

MAX_BYTES = 64 << 10
MAX_VALUES = 2000
"""A manifest is about a page; a larger file is not one."""


@dataclass(frozen=True)
class ReadManifest:
    """A manifest, its dialect's name and title, and warnings about what has another meaning here than there."""

    manifest: Manifest
    dialect: str
    title: str
    warnings: tuple[Problem, ...]


def read_manifest(file: Path) -> Manifest:
    """Read `file`; raises `ToolkitError` (C101) that lists every problem with its line, column and path."""
    return read_with_warnings(file).manifest


def read_with_warnings(file: Path) -> ReadManifest:
    """Like `read_manifest`, with warnings that a person should see."""
    source = read_source(file, limit=MAX_BYTES, values=MAX_VALUES)
    if other := other_file(source):
        what, name = other
        raise ToolkitError(Code.MANIFEST, f"{file} has 1 problem", (source.problem(what, (name,), at_key=True),))
    dialect = dialect_of(source)
    diagnostics = Diagnostics()
    manifest = validate(source, dialect.model).to_manifest(diagnostics)
    raise_if_any(source, [_placed(source, remark) for remark in diagnostics.refusals], Code.MANIFEST)
    warnings = tuple(_placed(source, remark) for remark in diagnostics.warnings)
    return ReadManifest(manifest, dialect.name, dialect.title, warnings)


def framework_error(file: Path, field: str, what: str) -> ToolkitError:
    """The catalogue's error about the framework in `file`, placed at its `field`."""
    return ToolkitError(Code.MANIFEST, f"{file} has 1 problem", (framework_problem(file, field, what),))


def framework_problem(file: Path, field: str, what: str) -> Problem:
    """`what`, placed at that part of the framework: `name`, `version` or `python`."""
    source = read_source(file, limit=MAX_BYTES, values=MAX_VALUES)
    framework = dialect_of(source).framework
    runtimes = [(*framework, "runtimes", "version"), (*framework, "runtimes", 0, "version")]
    python = next((path for path in runtimes if source.has(path)), (*framework, "version"))
    return source.problem(what, python if field == "python" else (*framework, field))


def _placed(source: Source, remark: Remark) -> Problem:
    return replace(source.problem(remark.what, remark.path, at_key=remark.at_key), here=tuple(remark.here))
