"""A package's licence as an SPDX expression, if what it declares is unambiguous; else in its own words. Pure.

Debian's short names are those of DEP-5 (www.debian.org/doc/packaging-manuals/copyright-format/1.0), where `MIT` and
`Artistic` may mean several licences, and so have no SPDX name here. A Python classifier such as `BSD License` or
`Apache Software License` names a family, and so has no SPDX name either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from license_expression import ExpressionError, Licensing, get_spdx_licensing

from toolkit.inventory.model import DEB, PYTHON, UNNAMED_LICENCE, Package

NOT_DECLARED = "not declared"
_GNU = re.compile(r"(A|L)?GPL[- ]?v?(1|2|3)(?:\.(0|1))?(\+?)", re.IGNORECASE)
_GNU_VERSIONS = {"": ("1.0", "2.0", "3.0"), "L": ("2.0", "2.1", "3.0"), "A": ("1.0", "3.0")}
_GFDL = re.compile(r"GFDL(-NIV)?-(1\.[123])(\+?)", re.IGNORECASE)
_AND_OR = re.compile(r"\s+(and|or)\s+", re.IGNORECASE)
_SEVERAL_MEANINGS = {"mit", "artistic", "unicode", "x11"}
_NO_VERSION = {"gpl", "lgpl", "agpl", "gfdl"}
_DEBIAN = {
    "expat": "MIT",
    "apache-2": "Apache-2.0",
    "cc0": "CC0-1.0",
    "artistic-2": "Artistic-2.0",
    "efl-1": "EFL-1.0",
    "efl-2": "EFL-2.0",
    "perl": "Artistic-1.0-Perl OR GPL-1.0-or-later",
}
_SPELLINGS = {
    "BSD-3-Clause": ("3-clause bsd license", "bsd 3-clause", "bsd 3-clause license", "new bsd", "new bsd license"),
    "BSD-2-Clause": ("bsd 2-clause", "bsd 2-clause license", "2-clause bsd license"),
    "Apache-2.0": (
        *("apache 2", "apache 2.0", "apache license 2.0"),
        *("apache license, version 2.0", "apache license version 2.0", "apache software license 2.0"),
    ),
    "MIT": ("mit license", "the mit license"),
    "MPL-2.0": ("mpl 2.0", "mozilla public license 2.0", "mozilla public license 2.0 (mpl 2.0)"),
    "ISC": ("isc license", "isc license (iscl)"),
    "Unlicense": ("the unlicense (unlicense)",),
    "MIT-0": ("mit no attribution license (mit-0)",),
    "GPL-2.0-only": ("gnu general public license v2 (gplv2)",),
    "GPL-2.0-or-later": ("gnu general public license v2 or later (gplv2+)",),
    "GPL-3.0-only": ("gnu general public license v3 (gplv3)",),
    "GPL-3.0-or-later": ("gnu general public license v3 or later (gplv3+)",),
    "LGPL-2.0-or-later": ("gnu lesser general public license v2 or later (lgplv2+)",),
    "LGPL-3.0-only": ("gnu lesser general public license v3 (lgplv3)",),
    "LGPL-3.0-or-later": ("gnu lesser general public license v3 or later (lgplv3+)",),
}
_SPDX_NAMES = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}


@dataclass(frozen=True)
class Licence:
    """What a package declares, item by item: its own text, and the SPDX name, empty if uncertain."""

    pieces: tuple[tuple[str, str], ...]

    @property
    def certain(self) -> bool:
        """Whether SPDX has a name for all of it."""
        return bool(self.pieces) and all(spdx for _, spdx in self.pieces)

    @property
    def expression(self) -> str:
        """The SPDX expression for all of it; empty if uncertain."""
        return joined([spdx for _, spdx in self.pieces]) if self.certain else ""

    def __str__(self) -> str:
        """As shown to people: the SPDX expression if all is certain, else the package's own text."""
        return self.expression or "; ".join(declared for declared, _ in self.pieces) or NOT_DECLARED


def licence_of(package: Package) -> Licence:
    """The licence that `package` declares."""
    if package.kind == PYTHON:
        return _python_licence(package.licences)
    spdx_of = debian_name if package.kind == DEB else spdx_name
    return Licence(tuple((name, spdx_of(name)) for name in package.licences))


def joined(expressions: list[str]) -> str:
    """All of them apply at once; each is listed once: `A AND (B OR C)`."""
    flat = (part for one in expressions for part in ([one] if " OR " in one else one.split(" AND ")))
    unique = list(dict.fromkeys(flat))
    if len(unique) == 1:
        return unique[0]
    return " AND ".join(f"({one})" if " OR " in one else one for one in unique)


def spdx_name(text: str) -> str:
    """`text` as an SPDX expression if it is one, ignoring case; else empty."""
    if not text or text == UNNAMED_LICENCE or text.lower() in _NO_VERSION or "licenseref-" in text.lower():
        return ""
    try:
        parsed = _licensing().parse(text, validate=True, strict=True)
    except (ExpressionError, AttributeError):
        return ""
    return str(parsed) if parsed is not None else ""


def debian_name(text: str) -> str:
    """A DEP-5 synopsis as an SPDX expression; empty if a word has none, or a comma makes the grouping ambiguous."""
    if "," in text:
        return ""
    pieces = _AND_OR.split(text)
    words = [_debian_word(piece) if at % 2 == 0 else piece.upper() for at, piece in enumerate(pieces)]
    if not all(words):
        return ""
    return " ".join(f"({word})" if len(words) > 1 and " OR " in word else word for word in words)


def _debian_word(word: str) -> str:
    if match := _GFDL.fullmatch(word):
        return f"GFDL-{match[2]}{'-no-invariants' if match[1] else ''}-{'or-later' if match[3] else 'only'}"
    if known := _gnu(word) or _DEBIAN.get(word.lower(), ""):
        return known
    return "" if word.lower() in _SEVERAL_MEANINGS or " " in word else spdx_name(word)


def _gnu(word: str) -> str:
    match = _GNU.fullmatch(word)
    if not match:
        return ""
    family = (match[1] or "").upper()
    version = f"{match[2]}.{match[3] or '0'}"
    return f"{family}GPL-{version}-{'or-later' if match[4] else 'only'}" if version in _GNU_VERSIONS[family] else ""


def _python_licence(declared: tuple[str, ...]) -> Licence:
    """The expression or the field if it is certain; else the classifier, if there is only one and it is certain."""
    words = [word for word in declared if not word.startswith("License ::")]
    classifiers = [word.rpartition("::")[2].strip() for word in declared if word.startswith("License ::")]
    candidates = [*words, *(classifiers if len(classifiers) == 1 else [])]
    for word in candidates:
        if spdx := _SPDX_NAMES.get(word.lower(), "") or spdx_name(word) or _gnu(word):
            return Licence(((word, spdx),))
    return Licence(tuple((word, "") for word in (words or classifiers)))


@cache
def _licensing() -> Licensing:
    return get_spdx_licensing()
