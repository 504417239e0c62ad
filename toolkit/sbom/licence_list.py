"""The licences of everything in an image, as a list for people and for programs. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from toolkit.inventory.model import Contents, Package
from toolkit.inventory.trees import TREE
from toolkit.sbom.licences import licence_of


@dataclass(frozen=True)
class LicenceLine:
    """A package and its licence: the SPDX expression, empty if uncertain, and the package's own text."""

    kind: str
    name: str
    version: str
    spdx: str
    declared: tuple[str, ...]
    licence: str


def licence_lines(contents: Contents) -> tuple[LicenceLine, ...]:
    """One line for each package, including those inside others."""
    return tuple(_line(package) for package in contents.packages if package.kind != TREE)


def licence_text(lines: tuple[LicenceLine, ...]) -> str:
    """A table: kind, package, licence; below it, how many packages have which."""
    widths = [max((len(word) for word in column), default=0) for column in zip(*map(_words, lines), strict=True)]
    table = ["  ".join(word.ljust(width) for word, width in zip(_words(line), widths, strict=False)) for line in lines]
    spdx = sum(bool(line.spdx) for line in lines)
    own = sum(bool(line.declared) and not line.spdx for line in lines)
    missing = len(lines) - spdx - own
    totals = Counter(line.licence for line in lines if line.spdx)
    most = [f"{count:5}  {licence}" for licence, count in sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))]
    end = f"{len(lines)} packages: {spdx} with an SPDX name, {own} in their own words, {missing} not declared"
    return (
        "\n".join([*(f"{row}  {line.licence}" for row, line in zip(table, lines, strict=True)), "", end, *most]) + "\n"
    )


def _words(line: LicenceLine) -> tuple[str, str]:
    return line.kind, f"{line.name} {line.version}"


def _line(package: Package) -> LicenceLine:
    licence = licence_of(package)
    return LicenceLine(
        kind=package.kind,
        name=package.name,
        version=package.version,
        spdx=licence.expression,
        declared=package.licences,
        licence=str(licence),
    )
