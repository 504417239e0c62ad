"""Read a site's own file: the bundles that it provides. Strict, like a manifest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from toolkit.catalogue.model import SiteBundle
from toolkit.errors import Code
from toolkit.yaml.source import read_source
from toolkit.yaml.validate import Section, validate


def _sha256(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("expected a SHA-256: 64 digits, as `sha256sum FILE` prints them")
    return value


class BundleSection(Section):
    name: str
    file: str
    sha256: Annotated[str, AfterValidator(_sha256)]


class SiteFile(Section):
    """The whole file."""

    bundles: list[BundleSection]


def read_site(file: Path) -> dict[str, SiteBundle]:
    """The site's bundles by name, none if there is no `file`; a bundle's own file may be relative to it.

    Raises `ToolkitError` (S103) that lists every problem with its line, column and path.
    """
    if not file.is_file():
        return {}
    read = validate(read_source(file, Code.IMAGE), SiteFile, Code.IMAGE)
    return {one.name: SiteBundle(one.name, file.parent / one.file, one.sha256) for one in read.bundles}
