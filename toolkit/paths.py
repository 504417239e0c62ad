"""Where things lie: what ships with the tool (images, templates, clusters) and what it keeps for a person."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def house() -> Path:
    """The folder that holds `images/`, `templates/` and `clusters/`.

    In a checkout that is its top; in an installed wheel the three lie inside the package.
    """
    return _PACKAGE if (_PACKAGE / "images").is_dir() else _PACKAGE.parent


def home() -> Path:
    """Everything the tool keeps for a person: runs, embedded buckets and keys. Default `~/.toolkit`."""
    return Path(os.environ.get("TOOLKIT_HOME") or Path.home() / ".toolkit").absolute()


def site() -> Path:
    """What a site adds to the catalogue. Default `<home>/site.yml`; it need not be there."""
    return Path(os.environ.get("TOOLKIT_SITE") or home() / "site.yml").absolute()


def cache() -> Path:
    """What can be fetched again: wheels. Default `<home>/cache`."""
    return Path(os.environ.get("TOOLKIT_CACHE") or home() / "cache").absolute()


def private_folder(path: Path) -> Path:
    """Make `path`, and what is missing of its parents, for its owner alone; what exists keeps its mode."""
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
    return path
