"""Wheels for Pythons that no current resolver supports (2.7, 3.5): every package is listed with its version.

TensorFlow 1.5's requirements cannot be met with wheels only (tensorboard 1.5 requires html5lib 0.9999999, which has
none), so a resolver would fail; a recipe lists what works instead, and the index provides the files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from toolkit.catalogue.model import Suite
from toolkit.errors import Code, ToolkitError
from toolkit.lock.model import WheelPin
from toolkit.lock.wheel_choice import FOREIGN, NO_HASHES, supported_tags, wheel_pin

_PYPI = "https://pypi.org/simple"
_JSON = "application/vnd.pypi.simple.v1+json"
"""PEP 691: the index's files with their hashes and sizes."""
_TIMEOUT = (10, 60)
"""Timeout in seconds to connect, and between bytes."""


def pinned_wheels(
    requirements: Sequence[str],
    python: str,
    suite: Suite,
    environment: Mapping[str, str] = os.environ,
    hashes: Mapping[str, frozenset[str]] = NO_HASHES,
) -> tuple[WheelPin, ...]:
    """The wheel of each of `requirements`, which must all be `name==version`; nothing is added to them.

    For a package in `hashes`, only files with those SHA-256 are permitted. Raises `ToolkitError` (S103) for a
    requirement without a version, a package without a suitable wheel, or an index that does not answer.
    """
    versions = exact_versions(requirements, python)
    index = environment.get("PIP_INDEX_URL") or _PYPI
    with requests.Session() as session:
        pins = [pin_of(name, versions[name], _files(session, index, name), python, suite, hashes) for name in versions]
    return tuple(sorted(pins))


def exact_versions(requirements: Sequence[str], python: str) -> dict[str, Version]:
    """Each package's version; raises `ToolkitError` (S103) if one is missing."""
    found: dict[str, Version] = {}
    for line in requirements:
        try:
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            if specifier.operator != "==" or requirement.marker or requirement.extras or requirement.url:
                raise ValueError(line)
            found[canonicalize_name(requirement.name)] = Version(specifier.version)
        except (InvalidRequirement, ValueError):
            raise ToolkitError(
                Code.IMAGE,
                f"`{line}` does not pin one version",
                hint=f"Python {python} has no resolver any more: list every required package as NAME==VERSION",
            ) from None
    return found


def pin_of(
    name: str,
    version: Version,
    files: Sequence[Mapping[str, Any]],
    python: str,
    suite: Suite,
    hashes: Mapping[str, frozenset[str]] = NO_HASHES,
) -> WheelPin:
    """The best of an index's `files` for this version; raises `ToolkitError` (S103) if none is suitable, (C102) if none
    has one of its hashes."""
    wheels = {file["filename"]: file for file in files if _version(file["filename"]) == version}
    # Some wheels are py3 by their names and Python 2.7 by their metadata, as absl-py 0.10 to 0.12.
    tags = (*supported_tags(python, suite.glibc), FOREIGN)
    missing = f"{name} {version} has no wheel for Python {python} on {suite.title}"
    return wheel_pin(name, str(version), wheels, tags, missing, hashes)


def _files(session: requests.Session, index: str, name: str) -> list[dict[str, Any]]:
    url = f"{index.rstrip('/')}/{name}/"
    try:
        answer = session.get(url, headers={"Accept": _JSON}, timeout=_TIMEOUT)
        answer.raise_for_status()
        files: list[dict[str, Any]] = answer.json()["files"]
        return files
    except (requests.RequestException, KeyError, TypeError) as error:
        raise ToolkitError(
            Code.IMAGE,
            f"{url} does not list its files",
            evidence=str(error),
            hint="no network, or a proxy? an index must answer in JSON (PEP 691); PIP_INDEX_URL names another",
        ) from None


def _version(file: str) -> Version | None:
    try:
        return parse_wheel_filename(file)[1]
    except InvalidWheelFilename:
        return None
