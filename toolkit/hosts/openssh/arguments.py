"""Command lines of the system's `ssh`, as values. Pure.

A master reads the person's ssh_config; what is asked of one reads none (`-F none`), so it goes nowhere else. Of two
values for one option ssh takes the first: what must hold stands before what the cluster file gives.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.hosts.ssh.destination import Destination
from toolkit.hosts.ssh.known_hosts import algorithms

_LOGINS = ("Pubkey", "Password", "KbdInteractive", "GSSAPI", "Hostbased")
_APPEND_ERRORS = 'exec "$@" 2>>"$0"'
"""Of what runs as a ProxyCommand, ssh drops the errors where ControlPersist is set (sshconnect.c)."""


@dataclass(frozen=True)
class Times:
    """Seconds.

    Attributes:
        connect: until a host has let us in; a person who types a password has longer.
        lost: without an answer until a host counts as gone.
        persist: after its last command until a master ends.
    """

    connect: float = 10
    lost: float = 15
    persist: int = 60


@dataclass(frozen=True)
class JumpHost:
    """The master of the jump host on the way: its name, its socket, and where errors go; None: to the terminal."""

    host: str
    control: Path
    log: Path | None = None


def open_master(
    to: Destination, control: Path, times: Times, *, jump: JumpHost | None, log: Path | None, person: bool = False
) -> list[str]:
    """Log in to `to`, and go on in the background as the master behind `control`.

    Args:
        jump: the jump host's master, if there is a jump host.
        log: takes what ssh says, as long as the master lives. None: the terminal, until it has logged in.
        person: whether ssh may ask one for passwords, codes and passphrases.
    """
    every = max(int(times.lost) // 3, 1)
    return [
        *("ssh", "-f", "-N", "-T", "-M", "-S", str(control)),
        *(("-E", str(log)) if log else ()),
        *_set(
            f"BatchMode={'no' if person else 'yes'}",
            f"ControlPersist={times.persist}",
            "StrictHostKeyChecking=yes",
            f"ServerAliveInterval={every}",
            f"ServerAliveCountMax={max(int(times.lost) // every - 1, 1)}",
            # The user's own forwardings would conflict with those of their other logins; no agent is forwarded.
            *("ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no", "Tunnel=no", "PermitLocalCommand=no"),
        ),
        *_to(to, times, jump),
    ]


def look_at_key(
    to: Destination, record: Path, times: Times, *, jump: JumpHost | None, kinds: Sequence[str]
) -> list[str]:
    """Have the host's key written to `record`, an empty file, without any login.

    Args:
        kinds: the types of key that are asked for first.
    """
    # Set only where ssh_config has it: before OpenSSH 8.5 it is an unknown option.
    command = to.system is not None and to.system.keys_command
    return [
        *("ssh", "-N", "-T", "-S", "none"),
        *_set(
            *("BatchMode=yes", "StrictHostKeyChecking=accept-new", "HashKnownHosts=no"),
            *(f"UserKnownHostsFile={quoted(record)}", "GlobalKnownHostsFile=none", "ControlMaster=no"),
            *(f"{kind}Authentication=no" for kind in _LOGINS),
            *([f"HostKeyAlgorithms=^{','.join(algorithms(kinds))}"] if kinds else []),
            *(["KnownHostsCommand=none"] if command else []),
        ),
        *_to(to, times, jump),
    ]


def run_line(control: Path, host: str, line: str) -> list[str]:
    """Have `line` run by the account's login shell on `host`, over its master."""
    return [*_over(control), "-T", "--", host, line]


def reach_port(control: Path, host: str, port: int) -> list[str]:
    """Connect to `port` of the host's loopback; says so on standard error (`-v`) once it is done."""
    return [*_over(control), "-v", "-W", f"127.0.0.1:{port}", "--", host]


REACHED = b"master session id"
"""What `reach_port` says then (mux.c, mux_client_request_stdio_fwd)."""


def ask_master(control: Path, request: str) -> list[str]:
    """A request to a master: `check`, `exit`."""
    return ["ssh", "-F", "none", "-S", str(control), "-O", request, "--", "master"]


def forward_port(control: Path, request: str, socket: Path, port: int) -> list[str]:
    """`forward` or `cancel`: the unix socket `socket` here leads to `port` of the host's loopback."""
    argv = ask_master(control, request)
    return [*argv[:-2], "-L", f"{socket}:127.0.0.1:{port}", *argv[-2:]]


def quoted(path: Path) -> str:
    """A path as a value of ssh_config, whose tokens begin with %."""
    return f'"{path}"'.replace("%", "%%")


def _over(control: Path) -> list[str]:
    """If the master refuses, ssh would open a login of its own: this makes that fail."""
    return ["ssh", "-F", "none", "-S", str(control), *_set("ControlMaster=no", "ProxyCommand=false")]


def _to(to: Destination, times: Times, jump: JumpHost | None) -> list[str]:
    """The address and the expected host key: the same for each command line that connects."""
    return [
        *_set(
            f"ConnectTimeout={math.ceil(times.connect)}",
            # A key is on record, or it is unknown: no name server speaks for it, and no host adds further ones.
            *("ConnectionAttempts=1", "VerifyHostKeyDNS=no", "NoHostAuthenticationForLocalhost=no"),
            *("CheckHostIP=no", "UpdateHostKeys=no", "VisualHostKey=no", "LogLevel=INFO"),
            *([f"ProxyCommand={_through(jump)}", "ProxyUseFdpass=no"] if jump else []),
        ),
        *(to.system.options if to.system else ()),
        *("--", to.host),
    ]


def _through(jump: JumpHost) -> str:
    """A ProxyCommand: the only line here that a shell interprets, the user's shell. `%h` and `%p` are ssh's."""
    argv = [*_over(jump.control), "-W", "[%h]:%p", "--", jump.host]
    return shlex.join([*(("sh", "-c", _APPEND_ERRORS, str(jump.log)) if jump.log else ()), *argv])


def _set(*values: str) -> list[str]:
    return [word for value in values for word in ("-o", value)]
