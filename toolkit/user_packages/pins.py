"""Other tools' locks next to a project file: uv.lock, poetry.lock, pdm.lock, pylock.toml (PEP 751), Pipfile.lock.

The project file determines the requirements; the lock determines versions and acceptable files. Its versions yield to
those of packages that the framework's image already has.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from toolkit.errors import Code, ToolkitError
from toolkit.user_packages.model import Asked, ImageFacts, Wanted, place_at
from toolkit.user_packages.requirement import holds
from toolkit.user_packages.text import items, read_toml, read_whole, table

_SHA256 = re.compile(r"sha256:([0-9a-f]{64})$")
_NAMED = re.compile(r"\s*(?:name\s*=\s*\"([^\"]+)\"|\"([^\"]+)\":\s*\{)")
Entry = tuple[str, str, list[str]]
"""A package's name, its version, and the hashes of its files (`sha256:…`)."""


def read_pins(file: Path, code: Path, image: ImageFacts) -> Asked:
    """The versions for the image in the lock `file`; raises `ToolkitError` (C102) if it is not a valid lock."""
    try:
        values, text = _values(file, code)
        entries = list(_KINDS[file.name](values, image))
    except (TypeError, AttributeError, KeyError, ValueError) as error:  # InvalidMarker is a ValueError
        what = f"{file} is not in its tool's format: {error}"
        raise ToolkitError(Code.CODE, what, hint="regenerate it with its tool, or remove it") from None
    counts = Counter(name for name, _ in {entry[:2] for entry in entries})
    several = {name for name, count in counts.items() if count > 1}
    lines = _lines(text)
    pins = [(entry, _pin(entry, file, lines)) for entry in entries if entry[0] not in several]
    none = [f"{name} {version}" for (name, version, _), pin in pins if not pin]
    notes = [f"{file.name}: {one}: no version; not pinned" for one in none]
    notes += [f"{file.name}: several versions of {name} are possible: none is pinned" for name in sorted(several)]
    return Asked(pins=tuple(pin for _, pin in pins if pin), notes=tuple(notes))


def _values(file: Path, code: Path) -> tuple[dict[str, Any], str]:
    if file.name != "Pipfile.lock":
        return read_toml(file, code)
    text = read_whole(file, code)
    try:
        return json.loads(text), text
    except (ValueError, RecursionError) as error:
        raise ToolkitError(Code.CODE, f"{file} is not valid JSON: {error}") from None


def _pin(entry: Entry, file: Path, lines: dict[str, int]) -> Wanted | None:
    name, version, hashes = entry
    try:
        requirement = Requirement(f"{name}=={version}")
    except InvalidRequirement:
        return None
    found = frozenset(match[1] for one in hashes if (match := _SHA256.match(one)))
    return Wanted(requirement, place_at(file, lines.get(name, 0)), found)


def _lines(text: str) -> dict[str, int]:
    """For each package, the first line that names it, in TOML or in JSON: `name = "six"`, `"six": {`."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := _NAMED.match(line):
            found.setdefault(canonicalize_name(match[1] or match[2]), number)
    return found


def _uv(values: dict[str, Any], image: ImageFacts) -> Iterator[Entry]:
    for package in items(values.get("package")):
        if "registry" not in table(package.get("source")):
            continue
        markers = items(package.get("resolution-markers"))
        if markers and not any(holds(marker, image) for marker in markers):
            continue
        files = [*items(package.get("wheels")), package.get("sdist")]
        yield _name(package), str(package["version"]), [str(table(one).get("hash", "")) for one in files]


def _poetry(values: dict[str, Any], image: ImageFacts) -> Iterator[Entry]:
    """Poetry's and PDM's; old versions of Poetry have the files in `[metadata.files]`."""
    elsewhere = table(table(values.get("metadata")).get("files"))
    for package in items(values.get("package")):
        if package.get("source", {}).get("type", "legacy") != "legacy" or package.get("git") or package.get("path"):
            continue
        marker = package.get("markers") or package.get("marker")
        if isinstance(marker, str) and not holds(marker, image):
            continue
        files = package.get("files") or elsewhere.get(package["name"], [])
        yield _name(package), str(package["version"]), [str(table(one).get("hash", "")) for one in items(files)]


def _pylock(values: dict[str, Any], image: ImageFacts) -> Iterator[Entry]:
    for package in items(values.get("packages")):
        if "version" not in package or any(key in package for key in ("vcs", "directory", "archive")):
            continue
        if package.get("marker") and not holds(package["marker"], image, of_a_lock=True):
            continue
        files = [*items(package.get("wheels")), package.get("sdist")]
        digests = [f"sha256:{table(table(one).get('hashes')).get('sha256', '')}" for one in files if one]
        yield _name(package), str(package["version"]), digests


def _pipenv(values: dict[str, Any], image: ImageFacts) -> Iterator[Entry]:
    for name, entry in values.get("default", {}).items():
        version = str(entry.get("version", ""))
        if not version.startswith("==") or (entry.get("markers") and not holds(entry["markers"], image)):
            continue
        yield canonicalize_name(name), version[2:], [str(one) for one in items(entry.get("hashes"))]


def _name(package: dict[str, Any]) -> str:
    return canonicalize_name(str(package["name"]))


_KINDS: dict[str, Callable[[dict[str, Any], ImageFacts], Iterator[Entry]]] = {
    "uv.lock": _uv,
    "poetry.lock": _poetry,
    "pdm.lock": _poetry,
    "pylock.toml": _pylock,
    "Pipfile.lock": _pipenv,
}
