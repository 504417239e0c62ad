"""Translates error messages of the system's ssh to the errors that every transport raises."""

from __future__ import annotations

import re

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.ssh.destination import Destination

_DENIED = re.compile(r"Permission denied \(([^)]*)\)|Too many authentication failures|No supported authentication")
_HUNG_UP = re.compile(
    r"kex_exchange_identification|banner exchange: |Broken pipe|Connection (?:closed|reset) by|Connection to .* closed",
    re.I,
)
"""The last words depend on who was faster: a program that ends before ssh has written its banner breaks the pipe."""
_UNREACHABLE = re.compile(
    r"Could not resolve hostname|No route to host|Network is unreachable|timed out|Operation timed out", re.I
)
KEY_REFUSED = "Host key verification failed"
FORWARDING_REFUSED = "Stdio forwarding request failed"


def failure(to: Destination, said: str) -> ToolkitError:
    """The error for what ssh `said`; a refused host key is for `toolkit.hosts.openssh.host_key`."""
    if denied := _DENIED.search(said):
        accepts = [method for method in (denied[1] or "").split(",") if method]
        return ssh_errors.needs_login(to, denied[0].strip(), accepts)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if any(FORWARDING_REFUSED in line for line in lines) and to.through:
        return ssh_errors.refused(to, f"{to.through.host} could not connect to it")
    why = next((line for line in lines if _UNREACHABLE.search(line)), "")
    if why:
        return ssh_errors.unreachable(to, why)
    refused = next((line for line in lines if "Connection refused" in line), "")
    hung_up = next((line for line in lines if _HUNG_UP.search(line)), "")
    if hung_up and to.system and to.system.why == "ProxyCommand" and not refused:
        return ssh_errors.command_failed(to, hung_up)
    return ssh_errors.refused(to, refused or hung_up or (lines[-1] if lines else "ssh gave no reason"))
