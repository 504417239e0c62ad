"""The kinds of cluster, by the `engine` of a cluster file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class ClusterKind:
    """The parts of a kind of cluster, each as `module:name`: loaded when needed, the second from a higher layer.

    Attributes:
        read: a function from a file's `Source` to the `Cluster`; raises `ToolkitError` (C104) with every problem.
        allocator: a `toolkit.run.launch.allocator.Allocator`, constructed from the `Cluster`.
    """

    read: str
    allocator: str


KINDS: dict[str, ClusterKind] = {
    "local": ClusterKind("toolkit.cluster.reader:read_local", "toolkit.run.launch.this_machine:LocalAllocator"),
    "ssh": ClusterKind("toolkit.cluster.reader:read_ssh", "toolkit.run.launch.ssh_allocation:SshAllocator"),
}
"""A new kind is its modules and a line here."""


def loaded(place: str) -> Any:
    """The object that `place` (`module:name`) names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
