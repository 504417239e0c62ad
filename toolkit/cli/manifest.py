"""`toolkit manifest ACT`: validate a manifest, convert it to the canonical form, print the JSON Schema, create one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from toolkit.api.manifests import check_manifests, convert_manifest, manifest_schema
from toolkit.cli.output import print_json, say
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.reader import ReadManifest
from toolkit.plural import counted


def run(arguments: argparse.Namespace) -> int:
    """Run one of the subcommands."""
    if arguments.act == "check":
        return _check(arguments)
    if arguments.act == "convert":
        return _convert(arguments)
    if arguments.act == "schema":
        print_json(manifest_schema())
        return 0
    from toolkit.cli import manifest_init

    return manifest_init.run(arguments)


def _check(arguments: argparse.Namespace) -> int:
    """Check every file, even if others are invalid; returns 2 if one is invalid."""
    answers: list[dict[str, object]] = []
    for file, found in check_manifests(arguments.file):
        if isinstance(found, ToolkitError):
            answers.append({"file": str(file), **found.as_json()})
            print(f"toolkit: error {found}", file=sys.stderr)
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
            print(f"{file}: valid manifest ({found.title}{warnings})")
    if arguments.json:
        print_json({"files": answers})
    return Code.MANIFEST.exit_status if any("error" in answer for answer in answers) else 0


def _convert(arguments: argparse.Namespace) -> int:
    """Write the canonical form to standard output or to a new file."""
    file = Path(arguments.file)
    converted = convert_manifest(file, arguments.output)
    found, text, keys = converted.read, converted.text, converted.keys
    report_warnings(found)
    if arguments.json:
        print_json({"dialect": found.dialect, "manifest": text, "keys_asked_for": list(keys)})
    elif not arguments.output:
        print(text, end="")
    if keys:
        say(
            f"literal keys in {file} are not copied: the new manifest takes them from "
            f"{', '.join(keys)} in the environment of the launch",
            "yellow",
        )
    return 0


def report_warnings(found: ReadManifest) -> None:
    """Each warning with its place in the file, and the canonical form of what was meant."""
    for warning in found.warnings:
        say(f"toolkit: warning {warning}", "yellow")
