"""From a file to a `Manifest`, whatever its dialect: the only place where bad input is met."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.errors import Code, Problem, ToolkitError
from toolkit.manifest.diagnostics import Diagnostics, Remark
from toolkit.manifest.dialects.canonical import DEFINITION, CanonicalManifest
from toolkit.manifest.dialects.ffdl import FfdlManifest
from toolkit.manifest.dialects.wml import WmlManifest
from toolkit.manifest.dialects.wml_2017 import Wml2017Manifest
from toolkit.manifest.dialects.wml_v4 import WmlV4Manifest
from toolkit.manifest.model import Manifest
from toolkit.manifest.other_files import other_file
from toolkit.plural import counted
from toolkit.yaml.source import Path_, Source, read_source
from toolkit.yaml.validate import validate

MAX_BYTES = 64 << 10
MAX_VALUES = 2000
"""A manifest is a page; more than this is no manifest."""

DIALECTS: dict[str, type[Any]] = {
    "canonical": CanonicalManifest,
    "wml": WmlManifest,
    "wml-2017": Wml2017Manifest,
    "wml-v4": WmlV4Manifest,
    "ffdl": FfdlManifest,
}
_TITLES = {
    "canonical": "the canonical form",
    "wml": "Watson ML",
    "wml-2017": "Watson ML of 2017",
    "wml-v4": "Watson ML, API version 4",
    "ffdl": "FfDL",
}
_FFDL = ("data_stores", "learners", "gpus", "gpu_type", "evaluation_metrics", "framework")
_SIGNS = {
    "wml-v4": ("training_data_references", "results_reference"),
    "wml-2017": ("training_data", "training_results"),
}
"""Names at a file's top that only this dialect has."""


@dataclass(frozen=True)
class ReadManifest:
    """A manifest, the dialect that its file speaks, and what means something else here than there."""

    manifest: Manifest
    dialect: str
    warnings: tuple[Problem, ...]

    @property
    def title(self) -> str:
        """The dialect as a person reads it."""
        return _TITLES[self.dialect]


def read_manifest(file: Path) -> Manifest:
    """Read `file`; raises `ToolkitError` (C101) that lists every problem with its line, column and path."""
    return read_with_warnings(file).manifest


def read_with_warnings(file: Path) -> ReadManifest:
    """As `read_manifest`, with what a person should know of the file."""
    source = read_source(file, limit=MAX_BYTES, values=MAX_VALUES)
    if other := other_file(source):
        what, name = other
        raise ToolkitError(Code.MANIFEST, f"{file} has 1 problem", (source.problem(what, (name,), at_key=True),))
    dialect = dialect_of(source)
    diagnostics = Diagnostics()
    manifest = validate(source, DIALECTS[dialect]).to_manifest(diagnostics)
    if diagnostics.refusals:
        problems = tuple(_placed(source, remark) for remark in diagnostics.refusals)
        raise ToolkitError(Code.MANIFEST, f"{file} has {counted(len(problems), 'problem')}", problems)
    return ReadManifest(manifest, dialect, tuple(_placed(source, remark) for remark in diagnostics.warnings))


def dialect_of(source: Source) -> str:
    """The dialect by the names at the file's top; the canonical form is Watson ML's, with everything said outright."""
    names = {key.value for key, _ in source.root.value}
    if "model_definition" not in names and names.intersection(_FFDL):
        return "ffdl"
    for dialect, signs in _SIGNS.items():
        if names.intersection(signs):
            return dialect
    return "canonical" if source.has((*DEFINITION, "execution", "steps")) and _is_canonical(source) else "wml"


def _is_canonical(source: Source) -> bool:
    """Whether the strict form takes it; where not, Watson ML's other spellings are read, and its errors reported."""
    try:
        validate(source, CanonicalManifest)
    except ToolkitError:
        return False
    return True


def framework_error(file: Path, field: str, what: str) -> ToolkitError:
    """What the catalogue found wrong with the framework in `file`, placed at its `field`."""
    return ToolkitError(Code.MANIFEST, f"{file} has 1 problem", (framework_problem(file, field, what),))


def framework_problem(file: Path, field: str, what: str) -> Problem:
    """`what`, placed where the part of the framework stands: `name`, `version` or `python`."""
    source = read_source(file, limit=MAX_BYTES, values=MAX_VALUES)
    framework: Path_ = ("framework",) if dialect_of(source) == "ffdl" else (*DEFINITION, "framework")
    runtimes = [(*framework, "runtimes", "version"), (*framework, "runtimes", 0, "version")]
    python = next((path for path in runtimes if source.has(path)), (*framework, "version"))
    return source.problem(what, python if field == "python" else (*framework, field))


def _placed(source: Source, remark: Remark) -> Problem:
    return replace(source.problem(remark.what, remark.path, at_key=remark.at_key), here=tuple(remark.here))
