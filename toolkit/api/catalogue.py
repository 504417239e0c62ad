"""The catalogue, for all use cases. A module of its own: the modules that build images take 30 MB to import."""

from __future__ import annotations

from toolkit.catalogue.model import FrameworkRow
from toolkit.catalogue.reader import read_frameworks
from toolkit.catalogue.site import read_site
from toolkit.paths import assets, site


def catalogue() -> tuple[FrameworkRow, ...]:
    """Every row of the catalogue."""
    return read_frameworks(assets() / "images", assets() / "templates", read_site(site()))
