"""A lab: its names, its hosts as reported by the engine, and the changes needed to reach the requested state. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import Code, ToolkitError

DEFAULT_NAME = "lab"
DEFAULT_HOSTS = 2
MOST_HOSTS = 64
_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
"""With a number, it is a host's name on the network, and a file name."""


@dataclass(frozen=True)
class Lab:
    """A lab's names. `folder` on this machine holds its key and known_hosts, and belongs to one user."""

    name: str
    folder: Path

    @property
    def network(self) -> str:
        """The bridge."""
        return f"toolkit-lab-{self.name}"

    def host(self, number: int) -> str:
        """A host's name in a cluster file; numbers count from 1."""
        return f"{self.name}-{number}"

    def container(self, number: int) -> str:
        """A host's container, and the volume that is its disk."""
        return f"toolkit-lab-{self.host(number)}"

    @property
    def identity(self) -> Path:
        """The private key for its hosts."""
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Its hosts' keys."""
        return self.folder / "known_hosts"


@dataclass(frozen=True)
class LabHost:
    """A host as the engine reports it: `image` is the name that it was started from; no `address` unless it runs."""

    number: int
    name: str
    container: str
    running: bool
    image: str
    address: str


@dataclass(frozen=True)
class Net:
    """A lab's network: its CIDR, and this machine's address on it."""

    cidr: str
    operator: str


@dataclass(frozen=True)
class Change:
    """Numbers of the hosts to `remove`, to `make` and to `keep`."""

    remove: tuple[int, ...]
    make: tuple[int, ...]
    keep: tuple[int, ...]


def lab_named(name: str, home: Path) -> Lab:
    """The lab `name` of the user whose folder is `home`; raises `ToolkitError` (C104) for an invalid host name."""
    if not _NAME.fullmatch(name):
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"`{name}` is not a valid lab name",
            hint="2 to 40 lowercase letters, digits and dashes, starting with a letter: its hosts are named after it",
        )
    return Lab(name, home / "labs" / name)


def wanted_hosts(asked: int | None, there: int) -> int:
    """How many hosts: as requested, else as many as exist, else 2.

    Raises `ToolkitError` (C104) for none, or for more than 64.
    """
    wanted = asked if asked is not None else there or DEFAULT_HOSTS
    if not 1 <= wanted <= MOST_HOSTS:
        raise ToolkitError(Code.RESOURCES_ASKED, f"--hosts {wanted}: a lab has 1 to {MOST_HOSTS} hosts")
    return wanted


def changes(found: Sequence[LabHost], wanted: int, image: str, *, key_is_here: bool) -> Change:
    """The changes that turn `found` into hosts 1 to `wanted`.

    A host stays if it runs the current `image` and accepts the key that is here; any other is recreated.
    """
    good = {host.number for host in found if host.running and host.image == image and key_is_here}
    keep = tuple(number for number in range(1, wanted + 1) if number in good)
    make = tuple(number for number in range(1, wanted + 1) if number not in good)
    remove = tuple(sorted({host.number for host in found} - set(keep)))
    return Change(remove, make, keep)


def foreign_folder(lab: Lab, folders: Collection[Path]) -> Path | None:
    """The folder of another user's lab of this name, if the hosts are theirs."""
    return next((folder for folder in sorted(folders) if folder != lab.folder), None)
