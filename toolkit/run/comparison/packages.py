"""How the packages of two images differ, by their locks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from toolkit.lock.packages import LockedPackage

Differing = tuple[str, str, str]
"""A package's name, and its version in each; an empty text: it is not there."""


def package_differences(first: Iterable[LockedPackage], second: Iterable[LockedPackage]) -> Iterator[Differing]:
    """Packages that were changed, removed or added, Python's first; also another file of the same version."""
    ours, theirs = _by_name(first), _by_name(second)
    for key in sorted(ours.keys() | theirs.keys(), key=lambda key: (key[0] != "wheel", key)):
        one, other = ours.get(key, []), theirs.get(key, [])
        if one != other:
            kind, name = key
            versions = [", ".join(package.version for package in packages) for packages in (one, other)]
            if versions[0] == versions[1]:
                versions = [", ".join(_with_file(package) for package in packages) for packages in (one, other)]
            yield (name if kind == "wheel" else f"{name} (Debian's)"), versions[0], versions[1]


def unmet(recorded: Iterable[LockedPackage], wanted: Iterable[Requirement]) -> Iterator[Differing]:
    """Requirements that are not locked here, and that the recorded packages do not meet."""
    versions = {package.name: package.version for package in recorded if package.kind == "wheel"}
    for one in wanted:
        version = versions.get(canonicalize_name(one.name), "")
        if not version or not _meets(version, one):
            yield one.name, version, f"{one.specifier or 'any version'}, not locked"


def _meets(version: str, wanted: Requirement) -> bool:
    """Whether a version, which someone else's record may name, is one that is wanted."""
    try:
        return wanted.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False


def _by_name(packages: Iterable[LockedPackage]) -> Mapping[tuple[str, str], list[LockedPackage]]:
    """By kind and name: of a Debian package, there may be several architectures."""
    found: dict[tuple[str, str], list[LockedPackage]] = {}
    for package in sorted(packages):
        found.setdefault((package.kind, package.name), []).append(package)
    return found


def _with_file(package: LockedPackage) -> str:
    return f"{package.version} in the file sha256 {package.sha256[:12]}"
