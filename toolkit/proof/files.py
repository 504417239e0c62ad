"""What an image must not hold: every check that looks at its files and its configuration. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from toolkit.proof.certificates import Certificates
from toolkit.proof.leaks import keys_in, secrets_in, secrets_in_settings
from toolkit.proof.model import Finding
from toolkit.proof.privileges import excess_privileges
from toolkit.proof.remains import caches_in, site_in, site_in_settings
from toolkit.proof.seen import Seen

_MOST_TOLD = 20
"""Findings of one check that are told one by one: a forgotten cache has thousands of files."""
_CHECKS: dict[str, tuple[Callable[[Seen], Iterator[str]], str]] = {
    "privileges": (excess_privileges, "no file gives rights that nothing needs"),
    "private keys": (keys_in, "no private key, no host key"),
    "secrets": (secrets_in, "no password, access key or token in files or configuration"),
    "caches": (caches_in, "no cache, log or temporary file"),
    "building site": (site_in, "nothing of the building site's names, servers and proxies"),
}
_CERTIFICATES = "certificates"


def judge_files(files: Iterable[Seen], settings: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Look at every file once; `settings` is the image's configuration. One finding for each thing that is wrong."""
    complaints: dict[str, list[str]] = {check: [] for check in (*_CHECKS, _CERTIFICATES)}
    certificates, count = Certificates(), 0
    for file in files:
        count += 1
        certificates.look(file)
        for check, (look, _) in _CHECKS.items():
            complaints[check] += look(file)
    complaints["secrets"] += secrets_in_settings(settings)
    complaints["building site"] += site_in_settings(settings)
    complaints[_CERTIFICATES] += certificates.foreign()
    if not count:
        return (Finding("files", "fail", "the image was read and has no file"),)
    fine = {check: said for check, (_, said) in _CHECKS.items()}
    fine[_CERTIFICATES] = "no certificate authority but those that packages brought"
    return tuple(finding for check in complaints for finding in _told(check, complaints[check], fine[check]))


def _told(check: str, complaints: list[str], fine: str) -> Iterator[Finding]:
    if not complaints:
        yield Finding(check, "ok", fine)
    for said in complaints[:_MOST_TOLD]:
        yield Finding(check, "fail", said)
    if len(complaints) > _MOST_TOLD:
        yield Finding(check, "fail", f"and {len(complaints) - _MOST_TOLD} more")
