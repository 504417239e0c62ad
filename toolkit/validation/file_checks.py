"""What an image must not contain: every check of its files and its configuration. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from toolkit.validation.build_residue import caches_in, site_in, site_in_settings
from toolkit.validation.certificates import Certificates
from toolkit.validation.file_scan import Seen
from toolkit.validation.leaks import Keys, secrets_in, secrets_in_settings
from toolkit.validation.model import Finding
from toolkit.validation.privileges import excess_privileges
from toolkit.validation.published import Published

_MOST_LISTED = 20
"""Maximum number of listed problems per check: a forgotten cache has thousands of files."""
_FINE = {
    "privileges": "no file has unnecessary privileges",
    "private keys": "no private key, no host key",
    "secrets": "no password, access key or token in files or configuration",
    "caches": "no cache, log or temporary file",
    "building site": "no names, servers or proxies of the build site",
    "certificates": "no certificate authorities except those from packages",
}
_BY_FILE: dict[str, Callable[[Seen], Iterator[str]]] = {
    "privileges": excess_privileges,
    "secrets": secrets_in,
    "caches": caches_in,
    "building site": site_in,
}


def judge_files(files: Iterable[Seen], settings: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Check every file once; `settings` is the image's configuration. One finding per check."""
    complaints: dict[str, list[str]] = {check: [] for check in _FINE}
    published, certificates, keys, count = Published(), Certificates(), Keys(), 0
    for file in files:
        count += 1
        for collected in (published, certificates, keys):
            collected.look(file)
        for check, look in _BY_FILE.items():
            complaints[check] += look(file)
    if not count:
        return (Finding("files", "fail", "the image has no files"),)
    complaints["private keys"] += keys.private(published)
    complaints["secrets"] += secrets_in_settings(settings)
    complaints["building site"] += site_in_settings(settings)
    complaints["certificates"] += certificates.foreign(published)
    return tuple(finding for check, fine in _FINE.items() for finding in _findings(check, complaints[check], fine))


def _findings(check: str, complaints: list[str], fine: str) -> Iterator[Finding]:
    if not complaints:
        yield Finding(check, "ok", fine)
    for said in complaints[:_MOST_LISTED]:
        yield Finding(check, "fail", said)
    if len(complaints) > _MOST_LISTED:
        yield Finding(check, "fail", f"and {len(complaints) - _MOST_LISTED} more")
