"""Differences between two images: packages, files, settings. Pure."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.image.labels import INPUTS, INPUTS_SHA256, RECIPE
from toolkit.inventory.model import Contents, Package

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
_DEEPEST_FOLDER = 3
"""Files without a package are listed by folder, no deeper than `/var/lib/dpkg`."""


@dataclass(frozen=True)
class PackageChange:
    """A package that differs: its versions before and after, none if it was not there, and the growth in bytes."""

    kind: str
    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    grown: int
    carried_by: str = ""

    @property
    def what(self) -> str:
        """`added`, `removed` or `changed`."""
        return CHANGED if self.old and self.new else ADDED if self.new else REMOVED


@dataclass(frozen=True)
class FileGroup:
    """Files of one package (its `kind` and name) or, without a kind, of one folder; each with its kind of change."""

    kind: str
    name: str
    files: tuple[tuple[str, str], ...]
    grown: int

    def count(self, what: str) -> int:
        """How many were `added`, `removed` or `changed`."""
        return sum(one == what for _, one in self.files)


@dataclass(frozen=True)
class SettingChange:
    """A setting of the image: its value before and after, empty if it had none."""

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Difference:
    """All differences between two images; `grown` is how many bytes larger the second is."""

    packages: tuple[PackageChange, ...]
    files: tuple[FileGroup, ...]
    settings: tuple[SettingChange, ...]
    grown: int

    @property
    def nothing(self) -> bool:
        """Whether packages, files and settings are the same."""
        return not (self.packages or self.files or self.settings)


def differences(
    old: Contents, new: Contents, old_settings: Mapping[str, Any], new_settings: Mapping[str, Any], grown: int
) -> Difference:
    """From `old` to `new`; settings as given by the engine. Files of a changed package are listed with it."""
    packages = tuple(_package_changes(old, new))
    named = {(change.kind, change.name) for change in packages if not change.carried_by}
    groups = (group for group in _file_groups(old, new) if (group.kind, group.name) not in named)
    return Difference(packages, tuple(groups), tuple(_setting_changes(old_settings, new_settings)), grown)


def _package_changes(old: Contents, new: Contents) -> Iterator[PackageChange]:
    before, after = _grouped(old), _grouped(new)
    for group in sorted(before.keys() | after.keys()):
        ours, theirs = before.get(group, []), after.get(group, [])
        versions = [tuple(sorted(_version(package) for package in packages)) for packages in (ours, theirs)]
        if versions[0] != versions[1]:
            kind, name, carried_by = group
            grown = sum(package.size for package in theirs) - sum(package.size for package in ours)
            yield PackageChange(kind, name, versions[0], versions[1], grown, carried_by)


def _grouped(contents: Contents) -> dict[tuple[str, str, str], list[Package]]:
    groups: dict[tuple[str, str, str], list[Package]] = {}
    for package in contents.packages:
        carrier = contents.by_key[package.carried_by].name if package.carried_by else ""
        groups.setdefault((package.kind, package.name, carrier), []).append(package)
    return groups


def _version(package: Package) -> str:
    return f"{package.version} ({package.architecture})" if package.architecture else package.version


def _file_groups(old: Contents, new: Contents) -> Iterator[FileGroup]:
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    sizes: dict[tuple[str, str], int] = {}
    obvious = _folders_with_files(old) ^ _folders_with_files(new)
    for path in sorted(old.files.keys() | new.files.keys()):
        before, after = old.files.get(path), new.files.get(path)
        if before == after or (path in obvious and not (before and after)):
            continue
        what = CHANGED if before and after else ADDED if after else REMOVED
        group = _group_of(path, old, new)
        groups.setdefault(group, []).append((path, what))
        sizes[group] = sizes.get(group, 0) + (after.size if after else 0) - (before.size if before else 0)
    for (kind, name), files in sorted(groups.items()):
        yield FileGroup(kind, name, tuple(files), sizes[kind, name])


def _folders_with_files(contents: Contents) -> set[str]:
    """Non-empty folders: their files show that such a folder was added or removed."""
    found: set[str] = set()
    for path, file in contents.files.items():
        folder = posixpath.dirname(path)
        while file.kind != "folder" and folder not in found:
            found.add(folder)
            folder = posixpath.dirname(folder)
    return found


def _group_of(path: str, old: Contents, new: Contents) -> tuple[str, str]:
    owner = new.owners.get(path) or old.owners.get(path)
    if owner:
        return owner.kind, owner.name
    folders = posixpath.dirname(path).split("/")
    return "", "/".join(folders[: _DEEPEST_FOLDER + 1]) or "/"


def _setting_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[SettingChange]:
    before, after = dict(_flat(old)), dict(_flat(new))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name, "") != after.get(name, ""):
            yield SettingChange(name, before.get(name, ""), after.get(name, ""))


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """`variable PATH`, `label toolkit.facts`, `User`: one line each, nothing for unset ones."""
    for name, value in settings.items():
        if name == "Env":
            yield from ((f"variable {one.partition('=')[0]}", one.partition("=")[2]) for one in value or ())
        elif name == "Labels":
            yield from (pair for label, text in (value or {}).items() for pair in _label(label, text))
        elif isinstance(value, Mapping):
            yield name, " ".join(sorted(map(str, value)))
        elif value:
            yield name, " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _label(name: str, text: str) -> Iterator[tuple[str, str]]:
    """A label; one that lists inputs gives a line for each, one that summarizes them gives none."""
    if name == INPUTS_SHA256:
        return
    if name == INPUTS:
        yield from ((f"input {one.rpartition('=')[0]}", one.rpartition("=")[2]) for one in text.split())
    elif name == RECIPE:
        yield from ((f"recipe {field}", said) for field, said in _recipe(text))
    else:
        yield f"label {name}", text


def _recipe(text: str) -> Iterator[tuple[str, str]]:
    try:
        fields = json.loads(text).items()
    except (ValueError, AttributeError):
        yield "", text
        return
    for field, value in fields:
        yield field, " ".join(map(str, value)) if isinstance(value, list) else str(value)
