"""What no image may give away: private keys, host keys, passwords and access keys. No finding quotes what it found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.proof.published import Published, digests_of
from toolkit.proof.seen import Seen

_HOST_KEY = re.compile(r"etc/ssh/ssh_host_.*")
_PRIVATE_KEY = re.compile(
    # The key itself must follow: a program that writes or reads keys has the first line alone among its words.
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
"""Where a person's or a site's own settings lie; the rest is packages, whose documentation shows examples."""
_PATTERNS = {
    "an access key of AWS": rb"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])",
    "a secret key of AWS": rb"(?i)aws_?secret_?(?:access_?)?key[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9/+=]{40}",
    "a token of GitHub": rb"(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{36})",
    "a token of GitLab": rb"(?<![A-Za-z0-9_])glpat-[A-Za-z0-9_-]{20}",
    "a token of PyPI": rb"pypi-AgE[A-Za-z0-9_-]{50}",
    "a token of Hugging Face": rb"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{34}",
    "a token of Slack": rb"xox[abeprs]-[A-Za-z0-9-]{20}",
    "a password in a URL": rb"://[^/\s:@\"'$<{]{1,100}:[^/\s@\"'$<{]{1,200}@[A-Za-z0-9]",
    "a token of npm": rb"_authToken\s*=\s*[^\s$]+",
}
_COMPILED = {what: re.compile(pattern) for what, pattern in _PATTERNS.items()}
_SECRET_NAME = re.compile(r"(?i)(^|_)(password|passwd|secret|token|api_?key|access_key(_id)?|secret_key|credentials?)$")


@dataclass
class Keys:
    """The private keys of an image. `look` takes every file, in any order; `private` then says what is wrong."""

    _host: list[str] = field(default_factory=list)
    _found: dict[str, frozenset[str]] = field(default_factory=dict)

    def look(self, file: Seen) -> None:
        """Keep where `file` holds one."""
        if file.kind == "file" and _HOST_KEY.fullmatch(file.path):
            self._host.append(file.path)
        elif _PRIVATE_KEY.search(file.content) or _PUTTY_KEY.search(file.content):
            self._found[file.path] = digests_of(file.content)

    def private(self, published: Published) -> Iterator[str]:
        """Each key that no package published; the tests of some wheels bring a key with them, which is no secret."""
        for path in self._host:
            yield f"/{path} is a host key: every container of this image would answer with it"
        for path, digests in self._found.items():
            if not published.has(digests):
                yield f"/{path} holds a private key"


def secrets_in(file: Seen) -> Iterator[str]:
    """Each password, access key or token in `file`, by its place and what it is."""
    if file.kind == "file" and file.size and _SECRET_FILES.fullmatch(file.path):
        yield f"/{file.path} is where credentials are kept"
    elif _SETTINGS.fullmatch(file.path):
        yield from (f"/{file.path} holds {what}" for what in _known_secrets(file.effective))


def secrets_in_settings(settings: Mapping[str, Any]) -> Iterator[str]:
    """The same of the image's configuration: its variables, its labels, its command."""
    for variable in settings.get("Env") or ():
        name, _, value = variable.partition("=")
        if value and _SECRET_NAME.search(name):
            yield f"the image sets {name}"
    text = json.dumps(settings, ensure_ascii=False, indent=0).encode("utf-8", "replace")
    yield from (f"the image's configuration holds {what}" for what in _known_secrets(text))


def _known_secrets(content: bytes) -> Iterator[str]:
    return (what for what, pattern in _COMPILED.items() if pattern.search(content))
