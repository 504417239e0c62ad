"""URLs that are safe to show: their user names and passwords appear in no message, argv or JSON."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

HIDDEN = "[redacted]"
_VARIABLES = re.compile(r"(?:TOOLKIT_MIRROR_|PIP_|UV_|.*PROXY$|.*_URL$)", re.IGNORECASE)
"""Environment variables that may contain a URL with a password."""
_SHORTEST = 4
# A password may contain anything left unescaped, except a space, a quote, or a slash, which ends a host.
_USERINFO = re.compile(
    r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)(?P<user>[^\s/'\"<>?#]{1,2000})@"
)
_IN_VALUE = re.compile(r"://(.*)@")


def redact_urls(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`text` with user name and password replaced by `[redacted]` in every URL; also the passwords in the URLs that
    `environment` has for mirrors, indexes and proxies, wherever they occur. A lone ssh user is not a secret."""
    for secret in _passwords(environment):
        text = text.replace(secret, HIDDEN)
    return _USERINFO.sub(_redacted, text) if "://" in text else text


def _redacted(match: re.Match[str]) -> str:
    harmless = match["scheme"].lower() == "ssh://" and ":" not in match["user"]
    return match[0] if harmless else f"{match['scheme']}{HIDDEN}@"


def _passwords(environment: Mapping[str, str]) -> list[str]:
    """Longest first: one may be part of another."""
    found: set[str] = set()
    for name, value in environment.items():
        if "://" in value and "@" in value and _VARIABLES.match(name):
            for match in (_IN_VALUE.search(part) for part in value.split()):
                user, colon, password = match[1].partition(":") if match else ("", "", "")
                secret = password if colon else user
                found |= {secret, unquote(secret), quote(unquote(secret), safe="")}
    return sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)
