"""The container runtimes, by their name in a cluster file's `container_engine`."""

from __future__ import annotations

from toolkit.runtimes.docker import Docker
from toolkit.runtimes.podman import Podman
from toolkit.runtimes.runtime import ContainerRuntime

RUNTIMES: dict[str, ContainerRuntime] = {"docker": Docker(), "podman": Podman()}
"""A new runtime is a module and a line here."""
