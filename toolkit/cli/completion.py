"""`toolkit completion SHELL`: a script for the shell; `toolkit completion SHELL -- WORD…`: what it calls at each Tab.

The script contains no lists that could go stale. What it calls loads neither YAML nor an engine's client: names come
from the names of files.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from toolkit.cli.complete import FRAMEWORKS, IMAGES, RUNS, Completion, complete
from toolkit.cli.main import parser
from toolkit.paths import assets, home

_SHELLS = Path(__file__).parent / "shells"
_MOST_RUNS = 200
_RECORD = re.compile(r"training-[a-z2-9]{8}\.json", re.ASCII)
_LONGEST_RECIPE_HEAD = 4096
"""Characters at the beginning of a recipe that contain its framework's name."""


def run(arguments: argparse.Namespace) -> int:
    """Print the script, or one candidate per line."""
    if not arguments.words:
        print((_SHELLS / f"toolkit.{arguments.shell}").read_text(), end="")
        return 0
    words = arguments.words[1:] if arguments.words[0] == "--" else arguments.words
    if arguments.shell == "bash":
        words = joined_at_equals(words)
    found = complete(parser(), words, names)
    for line in as_lines(found, without="" if arguments.shell == "fish" else option_before_value(words)):
        print(line)
    return 0


def as_lines(found: Completion, without: str) -> list[str]:
    """Each candidate, a tab and its meaning; `:files` or `:folders` if paths are possible. Pure.

    `without` is the part of the word that the shell keeps: it replaces only the rest.
    """
    lines = [f"{one.word.removeprefix(without)}\t{one.meaning}" for one in found.candidates]
    return [*lines, *([f":{found.paths}"] if found.paths else [])]


def joined_at_equals(words: Sequence[str]) -> list[str]:
    """bash splits `--flavour=cpu` into `--flavour`, `=`, `cpu`: join them again. Pure."""
    found: list[str] = []
    for position, word in enumerate(words):
        if found and (word == "=" or (position > 0 and words[position - 1] == "=")) and found[-1].startswith("--"):
            found[-1] += word
        else:
            found.append(word)
    return found


def option_before_value(words: Sequence[str]) -> str:
    """`--flavour=` if the last word is `--flavour=cp`; else empty. Pure."""
    name, equals, _ = words[-1].partition("=") if words else ("", "", "")
    return name + equals if name.startswith("--") and equals else ""


def names(kind: str) -> list[str]:
    """The names of this machine's runs, the newest first, or of the catalogue's frameworks or images."""
    if kind == RUNS:
        return run_ids(home() / "runs")
    return {FRAMEWORKS: framework_names, IMAGES: image_names}[kind](assets() / "images")


def run_ids(folder: Path) -> list[str]:
    """The IDs that have a record in `folder`, from the names of its files."""
    found: list[tuple[float, str]] = []
    for file in folder.glob("training-*.json"):
        if _RECORD.fullmatch(file.name):
            with suppress(FileNotFoundError):
                found.append((file.stat().st_mtime, file.stem))
    return [name for _, name in sorted(found, reverse=True)[:_MOST_RUNS]]


def framework_names(images: Path) -> list[str]:
    """The catalogue's frameworks."""
    return sorted(_frameworks(images))


def image_names(images: Path) -> list[str]:
    """The catalogue's images: a lock's file name after the name of each framework that uses that lock.

    Their variants for older scripts (`-tf1-`), which share these locks, are left out.
    """
    found = []
    for framework, extended in _frameworks(images).items():
        for folder in (extended, framework):
            found += [f"{framework}-{lock.stem}" for lock in (images / folder / "locks").glob("*.lock")]
    return sorted(set(found))


def _frameworks(images: Path) -> dict[str, str]:
    """What each framework extends; itself if it extends none."""
    found = {}
    for recipe in images.glob("*/recipe.yml"):
        with recipe.open() as stream:
            head = stream.read(_LONGEST_RECIPE_HEAD)
        framework, extended = (re.search(rf"^{key}: *(\S+)", head, re.MULTILINE) for key in ("framework", "extends"))
        if framework:
            found[framework[1]] = extended[1] if extended else framework[1]
    return found
