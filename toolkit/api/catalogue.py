"""The catalogue, for all use cases. A module of its own: the modules that build images take 30 MB to import."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from toolkit.catalogue.model import FrameworkRow
from toolkit.catalogue.reader import read_frameworks
from toolkit.catalogue.site import read_site
from toolkit.paths import assets, site


def catalogue() -> tuple[FrameworkRow, ...]:
    """Every row of the catalogue."""
    return read_frameworks(assets() / "images", assets() / "templates", read_site(site()))


def nearest_of(name: str, known: Sequence[str]) -> str:
    """The hint for a name that is not `known`: the one that was probably meant, or all of them."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"it has: {', '.join(known)}"
