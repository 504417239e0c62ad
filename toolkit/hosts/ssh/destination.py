"""Where a host is and how it is reached: a value, found from a cluster's file and the person's ssh_config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_HOP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<six>[^]]+)\]|(?P<name>[^:@]+))(?::(?P<port>[0-9]+))?")


@dataclass(frozen=True)
class Destination:
    """One sshd, and the way to it.

    Attributes:
        host: the name by which a person knows it; errors carry it.
        address: what is connected to, a name or an IP address.
        port: TCP port.
        user: the account on the host.
        identities: files of private keys, in the order in which they are tried.
        any_key: whether keys that only the agent holds and `~/.ssh/id_*` are tried besides.
        known_as: the name under which its key is looked up, `[name]:port` where the port is not 22.
        known_hosts: the files that are looked into.
        through: the jump host on the way, if any.
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


def parse_hop(text: str) -> Hop:
    """Read `[user@]host[:port]`; raises `ValueError`, whose text a person can read, where it is something else."""
    match = _HOP.fullmatch(text.strip())
    port = int(match["port"] or 0) if match else 0
    if not match or port > 65535 or (match["port"] and not port):
        raise ValueError(f"expected user@host:port, found {text!r}")
    return Hop(match["six"] or match["name"], match["user"] or "", port)
