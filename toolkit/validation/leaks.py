"""Private keys, passwords and access keys that no image and no submitted code may contain. No finding quotes one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.validation.file_scan import Seen
from toolkit.validation.published import Published, digests_of

_HOST_KEY = re.compile(r"etc/ssh/ssh_host_.*")
_PRIVATE_KEY = re.compile(
    # The key itself must follow: programs that write or read keys contain only the first line.
    rb"-----BEGIN (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\r?\n|\\n)"
    rb"(?:[A-Za-z-]+: [^\n]*\r?\n)*\s*[A-Za-z0-9+/=\\\r\n]{40}"
)
_PUTTY_KEY = re.compile(rb"\APuTTY-User-Key-File-\d")
_HOMES = r"(root|home/[^/]+)/"
_SECRET_FILES = re.compile(
    rf"""
      (.*/)?(\.netrc|_netrc|\.pypirc|\.git-credentials|\.pgpass|\.my\.cnf|\.dockercfg)
    | (.*/)?\.docker/config\.json | (.*/)?\.(aws|azure)/[^/]*(credentials|[Tt]okens?)[^/]* | (.*/)?\.kube/config
    | (.*/)?\.config/(gcloud/.*(credentials|token).*|rclone/rclone\.conf|gh/hosts\.yml)
    | {_HOMES}\.(ssh/(id_.*(?<!\.pub)|authorized_keys)|huggingface/token|cache/huggingface/token|kaggle/kaggle\.json)
    | etc/apt/auth\.conf(\.d/.+)?
    """,
    re.VERBOSE,
)
_SETTINGS = re.compile(r"(etc|root|home)/.*|.*/(pip\.conf|\.npmrc|\.condarc|\.env)")
"""Paths of a person's or a site's own settings; the rest is packages, whose documentation shows examples."""
_KNOWN = {
    "an AWS access key": ((b"AKIA", b"ASIA"), rb"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    "an AWS secret key": (
        (b"ecret", b"ECRET"),
        rb"(?i)aws_?secret_?(?:access_?)?key[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9/+=]{40}",
    ),
    "a GitHub token": (
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        rb"(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{36})",
    ),
    "a GitLab token": ((b"glpat-",), rb"(?<![A-Za-z0-9_])glpat-[A-Za-z0-9_-]{20}"),
    "a PyPI token": ((b"pypi-AgE",), rb"pypi-AgE[A-Za-z0-9_-]{50}"),
    "a Hugging Face token": ((b"hf_",), rb"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{34}"),
    "a Slack token": ((b"xox",), rb"xox[abeprs]-[A-Za-z0-9-]{20}"),
    "a password in a URL": ((b"://",), rb"://[^/\s:@\"'$<{]{1,100}:[^/\s@\"'$<{]{1,200}@[A-Za-z0-9]"),
    "an npm token": ((b"_authToken",), rb"_authToken\s*=\s*[^\s$]+"),
}
"""By kind, substrings of such texts (searching for them first is ten times as fast), and the whole pattern."""
_KEY_FILE = re.compile(rb"\A\s*-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}")
"""A file that begins like this is a key, whatever follows."""
_OTHER_KEYS = re.compile(rb"AGE-SECRET-KEY-1[0-9A-Z]{58}|(?m:^PrivateKey\s*=\s*[A-Za-z0-9+/]{43}=)")
"""age's, WireGuard's."""
_BINARY_KEY = re.compile(
    rb"\A(?:\x30[\x80-\x84]?[\x00-\xff]{1,4}\x02\x01[\x00\x01]"  # ASN.1: a sequence that begins with version 0 or 1
    rb"(?:\x30[\x05-\x20]\x06|\x02[\x40-\x84]|\x04[\x14-\x48])"  # PKCS#8, PKCS#1, SEC1
    rb"|\x30\x82..\x02\x01\x03\x30"  # PKCS#12
    rb"|\xfe\xed\xfe\xed|\x03\xd9\xa2\x9a)",  # Java's key store, KeePass
    re.DOTALL,
)
_SECRET_NAME = re.compile(r"(?i)(^|_)(password|passwd|secret|token|api_?key|access_key(_id)?|secret_key|credentials?)$")


@dataclass
class Keys:
    """The private keys of an image. Pass every file to `look`, in any order; `private` then lists the problems."""

    _host: list[str] = field(default_factory=list)
    _found: dict[str, frozenset[str]] = field(default_factory=dict)

    def look(self, file: Seen) -> None:
        """Record whether `file` contains one."""
        if file.kind == "file" and _HOST_KEY.fullmatch(file.path):
            self._host.append(file.path)
        elif _PRIVATE_KEY.search(file.content) or _PUTTY_KEY.search(file.content):
            self._found[file.path] = digests_of(file.content)

    def private(self, published: Published) -> Iterator[str]:
        """Each key that is in no package; the tests of some wheels contain a key, which is not secret."""
        for path in self._host:
            yield f"/{path} is a host key: every container of this image would answer with it"
        for path, digests in self._found.items():
            if not published.has(digests):
                yield f"/{path} holds a private key"


def secrets_in(file: Seen) -> Iterator[str]:
    """Each password, access key or token in `file`, by its path and kind."""
    if file.kind == "file" and file.size and _SECRET_FILES.fullmatch(file.path):
        yield f"/{file.path} is a credentials file"
    elif _SETTINGS.fullmatch(file.path):
        yield from (f"/{file.path} holds {what}" for what in known_secrets(file.effective))


def secrets_in_settings(settings: Mapping[str, Any]) -> Iterator[str]:
    """The same for the image's configuration: its variables, its labels, its command."""
    for variable in settings.get("Env") or ():
        name, _, value = variable.partition("=")
        if value and _SECRET_NAME.search(name):
            yield f"the image sets {name}"
    text = json.dumps(settings, ensure_ascii=False, indent=0).encode("utf-8", "replace")
    yield from (f"the image's configuration holds {what}" for what in known_secrets(text))


def known_secrets(content: bytes) -> Iterator[str]:
    """The kinds of access keys, passwords and tokens of well-known forms in `content`."""
    for what, (marks, pattern) in _KNOWN.items():
        if any(mark in content for mark in marks) and re.search(pattern, content):
            yield what


def holds_private_key(content: bytes) -> bool:
    """Whether `content` contains a private key: PEM, OpenSSH, PuTTY, DER, key stores."""
    if _BINARY_KEY.match(content) or _PUTTY_KEY.match(content):
        return True
    if b"PRIVATE KEY" in content and (_KEY_FILE.match(content) or _PRIVATE_KEY.search(content)):
        return True
    return (b"AGE-SECRET-KEY-1" in content or b"PrivateKey" in content) and bool(_OTHER_KEYS.search(content))


def keeps_credentials(path: str) -> bool:
    """Whether the file `path` is a credentials file, by its name."""
    return bool(_SECRET_FILES.fullmatch(path))
