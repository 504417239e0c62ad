"""An image's trusted certificate authorities: only those from packages, none of the build site."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from toolkit.validation.file_scan import Seen
from toolkit.validation.published import Published, digests_of

_PEM = re.compile(rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----(.+?)-----END", re.DOTALL)
_SHARED = "usr/share/ca-certificates/"
_MOZILLA = f"{_SHARED}mozilla/"
_SUMS = "var/lib/dpkg/info/ca-certificates.md5sums"
_TRUSTED = re.compile(r"etc/ssl/(certs/.+|cert\.pem)|etc/pki/(tls/certs|ca-trust)/.+")
_ADDED = re.compile(r"(usr/local/share/ca-certificates|etc/pki/ca-trust/source/anchors|usr/share/pki/trust/anchors)/.+")
_BUNDLE = re.compile(r"(.*/)?cacert\.pem")


@dataclass
class Certificates:
    """The certificates seen. Pass every file of an image to `look`, in any order; `foreign` then lists the problems."""

    _package: dict[str, set[str]] = field(default_factory=dict)
    _brought: dict[str, bytes] = field(default_factory=dict)
    _trusted: dict[str, bytes] = field(default_factory=dict)
    _added: list[str] = field(default_factory=list)
    _bundles: dict[str, frozenset[str]] = field(default_factory=dict)

    def look(self, file: Seen) -> None:
        """Record the certificates in `file`."""
        if file.kind != "file":
            return
        if _ADDED.fullmatch(file.path):
            self._added.append(file.path)
        elif file.path.startswith(_SHARED):
            self._brought[file.path] = file.content
        elif file.path == _SUMS:
            for line in file.lines:
                digest, _, path = line.partition("  ")
                self._package.setdefault(path, set()).add(digest)
        elif _TRUSTED.fullmatch(file.path):
            self._trusted[file.path] = file.content
        elif _BUNDLE.fullmatch(file.path):
            self._bundles[file.path] = digests_of(file.content)

    def foreign(self, published: Published) -> Iterator[str]:
        """Each certificate that is in no package, by its path and its owner's name."""
        for path in self._added:
            yield f"/{path} was added to the CAs that the distribution trusts"
        known: set[bytes] = set()
        for path, content in self._brought.items():
            if self._is_the_packages(path, content):
                known.update(_bodies(content))
            else:
                yield f"/{path} differs from the package ca-certificates"
        for path, content in self._trusted.items():
            for body in _bodies(content):
                if body not in known:
                    yield f"/{path} trusts {_owner(body)}, which the package ca-certificates does not contain"
        for path, digests in self._bundles.items():
            if not published.has(digests):
                yield f"/{path} differs from its package"

    def _is_the_packages(self, path: str, content: bytes) -> bool:
        """By the package's own checksums; if packages were only unpacked there are none, and the path has to do."""
        if not self._package:
            return path.startswith(_MOZILLA)
        return hashlib.md5(content, usedforsecurity=False).hexdigest() in self._package.get(path, ())


def _bodies(content: bytes) -> Iterator[bytes]:
    """Each certificate's base64 text without newlines."""
    return (b"".join(match[1].split()) for match in _PEM.finditer(content))


def _owner(body: bytes) -> str:
    """Its owner, for people; what cannot be parsed is named by its digest."""
    from cryptography import x509

    try:
        return f"`{x509.load_der_x509_certificate(base64.b64decode(body)).subject.rfc4514_string()}`"
    except ValueError:
        return f"something that is not a certificate (SHA-256 of its text {hashlib.sha256(body).hexdigest()[:16]})"
