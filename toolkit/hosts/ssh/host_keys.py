"""The check of a host's key, as paramiko's client asks for it: after the key exchange, before any authentication.

Paramiko's own tables of known hosts stay empty, so each key comes here. They know no wildcards, and an `@revoked` line
makes them fail as a whole (hostkeys.py).
"""

from __future__ import annotations

from typing import Any

import paramiko

from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import HostKey, kinds_on_record, read_entries


class KeysOnRecord(paramiko.MissingHostKeyPolicy):
    """Lets the recorded key of `to` pass; raises `ToolkitError` (S100) for one that is unknown, another or revoked."""

    def __init__(self, to: Destination) -> None:
        self._to, self._entries = to, read_entries(to.known_hosts)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The recorded key types; offered first, as in OpenSSH."""
        return kinds_on_record(self._entries, self._to.known_as)

    def missing_host_key(self, _client: Any, _name: str, shown: Any) -> None:
        """See paramiko's; the name that it has made up is not the one under which the key is recorded."""
        key = HostKey(shown.get_name(), shown.asbytes())
        if error := ssh_errors.key_not_recorded(self._to, self._entries, key):
            raise error


class KeyShown(Exception):
    """Not an error: a host's key, by which a connection ends that was opened to see it."""

    def __init__(self, key: HostKey) -> None:
        super().__init__(key)
        self.key = key


class OnlyLook(KeysOnRecord):
    """Lets no key pass, so that there is no login: raises `KeyShown`."""

    def missing_host_key(self, _client: Any, _name: str, shown: Any) -> None:
        """See paramiko's."""
        raise KeyShown(HostKey(shown.get_name(), shown.asbytes()))
