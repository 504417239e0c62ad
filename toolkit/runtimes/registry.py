"""The container runtimes that there are, by the name that a cluster file has in `container_engine`."""

from __future__ import annotations

from toolkit.runtimes.docker import Docker
from toolkit.runtimes.podman import Podman
from toolkit.runtimes.runtime import ContainerRuntime

RUNTIMES: dict[str, ContainerRuntime] = {"docker": Docker(), "podman": Podman()}
"""A new runtime is a module and its line here."""


def runtime_named(name: str) -> ContainerRuntime:
    """The runtime of that name; raises `KeyError` where there is none, which a cluster file never names."""
    return RUNTIMES[name]
