"""An archive's package index, as kept by apt: finds the file with a given hash."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from toolkit.lock.model import DebPin

_SHA256 = re.compile(r"^SHA256: ([0-9a-f]{64})$", re.MULTILINE)
_FIELD = re.compile(r"^(Package|Version|Architecture|Filename|Size): (.*)$", re.MULTILINE)
_QUOTED = re.compile(r"[^!-~]|[\\|{}\[\]<>\"^~_=!@#$%&*]")


def lists_prefix(url: str) -> str:
    """The prefix of the names of apt's files for the archive at `url`: `deb.debian.org_debian_dists_`.

    As in apt's `URItoFileName`: no scheme, no user; unsafe characters are written as `%xx`.
    """
    parts = urlsplit(url)
    bare = parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")
    return _QUOTED.sub(lambda match: f"%{ord(match[0]):02x}", bare).replace("/", "_") + "_dists_"


def packages_with(digests: Collection[str], index: str, archive: str) -> Iterator[DebPin]:
    """The entries of `index` (a `Packages` file's text) whose SHA-256 is among `digests`, as pins of `archive`."""
    for match in _SHA256.finditer(index):
        if match[1] in digests:
            start, end = index.rfind("\n\n", 0, match.start()), index.find("\n\n", match.end())
            entry = index[max(start, 0) : end if end >= 0 else len(index)]
            fields = dict(_FIELD.findall(entry))
            yield DebPin(
                name=fields["Package"],
                version=fields["Version"],
                architecture=fields["Architecture"],
                archive=archive,
                path=fields["Filename"],
                sha256=match[1],
                size=int(fields["Size"]),
            )
