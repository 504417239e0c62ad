"""`toolkit manifest init`: create a manifest, from prompts on a terminal or from flags."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from toolkit.api.catalogue import catalogue
from toolkit.api.manifests import write_manifest
from toolkit.catalogue.model import FrameworkRow
from toolkit.cli.console import console
from toolkit.cli.output import print_json, say
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.starter import Wishes

_QUESTIONS = {
    "name": "name of the training",
    "framework": "framework (toolkit frameworks lists them)",
    "framework_version": "its version",
    "python": "Python",
    "command": "training command, run on every rank",
    "compute": "GPU kind x GPUs per node, such as p100x2; or cpu",
    "nodes": "nodes",
    "endpoint": "S3 endpoint, or embedded",
    "data_bucket": "bucket with the training data",
    "results_bucket": "bucket for the results",
}
_FOLLOWS = {"framework": ("framework_version", "python"), "framework_version": ("python",)}
"""Values that are reset when another one changes."""


def run(arguments: argparse.Namespace) -> int:
    """Write the file; invalid answers are reported as they would be for the file."""
    target = Path(arguments.file)
    if target.exists():
        raise ToolkitError(Code.MANIFEST, f"{target} already exists", hint="name a new file")
    rows = catalogue()
    wishes = _from_flags(arguments, rows)
    if sys.stdin.isatty() and not arguments.yes and not arguments.json:
        wishes = _asked(wishes, {name for name in _QUESTIONS if getattr(arguments, name) is None}, rows)
    write_manifest(target, wishes)
    if arguments.json:
        print_json({"file": str(target)})
    say(f"{target} written\nnext: toolkit build {target}")
    return 0


def _from_flags(arguments: argparse.Namespace, rows: tuple[FrameworkRow, ...]) -> Wishes:
    """Values from the flags, and defaults for the rest: a framework's newest, two nodes, the embedded store."""
    name = arguments.name or bucket_name(Path(arguments.file).absolute().parent.name)
    base = bucket_name(name)
    wishes = Wishes(
        name=name,
        framework=arguments.framework or "tensorflow-ddl",
        framework_version=arguments.framework_version or "",
        python=arguments.python or "",
        command=arguments.command or "python train.py",
        compute=arguments.compute or "p100",
        nodes=arguments.nodes or 2,
        endpoint=arguments.endpoint or "embedded",
        data_bucket=arguments.data_bucket or f"{base}-data",
        results_bucket=arguments.results_bucket or f"{base}-results",
    )
    return with_newest(wishes, rows)


def with_newest(wishes: Wishes, rows: tuple[FrameworkRow, ...]) -> Wishes:
    """The newest version of its framework, and that one's newest Python, if they are not given."""
    same = [row for row in rows if row.framework == wishes.framework]
    version = wishes.framework_version or max((row.version for row in same), key=_numbers, default="1.0")
    pythons = (row.python for row in same if row.version == version)
    return replace(wishes, framework_version=version, python=wishes.python or max(pythons, key=_numbers, default="3"))


def bucket_name(text: str) -> str:
    """`My Training_1` as a valid bucket name: `my-training-1`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "training"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _asked(wishes: Wishes, open_questions: set[str], rows: tuple[FrameworkRow, ...]) -> Wishes:
    """Prompt for each open question, with the current value as the default."""
    for name in (field.name for field in fields(Wishes) if field.name in open_questions):
        answer = console.input(f"{_QUESTIONS[name]} [{getattr(wishes, name)}]: ").strip()
        if not answer:
            continue
        if name == "nodes" and not answer.isdecimal():
            raise ToolkitError(Code.MANIFEST, f"nodes: expected a whole number, found `{answer}`")
        answered: dict[str, Any] = {name: int(answer) if name == "nodes" else answer}
        answered |= dict.fromkeys(open_questions.intersection(_FOLLOWS.get(name, ())), "")
        wishes = with_newest(replace(wishes, **answered), rows)
    return wishes
