"""Errors of connecting to a host, with hints. Each is S100 and names the host.

`context["reason"]` is one of `unreachable`, `refused`, `host key unknown`, `host key changed`, `authentication`,
`cut`, `interrupted`, so that a check can tell them apart.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from toolkit.errors import Code, Problem, ToolkitError
from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import Entry, HostKey, Standing, standing

NAME_A_FILE = "set `known_hosts` in the cluster file, then: toolkit cluster trust FILE"
_LOG_IN = "log in once as your site requires; all commands then use that login: toolkit cluster connect FILE"
_TRUST = "compare the fingerprint with the host's, then record it: toolkit cluster trust FILE"


def _error(
    reason: str, to: Destination, what: str, problems: tuple[Problem, ...] = (), evidence: str = "", hint: str = ""
) -> ToolkitError:
    way = f" through {to.through.host}" if to.through else ""
    context = {"host": to.host, "reason": reason}
    return ToolkitError(
        Code.RESOURCES, f"host {to.host} ({to.socket_name}{way}): {what}", problems, evidence, hint, context
    )


def unreachable(to: Destination, why: str) -> ToolkitError:
    """No route to the host, or no SSH server there."""
    return _error("unreachable", to, f"not reachable: {why}", hint="is it up, and is the address right?")


def refused(to: Destination, why: str) -> ToolkitError:
    """The host refused or closed the connection."""
    hint = "is sshd running? If many connect at once: raise its MaxStartups, or lower `limits: {connections: …}`"
    return _error("refused", to, f"refused the connection: {why}", hint=hint)


def forwarding_refused(to: Destination, why: str) -> ToolkitError:
    """The jump host does not forward connections."""
    jump = to.through.host if to.through else ""
    hint = f"sshd_config on {jump}: AllowTcpForwarding yes, and PermitOpen for {to.socket_name}"
    return _error("unreachable", to, f"{jump} does not forward connections to it: {why}", hint=hint)


def port_unreachable(to: Destination, port: int, why: str) -> ToolkitError:
    """Its sshd does not forward to the host's loopback."""
    hint = f"sshd_config on {to.host}: AllowTcpForwarding yes (or local), and PermitOpen for 127.0.0.1:*"
    return _error("unreachable", to, f"cannot connect to its own port {port}: {why}", hint=hint)


def key_not_recorded(to: Destination, entries: Sequence[Entry], key: HostKey) -> ToolkitError | None:
    """The error for `key`, which `to` presented, with the line that says so; None if it is the recorded one."""
    stands, entry = standing(entries, to.known_as, key)
    if stands is Standing.KNOWN:
        return None
    if entry is None:
        return key_unknown(to, key)
    if stands is Standing.REVOKED:
        problem, hint = Problem("marked @revoked", entry.place), "give the host a new key: ssh-keygen -A"
        return _error("host key changed", to, f"its host key is revoked: {key}", (problem,), hint=hint)
    # Another machine, or a man in the middle.
    problem = Problem(f"recorded for {to.known_as}: {entry.key}", entry.place)
    hint = f"if the host was reinstalled, remove line {entry.line} of {entry.file}, then: toolkit cluster trust FILE"
    return _error("host key changed", to, f"the host key has changed: it presented {key}", (problem,), hint=hint)


def key_unknown(to: Destination, key: HostKey) -> ToolkitError:
    """No known_hosts file has a key of this host."""
    problem = Problem(f"looked for {to.known_as} in {_files(to.known_hosts)}")
    hint = _TRUST if to.new_keys else NAME_A_FILE
    return _error("host key unknown", to, f"unknown host key: {key}", (problem,), hint=hint)


def authentication_failed(to: Destination, tried: Sequence[str], accepts: Sequence[str] = ()) -> ToolkitError:
    """No key was accepted; `tried` has the result of each."""
    problems = tuple(Problem(line) for line in tried) or (Problem("no key to try"),)
    if accepts and "publickey" not in accepts:
        problems = (*problems, Problem(f"the host does not accept keys, only: {', '.join(accepts)}"))
    hint = f"ssh-copy-id -p {to.port} {to.user}@{to.address}; or correct `user` and `identity` in the cluster file"
    return _error("authentication", to, f"authentication failed for {to.user}", problems, hint=hint)


def needs_login(to: Destination, said: str, accepts: Sequence[str] = ()) -> ToolkitError:
    """The system's ssh cannot log in without user input."""
    problems: tuple[Problem, ...] = (Problem(f"ssh says: {said}"),)
    if accepts and "publickey" not in accepts:
        problems = (*problems, Problem(f"the host accepts only: {', '.join(accepts)}"))
    return _error("authentication", to, f"authentication failed for {to.user}", problems, hint=_LOG_IN)


def command_failed(to: Destination, said: str) -> ToolkitError:
    """The user's ProxyCommand ended before the SSH banner."""
    hint = f"see its error: ssh {to.host}"
    return _error("refused", to, f"its ProxyCommand failed: {said}", hint=hint)


def key_refused(to: Destination, said: str) -> ToolkitError:
    """ssh rejects a recorded key, for example by RevokedHostKeys."""
    what = "ssh rejected its host key, although it is recorded"
    return _error("host key changed", to, what, evidence=said, hint=f"see its error: ssh {to.host}")


def cut(to: Destination, why: str, doing: str = "") -> ToolkitError:
    """An established connection was lost."""
    during = f" while `{doing}` was running" if doing else ""
    return _error("cut", to, f"connection lost{during}: {why}", hint="is the host still up?")


def interrupted(host: str) -> ToolkitError:
    """The user interrupted; no further command is started."""
    context = {"host": host, "reason": "interrupted"}
    return ToolkitError(Code.RESOURCES, f"host {host}: interrupted", context=context)


def _files(files: Sequence[Path]) -> str:
    return (
        " and ".join(f"{file}{'' if os.access(file, os.F_OK) else ' (does not exist)'}" for file in files) or "no file"
    )


def words(error: BaseException) -> str:
    """A library's error in one line; unhelpful ones of paramiko are replaced."""
    if isinstance(error, EOFError):
        return "connection closed"
    text = str(error).strip().replace("Error reading SSH protocol banner", "connection closed before the SSH banner")
    return text.splitlines()[0] if text else type(error).__name__
