"""Which one of a release's wheels an interpreter takes: the best of those that its platform can load. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from toolkit.errors import Code, ToolkitError

_OLDEST_GLIBC = 5
_OLD_NAMES = {17: "manylinux2014_x86_64", 12: "manylinux2010_x86_64", 5: "manylinux1_x86_64"}
"""PEP 513, 571 and 599: the names that glibc 2.5, 2.12 and 2.17 had before PEP 600."""
_LAST_WITH_M = (3, 7)
FOREIGN = Tag("py3", "none", "any")
"""What a wheel for Python 2.7 may be called by mistake: pip installs it only where a flag says so."""

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
    """What CPython `python` (such as `3.11`) can load on `glibc`, the best first, as pip orders it."""
    major, minor = (int(part) for part in python.split("."))
    interpreter, names = f"cp{major}{minor}", list(platforms(glibc))
    own = cpython_tags((major, minor), abis=[interpreter + _abi_letters(major, minor)], platforms=names)
    return (*own, *compatible_tags((major, minor), interpreter, names))


def is_foreign(file: str, python: str) -> bool:
    """Whether the wheel called `file` is for another major version of Python than its name says."""
    return python.startswith("2.") and parse_wheel_filename(file)[3] == {FOREIGN}


def _abi_letters(major: int, minor: int) -> str:
    """PEP 3149: `m` for pymalloc until 3.7; Linux distributions had Python 2 with wide characters, `u`."""
    if major == 2:
        return "mu"
    return "m" if (major, minor) <= _LAST_WITH_M else ""


def best_wheel(files: Iterable[str], tags: tuple[Tag, ...]) -> str | None:
    """The file name that pip would take for an interpreter with `tags`; None where no file serves."""
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


def allowed_wheel(
    name: str, version: str, digests: Mapping[str, str], tags: tuple[Tag, ...], hashes: Mapping[str, frozenset[str]]
) -> str:
    """The best of the files (`digests`: each with its SHA-256) that may serve, where `hashes` says so for `name`.

    Raises `ToolkitError` (C102) where none of them has one of the hashes that were given.
    """
    allowed = hashes.get(name)
    chosen = best_wheel((file for file, digest in digests.items() if allowed is None or digest in allowed), tags)
    if chosen is None:
        raise ToolkitError(
            Code.CODE,
            f"none of the hashes that are given for {name} is that of a wheel of {name} {version} for this image",
            evidence="\n".join(f"{digests[file][:_SHOWN]}…  {file}" for file in sorted(digests)),
            hint="above is what the index has: compare, take the hashes of its wheels, or leave the hashes out",
        )
    return chosen
