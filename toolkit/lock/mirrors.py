"""A site's own mirrors: an environment variable replaces an archive's URL."""

from __future__ import annotations

import re
from collections.abc import Mapping

from toolkit.catalogue.model import Archive

PREFIX = "TOOLKIT_MIRROR_"


def mirror_variable(archive: Archive) -> str:
    """The variable for a mirror of `archive`: `TOOLKIT_MIRROR_DEBIAN_SECURITY` for `debian-security`."""
    return PREFIX + re.sub(r"[^A-Z0-9]", "_", archive.name.upper())


def archive_url(archive: Archive, environment: Mapping[str, str]) -> str:
    """The URL of `archive`, without a trailing slash: the site's mirror if `environment` names one."""
    return (environment.get(mirror_variable(archive)) or archive.url).rstrip("/")
