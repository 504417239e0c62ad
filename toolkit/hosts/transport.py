"""How a host over ssh is reached: the seam behind which each transport opens its shells.

`toolkit.hosts.transports` names those that there are. A further one is a class with these two methods and a line
there; a cluster file then chooses it by its name (`ssh: NAME`).
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from toolkit.hosts.shell import Shell
from toolkit.hosts.ssh.destination import Destination


@runtime_checkable
class HostShell(Shell, Protocol):
    """A `Shell` on a host of a cluster."""

    @property
    def to(self) -> Destination:
        """Where the host is, and the way to it."""
        ...

    def end_commands(self) -> None:
        """End every command that this shell runs now; the calls that wait for them then return."""
        ...


class Transport(Protocol):
    """Opens the shells of hosts that are worked on together. Making one does nothing."""

    def shell(self, to: Destination) -> HostShell:
        """The shell of the host that `to` leads to; nothing is connected before its first command."""
        ...

    def close(self) -> None:
        """Let go of what its shells share, such as connections to jump hosts."""
        ...
