"""The person's ssh_config: which lines of it are followed, and what a `Destination` becomes by them.

Paramiko reads the file. Followed: Host, Match (all, host, originalhost, user, localuser, final, canonical, exec),
HostName, User, Port, IdentityFile, IdentitiesOnly, ProxyJump, HostKeyAlias, UserKnownHostsFile,
GlobalKnownHostsFile, and Include above the first Host or Match. ProxyCommand is refused with an error, since a
connection past it would go elsewhere.
"""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import paramiko

from toolkit.cluster.model import Access, Host
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.ssh.destination import Destination, Hop, parse_hop
from toolkit.hosts.ssh.known_hosts import SSH_PORT, known_as

_SYSTEM = Path("/etc/ssh")
_DEEPEST = 8
_SETTING = re.compile(r"^\s*([^\s=]*)(?:\s*=\s*|\s*)(.*)$", re.DOTALL)
"""A line's word, and what stands behind it: blanks or one equals sign between them."""


def read_ssh_config(folder: Path | None = None) -> paramiko.SSHConfig:
    """The person's config (default `~/.ssh/config`), then the system's; raises `ToolkitError` where it is none."""
    config = paramiko.SSHConfig()
    own = folder or Path.home() / ".ssh"
    for file in (*_with_includes(own / "config", own), *_with_includes(_SYSTEM / "ssh_config", _SYSTEM)):
        try:
            with file.open(errors="replace") as stream:
                config.parse(stream)
        except (paramiko.ConfigParseError, ValueError) as error:
            raise ToolkitError(Code.RESOURCES_ASKED, f"{file}: {error}") from None
    return config


def _with_includes(file: Path, folder: Path, depth: int = 0) -> Iterator[Path]:
    """The files that the head of `file` includes, in order, then `file`: the first value of a setting holds."""
    if depth > _DEEPEST or not file.is_file():
        return
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        name, rest = _SETTING.sub(r"\1\n\2", line).split("\n")
        if name.lower() in ("host", "match"):
            break
        if name.lower() == "include":
            try:
                patterns = [Path(pattern).expanduser() for pattern in shlex.split(rest)]
                found = [included for where in patterns for included in _matching(where, folder)]
            except (ValueError, LookupError, RuntimeError, OSError) as error:
                raise ToolkitError(Code.RESOURCES_ASKED, f"{file}, line {number}: Include: {error}") from None
            for included in found:
                yield from _with_includes(included, folder, depth + 1)
    yield file


def _matching(where: Path, folder: Path) -> list[Path]:
    """The files that a pattern of Include means; a relative one is below `folder`."""
    top = where.anchor or str(folder)
    return sorted(Path(top).glob(str(where.relative_to(where.anchor))))


def destination(host: Host, access: Access, config: paramiko.SSHConfig) -> Destination:
    """The way to `host`: what the cluster's file says comes first, then ssh_config, then ssh's own defaults.

    Raises `ToolkitError` (C104) for a ProxyCommand and for jump hosts that lead to each other.
    """
    jumps = [access.jump] if access.jump else None
    hop = Hop(host.name, host.user or access.user, host.port or access.port)
    return _destination(hop, host.address, access, config, jumps, 0)


def _destination(
    hop: Hop, address: str, access: Access, config: paramiko.SSHConfig, jumps: list[str] | None, depth: int
) -> Destination:
    found = config.lookup(hop.name)
    if depth > _DEEPEST:
        raise ToolkitError(Code.RESOURCES_ASKED, f"host {hop.name}: its jump hosts lead to each other (ssh_config)")
    if jumps is None:
        jumps = _jumps(hop.name, found)
    address = address or found["hostname"]
    port = hop.port or _port(hop.name, found)
    named = (access.identity,) if access.identity else ()
    listed = tuple(Path(file).expanduser() for file in found.get("identityfile", ()))
    only = bool(named) or found.get("identitiesonly", "no").lower() == "yes"
    return Destination(
        host=hop.name,
        address=address,
        port=port,
        user=hop.user or found.get("user", "") or getpass.getuser(),
        identities=named or listed,
        any_key=not only,
        known_as=found.get("hostkeyalias") or known_as(address, port),
        known_hosts=(access.known_hosts,) if access.known_hosts else _known_hosts(found),
        through=_through(jumps, access, config, depth) if jumps else None,
    )


def _port(name: str, found: paramiko.SSHConfigDict) -> int:
    text = found.get("port", str(SSH_PORT))
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) < 1 << 16):
        raise ToolkitError(Code.RESOURCES_ASKED, f"host {name}: ssh_config gives it port {text[:20]!r}, which is none")
    return int(text)


def _through(jumps: list[str], access: Access, config: paramiko.SSHConfig, depth: int) -> Destination:
    """The last of `jumps`, reached through those before it; the first one's own ProxyJump is followed."""
    try:
        hop = parse_hop(jumps[-1])
    except ValueError as error:
        raise ToolkitError(Code.RESOURCES_ASKED, f"ssh_config, ProxyJump: {error}") from None
    return _destination(hop, "", access, config, jumps[:-1] or None, depth + 1)


def _jumps(name: str, found: paramiko.SSHConfigDict) -> list[str]:
    """ProxyJump's hosts; with ProxyCommand alone there is no way that could be followed here."""
    jumps = found.get("proxyjump") or ""
    if not jumps and found.get("proxycommand"):
        what = f"host {name}: ssh_config gives it a ProxyCommand, which is not followed here"
        raise ToolkitError(Code.RESOURCES_ASKED, what, mend="use ProxyJump there, or `jump` in the cluster's file")
    return [] if jumps.lower() == "none" else [jump for jump in jumps.split(",") if jump.strip()]


def _known_hosts(found: paramiko.SSHConfigDict) -> tuple[Path, ...]:
    own = found.get("userknownhostsfile", "~/.ssh/known_hosts")
    shared = found.get("globalknownhostsfile", f"{_SYSTEM}/ssh_known_hosts")
    names = [*own.split(), *shared.split()]
    return tuple(Path(name).expanduser() for name in names if name.lower() != "none")
