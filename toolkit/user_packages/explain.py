"""uv's explanation of a conflict, naming what requires each package: a line of a file, or the image. Pure.

uv calls everything that it is given `your requirements`, including the image's own versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from toolkit.lock.wheels import LAST_LINES
from toolkit.user_packages.fits import held_words
from toolkit.user_packages.frameworks import other_names
from toolkit.user_packages.model import ImageFacts, Wanted, shown
from toolkit.user_packages.stand_ins import LOCAL

_YOU_REQUIRE = re.compile(r"\byou require\s+(.+?)(?=,\s+we\s|\.?$|\.\n)", re.DOTALL | re.MULTILINE)
_DEPENDS_AND = re.compile(r"(\bdepends? on \S+ and )(\S+?)(?=,\s+we\b)")
"""`numba==0.58.0 depends on numpy<1.26 and numpy==2.1.3, we can conclude`: the second is a constraint."""
_MARKER = re.compile(r"\{[^{}\n]*\}")
_AND = re.compile(r"\s+and\s+")
_WHEELS_ALONE = "building from source is disabled"
_NO_WHEELS = "have no usable wheels", "has no usable wheels"
_BUILD_LABEL = re.compile(r"no version of ([A-Za-z0-9._-]+)==\S+\+(?:cu\d+|cpu|rocm)", re.IGNORECASE)

Speakers = dict[tuple[str, SpecifierSet], str]


def explain(said: str, image: ImageFacts, wanted: Iterable[Wanted], constraints: Iterable[Wanted]) -> str:
    """`said`, with `you require A and B` replaced by who requires A and B."""
    speakers = _speakers(image, wanted, constraints)
    text = _YOU_REQUIRE.sub(lambda match: _attributed(match[1], speakers, "you require "), _MARKER.sub("", said))
    text = _DEPENDS_AND.sub(lambda match: match[1] + _attributed(match[2], speakers), text)
    return "\n".join(text.replace(LOCAL, "").splitlines()[-LAST_LINES:])


def hints(said: str) -> str:
    """What to do about it, for those of uv's messages that are recognized."""
    found = []
    if match := _BUILD_LABEL.search(said):
        found.append(
            f"builds of {match[1]} with a local version (`+cu118`, `+cpu`) are only on the project's index: drop the"
            " suffix, or set UV_DEFAULT_INDEX and PIP_INDEX_URL to an index that has them"
        )
    if any(words in said for words in _NO_WHEELS) or _WHEELS_ALONE in said:
        found.append(
            "images use wheels only: choose a version that has wheels for this Python, or build one with"
            " `pip wheel` and publish it on your index"
        )
    return "; ".join(found)


def _attributed(required: str, speakers: Speakers, otherwise: str = "") -> str:
    parts = []
    for part in _AND.split(" ".join(required.split())):
        try:
            requirement = Requirement(part)
            words = speakers.get((canonicalize_name(requirement.name), requirement.specifier))
        except (InvalidRequirement, InvalidSpecifier):
            words = None
        parts.append(words or f"{otherwise}{part}")
    return " and ".join(parts)


def _speakers(image: ImageFacts, wanted: Iterable[Wanted], constraints: Iterable[Wanted]) -> Speakers:
    """Who requires each package and version range; the user's files take precedence over the image."""
    held = [(wheel.name, f"=={wheel.version}", wheel) for wheel in image.wheels]
    held += [(name, f"=={wheel.version}{LOCAL}", wheel) for name, wheel in other_names(image.holds).items()]
    found = {(name, SpecifierSet(version)): held_words(wheel, image) for name, version, wheel in held}
    for verb, many in (("allows only", constraints), ("requires", wanted)):
        for one in many:
            found[one.name, one.requirement.specifier] = f"{shown(one.place)} {verb} {one.text}"
    return found


def files_of(wanted: Iterable[Wanted]) -> str:
    """The names of the files with requirements, for the first line of an error."""
    return " and ".join(dict.fromkeys(Path(one.place.file).name for one in wanted)) or "the manifest"
