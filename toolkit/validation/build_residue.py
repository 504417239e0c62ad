"""Build residue: caches, temporary files, logs, and names and servers of the build site."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.validation.file_scan import Seen

_CACHES = {
    "a list of packages, from a package archive": r"var/lib/apt/lists/.+",
    "an apt cache": r"var/cache/apt/.+",
    "a user's cache": r"(root|home/[^/]+)/\.(cache|npm|conda/pkgs)/.+",
    "a temporary file": r"(var/)?tmp/.+",
    "a log": r"var/log/.+",
    "a wheel": r"(?!.*/ensurepip/|usr/share/python-wheels/).*\.whl",  # Python's own bring pip to a new environment
}
_OF_ONE_MACHINE = {
    "etc/hostname": "the build machine's name",
    "etc/resolv.conf": "the build site's name servers",
    "etc/machine-id": "an ID of a single machine",
    "var/lib/dbus/machine-id": "an ID of a single machine",
}
_SETTINGS = {
    "a proxy": (
        re.compile(
            r"etc/(environment|profile|wgetrc|apt/apt\.conf)(\.d/.+)?|(root|home/[^/]+)/\.(curlrc|wgetrc|profile)"
        ),
        re.compile(rb"(?i)(?:\b|_)proxy\b[^\n]{0,60}?[\"'= ](?:https?|socks[45]?h?)://"),
    ),
    "a package index of the build site": (
        re.compile(r"(.*/)?(pip\.conf|\.pydistutils\.cfg|uv\.toml)"),
        re.compile(rb"(?im)^[ \t]*(?:extra-)?(?:index-url|find-links|proxy|cert|trusted-host)[ \t]*="),
    ),
}


def caches_in(file: Seen) -> Iterator[str]:
    """What `file` is, if it is of no use in an image."""
    if file.kind == "file" and (file.size or file.path.startswith(("tmp/", "var/tmp/"))):
        yield from (f"/{file.path} is {what}" for what, pattern in _CACHES.items() if re.fullmatch(pattern, file.path))


def site_in(file: Seen) -> Iterator[str]:
    """What `file` reveals about the place where the image was built."""
    if file.kind == "file" and file.size and file.path in _OF_ONE_MACHINE:
        yield f"/{file.path} holds {_OF_ONE_MACHINE[file.path]}"
    for what, (paths, words) in _SETTINGS.items():
        if paths.fullmatch(file.path) and words.search(file.effective):
            yield f"/{file.path} names {what}"


def site_in_settings(settings: Mapping[str, Any]) -> Iterator[str]:
    """The same for the image's variables."""
    for variable in settings.get("Env") or ():
        name, _, value = variable.partition("=")
        if value and re.fullmatch(r"(?i)(https?|ftp|all|no)_proxy|(pip|uv)_\w*index_url", name):
            yield f"the image sets {name}, which only the build site knows"
