"""`toolkit manifest ACT`: look a manifest over, turn it into the canonical form, its JSON Schema, a first one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from toolkit.catalogue.choose import CPU, CUDA, NotInCatalogue, choose
from toolkit.catalogue.model import Framework, FrameworkRow
from toolkit.cli.catalogue import catalogue
from toolkit.cli.compatible import facts_against
from toolkit.cli.manifest_output import report_warnings, write_new
from toolkit.cli.output import console, print_json
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.reader import ReadManifest, framework_error, read_with_warnings
from toolkit.manifest.schema import json_schema
from toolkit.manifest.write import canonical_text, literal_keys
from toolkit.plural import counted


def run(arguments: argparse.Namespace) -> int:
    """One act."""
    if arguments.act == "check":
        return _check(arguments)
    if arguments.act == "convert":
        return _convert(arguments)
    if arguments.act == "schema":
        print_json(json_schema(catalogue()))
        return 0
    from toolkit.cli import manifest_init

    return manifest_init.run(arguments)


def checked(file: Path, rows: tuple[FrameworkRow, ...]) -> ReadManifest:
    """The manifest in `file`, whose framework the catalogue has; raises `ToolkitError` (C101)."""
    found = read_with_warnings(file)
    try:
        chosen(rows, found.manifest.framework)
    except NotInCatalogue as error:
        what = f"{error}{facts_against(found.manifest.framework)}"
        raise framework_error(file, error.field, what) from None
    return found


def chosen(rows: tuple[FrameworkRow, ...], framework: Framework) -> FrameworkRow:
    """The row for `framework`, of whichever flavour there is."""
    flavour = (
        CPU if any(row.flavour == CPU and (row.framework, row.version) == _asked(framework) for row in rows) else CUDA
    )
    return choose(rows, framework, flavour)


def _asked(framework: Framework) -> tuple[str, str]:
    return framework.name, framework.version


def _check(arguments: argparse.Namespace) -> int:
    """Every file, whatever the others are; 2 where one is wrong."""
    rows = catalogue()
    answers: list[dict[str, object]] = []
    for file in map(Path, arguments.file):
        try:
            found = checked(file, rows)
        except ToolkitError as error:
            answers.append({"file": str(file), **error.as_json()})
            print(f"toolkit: error {error}", file=sys.stderr)
            continue
        report_warnings(found)
        answers.append(
            {
                "file": str(file),
                "dialect": found.dialect,
                "warnings": [str(warning) for warning in found.warnings],
            }
        )
        if not arguments.json:
            warnings = f", {counted(len(found.warnings), 'warning')}" if found.warnings else ""
            print(f"{file}: a manifest ({found.title}{warnings})")
    if arguments.json:
        print_json({"files": answers})
    return Code.MANIFEST.exit_status if any("error" in answer for answer in answers) else 0


def _convert(arguments: argparse.Namespace) -> int:
    """The canonical form, on standard output or into a file that is new."""
    file = Path(arguments.file)
    found = read_with_warnings(file)
    report_warnings(found)
    text, keys = canonical_text(found.manifest), literal_keys(found.manifest)
    if arguments.output:
        write_new(Path(arguments.output), text)
    if arguments.json:
        print_json({"dialect": found.dialect, "manifest": text, "keys_asked_for": list(keys)})
    elif not arguments.output:
        print(text, end="")
    if keys:
        console.print(
            f"keys that stand in {file} are not copied: it asks for them as {', '.join(keys)}, "
            "variables of the shell that launches",
            style="yellow",
            soft_wrap=True,
        )
    return 0
