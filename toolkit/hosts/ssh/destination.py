"""The address of a host and the way to it: a value, from a cluster file and the user's ssh_config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SystemSsh:
    """How the system's `ssh` is called for a host: for everything, or only for large amounts of data.

    Attributes:
        why: what made it the transport, for a person, such as `ProxyCommand`; empty where it is not.
        options: what the cluster file gives, before anything of ssh_config.
        control: the socket of a login that the person has open, by their ssh_config; commands go over it.
        keys_command: whether ssh_config has a KnownHostsCommand.
    """

    why: str
    options: tuple[str, ...] = ()
    control: Path | None = None
    keys_command: bool = False


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
        transport: its name (see `toolkit.hosts.transport`). Default `fabric`.
        system: how the system's ssh is called; None where the cluster file has `ssh: fabric`.
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
    transport: str = "fabric"
    system: SystemSsh | None = None

    @property
    def socket_name(self) -> str:
        """`address:port`, for display."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"
