"""A host's key, seen by the system's ssh without a login: for `cluster trust`, and to say why one was refused."""

from __future__ import annotations

import tempfile
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.hosts.openssh.arguments import JumpHost, Times, look_at_key
from toolkit.hosts.openssh.process import finish, start
from toolkit.hosts.openssh.translate import failure
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import HostKey, kinds_on_record, read_entries


def shown_key(to: Destination, times: Times, jump: JumpHost | None) -> HostKey:
    """The key that the host shows; raises `ToolkitError` (S100) where it shows none within `times.connect` seconds."""
    kinds = kinds_on_record(read_entries(to.known_hosts), to.known_as)
    with tempfile.TemporaryDirectory(prefix="toolkit-ssh-") as folder:
        record = Path(folder, "known_hosts")
        argv = look_at_key(to, record, times, jump=jump, kinds=kinds)
        said = finish(start(argv), times.connect)
        entries = read_entries([record])
    if entries:
        return entries[0].key
    if said is None:
        raise ssh_errors.unreachable(to, f"no SSH banner within {times.connect:g} s")
    raise failure(to, said)


def refused(to: Destination, times: Times, jump: JumpHost | None) -> ToolkitError | None:
    """The error for a host that shows another key than the one on record, or none; None where the key is on record."""
    try:
        key = shown_key(to, times, jump)
    except ToolkitError as error:
        return error
    return ssh_errors.key_not_recorded(to, read_entries(to.known_hosts), key)
