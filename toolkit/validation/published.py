"""Files from packages: the packages' own lists of digests, RECORD of a wheel and md5sums of a Debian package.

A file whose content is in such a list is public: it does not come from the build site.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field

from toolkit.validation.file_scan import Seen

_RECORD = re.compile(r"(.*/)?[^/]+\.dist-info/RECORD")
_SUMS = re.compile(r"var/lib/dpkg/info/[^/]+\.md5sums")


@dataclass
class Published:
    """The digests of all published files. Pass every file of an image to `look`, in any order; then ask `has`."""

    _digests: set[str] = field(default_factory=set)

    def look(self, file: Seen) -> None:
        """Record the list in `file`."""
        if _RECORD.fullmatch(file.path):
            for line in file.lines:
                self._digests.add(line.rpartition(",")[0].rpartition(",")[2])
        elif _SUMS.fullmatch(file.path):
            self._digests.update(line.partition(" ")[0] for line in file.lines)
        self._digests.discard("")  # a RECORD has no digest of itself

    def has(self, digests: frozenset[str]) -> bool:
        """Whether the content with these digests is in a list."""
        return not self._digests.isdisjoint(digests)


def digests_of(content: bytes) -> frozenset[str]:
    """In the formats of a RECORD (PEP 376, PEP 427) and of dpkg's md5sums."""
    sha256 = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return frozenset((f"sha256={sha256}", hashlib.md5(content, usedforsecurity=False).hexdigest()))
