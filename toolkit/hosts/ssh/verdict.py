"""What is to be said of a host whose key is not the one on record."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import Entry, HostKey, Standing, standing


def refusal(to: Destination, entries: Sequence[Entry], key: HostKey) -> ToolkitError | None:
    """The error for `key`, which `to` shows, with the line that says so; None where it is the one on record."""
    stands, entry = standing(entries, to.known_as, key)
    if stands is Standing.KNOWN:
        return None
    if entry is None:
        return ssh_errors.key_unknown(to, key.kind, key.fingerprint)
    if stands is Standing.REVOKED:
        return ssh_errors.key_revoked(to, key.kind, key.fingerprint, entry.file, entry.line)
    recorded = f"{entry.key.kind} {entry.key.fingerprint}"
    return ssh_errors.key_changed(to, key.kind, key.fingerprint, entry.file, entry.line, recorded)
