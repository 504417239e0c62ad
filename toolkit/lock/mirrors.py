"""A site's own mirrors: an environment variable takes the place of an archive's URL."""

from __future__ import annotations

import re
from collections.abc import Mapping

from toolkit.catalogue.model import Archive

PREFIX = "TOOLKIT_MIRROR_"


def mirror_variable(archive: Archive) -> str:
    """The variable that names a mirror of `archive`: `TOOLKIT_MIRROR_DEBIAN_SECURITY` for `debian-security`."""
    return PREFIX + re.sub(r"[^A-Z0-9]", "_", archive.name.upper())


def archive_url(archive: Archive, environment: Mapping[str, str]) -> str:
    """Where `archive` is taken from, with no slash at its end: the site's mirror where `environment` names one."""
    return (environment.get(mirror_variable(archive)) or archive.url).rstrip("/")
