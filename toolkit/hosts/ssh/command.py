"""A command on a host, and the connection that it runs over, as the pool and the shells see them.

Fabric's connection (`connection`) and a master of the system's ssh (`toolkit.hosts.openssh.master`) are both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class NoSession(Exception):
    """The connection is up, and the host starts no further command on it."""


class ConnectionDown(Exception):
    """The connection was found to be down before the command was started."""


class RunningCommand(Protocol):
    """A command that runs on a host. Each method raises `ToolkitError` (S100) where the connection is cut."""

    @property
    def pid(self) -> int | None:
        """The command's process on the host, its group's leader; None before it is known."""
        ...

    def write(self, piece: bytes) -> bool:
        """Give the command `piece` to read; false where it reads no more."""
        ...

    def end_input(self) -> None:
        """Tell the command that nothing more comes."""
        ...

    def pieces(self, until: float | None = None) -> Iterator[bytes]:
        """The command's output to its end; raises `TimeoutError` at `until` on the monotonic clock."""
        ...

    def status(self, until: float | None = None) -> int:
        """The command's exit status, once it has ended; raises `TimeoutError` at `until`."""
        ...

    def errors(self) -> str:
        """What the command has said on its standard error so far."""
        ...

    def end(self, *, at_once: bool = False) -> None:
        """End the command on the host if it still runs: TERM, and KILL after 5 s; or KILL at once."""
        ...

    def close(self) -> None:
        """Release local resources."""
        ...


class SharedConnection(Protocol):
    """A connection on which several commands run at the same time."""

    @property
    def is_connected(self) -> bool:
        """Whether it is up, as far as it is known without asking the host."""
        ...

    def start(self, argv: Sequence[str], *, merged: bool = False) -> RunningCommand:
        """Start `argv`; `merged`: errors as output.

        Raises `NoSession` and `ConnectionDown`.
        """
        ...

    def signal(self, pids: Sequence[int], signal: str) -> None:
        """Send `signal` (`TERM`, `KILL`) to commands on the host, within 5 s; one that is gone runs none of them."""
        ...

    def tunnel(self, port: int) -> Any:
        """A connection to `port` of the host's loopback, as `forward` joins them. Raises `ToolkitError` (S100)."""
        ...

    def why_down(self) -> str:
        """Why it is up no more, as far as it is known."""
        ...

    def close(self) -> None:
        """Close it."""
        ...
