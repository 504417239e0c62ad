"""A jump host as written in cluster files and ssh_config. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

_HOP = re.compile(r"(?:(?P<user>.+)@)?(?:\[(?P<six>[^]\s]+)\]|(?P<name>[^][:@/,\s]+))(?::(?P<port>[0-9]{1,5}))?")
_SCHEME = "ssh://"


@dataclass(frozen=True)
class Hop:
    """A jump host as written: `user@gate:22`; user and port are optional (0: not given)."""

    name: str
    user: str = ""
    port: int = 0

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return (f"{self.user}@" if self.user else "") + name + (f":{self.port}" if self.port else "")


def parse_hop(text: str) -> Hop:
    """Read `[user@]host[:port]` or `ssh://[user@]host[:port]`, as OpenSSH's misc.c does.

    The last @ ends the user's name, which may contain others; an IPv6 address is in brackets. In a URI, the
    user's name may contain `%40` for @, and whatever follows a `;` in it is ignored.

    Raises `ValueError` with a readable message if it is something else.
    """
    bare = text.strip()
    is_uri = bare.startswith(_SCHEME)
    match = _HOP.fullmatch(bare.removeprefix(_SCHEME).removesuffix("/") if is_uri else bare)
    port = int(match["port"] or 0) if match else 0
    user = (match["user"] or "") if match else ""
    if is_uri and match and match["user"]:
        user = unquote_plus(user.partition(";")[0])
    if not match or port > 65535 or (match["port"] and not port) or (match["user"] and not user) or "\0" in user:
        raise ValueError(f"expected user@host:port, found {text!r}")
    return Hop(match["six"] or match["name"], user, port)
