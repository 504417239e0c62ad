"""Locations: what ships with the tool (images, templates, clusters) and what it stores for a user."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def assets() -> Path:
    """The folder with `images/`, `templates/` and `clusters/`.

    In a checkout, its root; in an installed wheel, the three are inside the package.
    """
    return _PACKAGE if (_PACKAGE / "images").is_dir() else _PACKAGE.parent


def home() -> Path:
    """Everything that the tool stores for a user: runs, embedded buckets and keys. Default `~/.toolkit`."""
    return Path(os.environ.get("TOOLKIT_HOME") or Path.home() / ".toolkit").absolute()


def site() -> Path:
    """A site's additions to the catalogue. Default `<home>/site.yml`; it need not exist."""
    return Path(os.environ.get("TOOLKIT_SITE") or home() / "site.yml").absolute()


def cache() -> Path:
    """What can be downloaded again: wheels. Default `<home>/cache`."""
    return Path(os.environ.get("TOOLKIT_CACHE") or home() / "cache").absolute()


def private_folder(path: Path) -> Path:
    """Create `path`, and its missing parents, for its owner only; existing folders keep their mode."""
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
    return path
