"""The dialects that are read. A new one is a module and a line here."""

from __future__ import annotations

from toolkit.manifest.dialect import Dialect
from toolkit.manifest.dialects import canonical, ffdl, wml, wml_2017, wml_v4
from toolkit.yaml.source import Source

DIALECTS: tuple[Dialect, ...] = (
    ffdl.DIALECT,
    wml_v4.DIALECT,
    wml_2017.DIALECT,
    canonical.DIALECT,
    wml.DIALECT,
)
"""In the order in which they are tried. Watson ML's accepts every remaining file, and reports its errors."""


def dialect_of(source: Source) -> Dialect:
    """The dialect, by the file's top-level names; the canonical form is Watson ML's with everything explicit."""
    return next(dialect for dialect in DIALECTS if dialect.matches(source))
