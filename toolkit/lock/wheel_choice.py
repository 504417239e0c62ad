"""Which of a release's wheels an interpreter uses: the best of those that its platform supports. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from toolkit.errors import Code, ToolkitError
from toolkit.lock.model import WheelPin

_OLDEST_GLIBC = 5
_OLD_NAMES = {17: "manylinux2014_x86_64", 12: "manylinux2010_x86_64", 5: "manylinux1_x86_64"}
"""PEP 513, 571 and 599: the names of glibc 2.5, 2.12 and 2.17 before PEP 600."""
_LAST_WITH_M = (3, 7)
FOREIGN = Tag("py3", "none", "any")
"""How a wheel for Python 2.7 may be misnamed: pip installs it only with a flag."""

NO_HASHES: Mapping[str, frozenset[str]] = {}
_SHOWN = 12
"""Digits of a hash in an error."""


def platforms(glibc: str) -> Iterator[str]:
    """The platforms whose wheels run on `glibc` (such as `2.36`), the newest first."""
    for minor in range(int(glibc.removeprefix("2.")), _OLDEST_GLIBC - 1, -1):
        yield f"manylinux_2_{minor}_x86_64"
        if minor in _OLD_NAMES:
            yield _OLD_NAMES[minor]


def supported_tags(python: str, glibc: str) -> tuple[Tag, ...]:
    """What CPython `python` (such as `3.11`) supports on `glibc`, the best first, in pip's order."""
    major, minor = (int(part) for part in python.split("."))
    interpreter, names = f"cp{major}{minor}", list(platforms(glibc))
    # PEP 3149: `m` for pymalloc until 3.7; Linux distributions built Python 2 with wide characters, `u`.
    letters = "mu" if major == 2 else "m" if (major, minor) <= _LAST_WITH_M else ""
    own = cpython_tags((major, minor), abis=[interpreter + letters], platforms=names)
    return (*own, *compatible_tags((major, minor), interpreter, names))


def is_foreign(file: str, python: str) -> bool:
    """Whether the wheel `file` is for another major version of Python than its name says."""
    return python.startswith("2.") and parse_wheel_filename(file)[3] == {FOREIGN}


def best_wheel(files: Iterable[str], tags: tuple[Tag, ...]) -> str | None:
    """The file name that pip would choose for an interpreter with `tags`; None if no file is suitable."""
    rank = {tag: place for place, tag in enumerate(tags)}

    def merit(file: str) -> tuple[int, tuple[int, str], str] | None:
        try:
            _, _, build, own = parse_wheel_filename(file)
        except InvalidWheelFilename:
            return None
        places = [rank[tag] for tag in own if tag in rank]
        number, suffix = build or (-1, "")
        return (-min(places), (number, suffix), file) if places else None

    merits = [found for file in files if (found := merit(file))]
    return max(merits)[2] if merits else None


def wheel_pin(
    name: str,
    version: str,
    wheels: Mapping[str, Mapping[str, Any]],
    tags: tuple[Tag, ...],
    missing: str,
    hashes: Mapping[str, frozenset[str]],
) -> WheelPin:
    """The best of the files `wheels`, each with its entry of the index, restricted to the `hashes` of `name` if given.

    Raises `ToolkitError` (S103: `missing`) if none is suitable, (C102) if none of them has one of the given hashes.
    """
    if best_wheel(wheels, tags) is None:
        raise ToolkitError(
            Code.IMAGE,
            missing,
            evidence="\n".join(sorted(wheels)),
            hint="use another version; images are built from wheels only",
        )
    digests = {file: wheel["hashes"]["sha256"] for file, wheel in wheels.items()}
    allowed = hashes.get(name)
    chosen = best_wheel((file for file, digest in digests.items() if allowed is None or digest in allowed), tags)
    if chosen is None:
        raise ToolkitError(
            Code.CODE,
            f"none of the hashes given for {name} matches a wheel of {name} {version} for this image",
            evidence="\n".join(f"{digests[file][:_SHOWN]}…  {file}" for file in sorted(digests)),
            hint="the index has the files above: use the hashes of its wheels, or remove the hashes",
        )
    return WheelPin(name, version, chosen, digests[chosen], wheels[chosen].get("size") or 0)
