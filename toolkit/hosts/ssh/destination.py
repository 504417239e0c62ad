"""Where a host is and how it is reached: a value, found from a cluster's file and the person's ssh_config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_plus

_HOP = re.compile(r"(?:(?P<user>.+)@)?(?:\[(?P<six>[^]\s]+)\]|(?P<name>[^][:@/,\s]+))(?::(?P<port>[0-9]{1,5}))?")
_SCHEME = "ssh://"


@dataclass(frozen=True)
class Destination:
    """One sshd, and the way to it.

    Attributes:
        host: the name by which a person knows it; errors carry it.
        address: what is connected to, a name or an IP address.
        port: TCP port.
        user: the account on the host.
        identities: files of keys, private or public, in the order in which they are tried.
        any_key: whether keys that only the agent holds are tried besides.
        known_as: the name under which its key is looked up, `[name]:port` where the port is not 22.
        known_hosts: the files that are looked into.
        through: the jump host on the way, if any.
        new_keys: the file that takes a new key of the host; None where no file keeps it.
        agent: the agent's socket; empty: no agent is asked. Default None: that of SSH_AUTH_SOCK.
    """

    host: str
    address: str
    port: int
    user: str
    identities: tuple[Path, ...]
    any_key: bool
    known_as: str
    known_hosts: tuple[Path, ...]
    through: Destination | None = None
    new_keys: Path | None = None
    agent: str | None = None

    @property
    def socket_name(self) -> str:
        """`address:port`, as a person reads it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Hop:
    """A jump host as it is written: `user@gate:22`; user and port may be left out (0: not given)."""

    name: str
    user: str = ""
    port: int = 0

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return (f"{self.user}@" if self.user else "") + name + (f":{self.port}" if self.port else "")


def parse_hop(text: str) -> Hop:
    """Read `[user@]host[:port]` or `ssh://[user@]host[:port]`, as OpenSSH's misc.c does.

    The last @ ends the user's name, which may have others in it; an address of IPv6 is in brackets. In a URI the
    user's name may have `%40` for @, and what follows a `;` in it is passed over.

    Raises `ValueError`, whose text a person can read, where it is something else.
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
