"""One requirement, from any kind of file: what it asks for, whether it applies to the image, or why it cannot be
locked. Pure."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from toolkit.errors import Place, Problem
from toolkit.user_packages.model import NOTHING, Asked, ImageFacts, Wanted, shown

_VERSION_CONTROL = re.compile(r"(git|hg|svn|bzr)(\+|@|://)", re.IGNORECASE)
_URL = re.compile(r"(https?|ftp|s3|file):", re.IGNORECASE)
_ARCHIVE = re.compile(r"\.(whl|zip|tar|tgz|tbz|txz|tar\.[a-z0-9]+)$", re.IGNORECASE)
_WRITTEN_VERSION_CONTROL = {"git": "git", "hg": "Mercurial", "svn": "Subversion", "bzr": "Bazaar"}
VENDOR = "publish a wheel on your package index, or copy its source into the code folder, which is on PYTHONPATH"
INDEX = (
    "the tool locks and fetches from this machine's own index, and a file of requirements adds none: leave this out,"
    " and name the index in UV_DEFAULT_INDEX (for `toolkit lock`) and PIP_INDEX_URL (for both)"
)
_CONDAS_EXPORT = re.compile(r"[A-Za-z0-9._-]+=[^=]")
_TOO_DEEP = "its parentheses are nested too deeply"
_OF_THE_KERNEL = ("platform_release", "platform_version")


def read_requirement(
    text: str, place: Place, image: ImageFacts, hashes: frozenset[str] = frozenset(), source_line: str = ""
) -> Asked:
    """What the requirement `text` (PEP 508) asks of `image`.

    If its marker does not apply to the image, it is skipped; what cannot be locked is a problem.
    """
    if refused := refusal(text):
        return problem(refused, place, source_line)
    try:
        requirement = Requirement(text)
    except RecursionError:
        return problem(f"not a requirement: {_TOO_DEEP}", place, source_line)
    except InvalidRequirement as error:
        hint = "; a single `=` is conda's, and pip's is `==`" if _CONDAS_EXPORT.match(text) else ""
        return problem(f"not a requirement: {str(error).splitlines()[0]}{hint}", place, source_line)
    if requirement.url:
        return problem(_refused_direct(requirement.name, requirement.url), place, source_line)
    marker, requirement.marker = requirement.marker, None
    if marker and (kernel := [name for name in _OF_THE_KERNEL if name in str(marker)]):
        return problem(
            f"`{kernel[0]}` is the host's kernel, which is unknown when the image is built", place, source_line
        )
    try:
        counts = marker is None or holds(marker, image)
    except ValueError as error:
        return problem(str(error), place, source_line)
    if not counts:
        return Asked(skipped=(f"{requirement.name} ({shown(place)})",))
    return Asked(wanted=(Wanted(requirement, place, hashes),))


def holds(written: Marker | str, image: ImageFacts, *, of_a_lock: bool = False) -> bool:
    """Whether the marker applies to the image.

    Args:
        of_a_lock: it is from a pylock.toml, whose markers may also use extras and groups (PEP 751). Default false.

    Raises `ValueError` with a message for what is not a marker, and for one that cannot be evaluated: it compares
    names with `~=`, or uses an unknown name.
    """
    try:
        marker = Marker(written) if isinstance(written, str) else written
    except RecursionError:
        raise ValueError(f"not a marker: {_TOO_DEEP}") from None
    try:
        if of_a_lock:
            unasked = {"extras": frozenset[str](), "dependency_groups": frozenset[str]()}
            return marker.evaluate({**image.markers, **unasked}, context="lock_file")
        return marker.evaluate(dict(image.markers))
    except (UndefinedComparison, UndefinedEnvironmentName):
        raise ValueError(f"the marker `{marker}` cannot be evaluated: it compares incompatible values") from None


def refusal(text: str) -> str:
    """Why an address or a path instead of a name cannot be locked; empty for anything else."""
    if match := _VERSION_CONTROL.match(text):
        kind = _WRITTEN_VERSION_CONTROL[match[1].lower()]
        return f"a {kind} address cannot be locked to a hash: {VENDOR}"
    if _URL.match(text):
        return _refused_url(text)
    if text.startswith(".") or _is_path(text):
        return f"a path is not a package from an index and cannot be locked by version: {VENDOR}"
    return ""


def from_elsewhere(name: str, kind: str) -> str:
    """The message for a package that a project takes from its own `kind` of source (`git`, `path`, `index`)."""
    if kind in ("index", "source"):
        return f"{name} comes from its own index (`{kind}`): {INDEX}"
    return f"{name} comes from `{kind}`, which cannot be locked: {VENDOR}"


def problem(what: str, place: Place, source_line: str = "") -> Asked:
    """One problem, and no requirement."""
    return Asked(problems=(Problem(what, place, source_line=source_line),))


def needs_python(file: Path, wanted: str, image: ImageFacts, *, fits: bool) -> Asked:
    """A note if the Python that `file` requires does not fit the image's."""
    said = f"{file.name} requires Python {wanted}; the image has {image.full_python}"
    return Asked(notes=() if fits else (said,))


def together(parts: list[Asked]) -> Asked:
    """All of them, in order."""
    return sum(parts, NOTHING)


def _is_path(text: str) -> bool:
    """As in pip: a slash before any `@`, or the name of an archive."""
    head = re.split(r"[@;]|\s", text, maxsplit=1)[0]
    return "/" in head or "\\" in head or bool(_ARCHIVE.search(head))


def _refused_direct(name: str, url: str) -> str:
    """The message for `name @ url`; for conda's packages, `pip freeze` writes a file of that machine."""
    if url.lower().startswith("file:"):
        return f"a file on the machine where this was written: give the version instead, {name}==VERSION"
    return refusal(url) or f"`{url}` is not the URL of a package"


def _refused_url(url: str) -> str:
    """The message for a URL; a wheel's contains its version."""
    file = PurePosixPath(unquote(urlsplit(url).path)).name
    hint = ""
    try:
        name, version, *_ = parse_wheel_filename(file)
        hint = f" (where that index has it: {name}=={version})"
    except InvalidWheelFilename:
        pass
    return f"a URL cannot be locked by version, and wheels come only from this machine's index{hint}: {VENDOR}"
