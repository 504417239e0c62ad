"""Why a package is installed: the chains of requirements from the roots to it. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from packaging.utils import canonicalize_name

from toolkit.errors import Code, ToolkitError
from toolkit.inventory.graph import Graph, Node
from toolkit.inventory.model import Contents, Package

MOST_CHAINS = 1000
"""A library that half of a distribution requires has more shortest chains than anyone reads."""
_MOST_LINKS = 40
"""As in Linux: a longer path is a loop."""


@dataclass(frozen=True)
class Link:
    """One package of a chain, with its extra that requires the next one, if any."""

    package: Package
    extra: str = ""

    def __str__(self) -> str:
        return f"{self.package.name}{f'[{self.extra}]' if self.extra else ''} {self.package.version}"


@dataclass(frozen=True)
class Chain:
    """From a root to the package: the root's reason, and one link after the other."""

    reason: str
    links: tuple[Link, ...]

    def __str__(self) -> str:
        first, *rest = map(str, self.links)
        return " → ".join([f"{first} ({self.reason})", *rest])


def packages_named(name: str, contents: Contents) -> tuple[Package, ...]:
    """The packages called `name` or, for a file's path, the one that it belongs to; links are followed.

    Raises `ToolkitError` (S103) if there is none, with the nearest name.
    """
    if name.startswith("/") and name not in {one.name for one in contents.packages}:
        owner = next((contents.owners[path] for path in _followed(name, contents) if path in contents.owners), None)
        if owner is None:
            what = "belongs to no package" if name in contents.files else "is not in the image"
            raise ToolkitError(Code.IMAGE, f"{name} {what}")
        return (owner,)
    found = tuple(one for one in contents.packages if one.name in (name, name.lower(), canonicalize_name(name)))
    if not found:
        near = get_close_matches(name, {one.name for one in contents.packages}, n=1)
        hint = f"did you mean {near[0]}?" if near else "toolkit images licences REF lists every package"
        raise ToolkitError(Code.IMAGE, f"no package {name} in the image", hint=hint)
    return found


def chains_to(package: Package, contents: Contents, graph: Graph) -> tuple[Chain, ...]:
    """The shortest chains from every root to `package`, shorter ones first, at most `MOST_CHAINS` of them.

    A chain through another root is omitted: that root has a shorter one of its own.
    """
    distances = _distances(package.key, graph)
    starts = sorted((distance, node) for node, distance in distances.items() if node in graph.roots)
    found = (
        Chain(graph.roots[start], tuple(_links(nodes, contents)))
        for _, start in starts
        for nodes in _shortest(start, package.key, graph, distances)
    )
    return tuple(islice(dict.fromkeys(found), MOST_CHAINS))


def _followed(path: str, contents: Contents) -> Iterator[str]:
    """`path`, and its link targets: `mpirun` is a link to an alternative, which is a link to Open MPI's program."""
    for _ in range(_MOST_LINKS):
        yield path
        file = contents.files.get(path)
        if file is None or file.kind not in ("link", "hard link"):
            return
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), file.content))


def _distances(key: str, graph: Graph) -> dict[Node, int]:
    """The distance of every node from `key`; no path goes through a root."""
    askers: dict[Node, list[Node]] = {}
    for asker, nodes in graph.asks.items():
        for node in nodes:
            askers.setdefault(node, []).append(asker)
    active = graph.active()
    distances = {node: 0 for node in active if node[0] == key}
    waiting = list(distances)
    for node in waiting:
        if node in graph.roots and distances[node]:
            continue
        for asker in askers.get(node, ()):
            if asker in active and asker not in distances:
                distances[asker] = distances[node] + 1
                waiting.append(asker)
    return distances


def _shortest(node: Node, key: str, graph: Graph, distances: dict[Node, int]) -> Iterator[tuple[Node, ...]]:
    if node[0] == key:
        yield (node,)
        return
    for following in graph.asks[node]:
        if distances.get(following) == distances[node] - 1 and (following not in graph.roots or following[0] == key):
            for rest in _shortest(following, key, graph, distances):
                yield (node, *rest)


def _links(nodes: tuple[Node, ...], contents: Contents) -> Iterator[Link]:
    *before, (last, _) = nodes
    yield from (Link(contents.by_key[key], extra) for key, extra in before)
    yield Link(contents.by_key[last])
