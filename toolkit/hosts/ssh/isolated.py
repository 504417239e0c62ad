"""Fabric, and a configuration for it that nothing outside of this program has a say in.

Fabric reads /etc/fabric.yml, ~/.fabric.yml (and .py, which it runs), ~/.ssh/config and, in its own programs, variables
named FABRIC_*. What a person has there is for other tools: of ssh_config, `ssh -G` has given us all that counts.
"""

from __future__ import annotations

from typing import Any

import paramiko
from fabric import Config, Connection

__all__ = ["Connection", "own_config"]


class _Nothing(paramiko.SSHConfig):
    """An ssh_config that says nothing: not even the address back, in which paramiko would expand `%h` and `~`."""

    def lookup(self, _hostname: str) -> dict[str, str]:
        return {}


def own_config() -> Any:
    """Fabric's defaults alone. One for each connection: Fabric writes into it what it finds out about one."""
    return Config(lazy=True, ssh_config=_Nothing())
