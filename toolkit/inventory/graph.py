"""The image's packages as a dependency graph. Pure.

A node is a package's key and an extra of it, empty for the package itself: the dependencies of `tensorflow[and-cuda]`
are not those of `tensorflow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from toolkit.compatibility.bounds import requirement_of
from toolkit.inventory.images import Asked
from toolkit.inventory.model import DEB, PYTHON, Contents, Need, Package
from toolkit.inventory.trees import TREE

Node = tuple[str, str]
BY_THE_RECIPE = "requested by the recipe"
ESSENTIAL = "essential to the distribution"
BY_NO_OTHER = "no other package requires it"


@dataclass(frozen=True)
class Graph:
    """`asks[node]` are its dependencies; `roots` are the nodes that are installed on their own account, and why."""

    asks: Mapping[Node, tuple[Node, ...]]
    roots: Mapping[Node, str]

    def active(self) -> set[Node]:
        """Every required node: the packages themselves, and the extras that something requires."""
        seen = {node for node in self.asks if not node[1]} | set(self.roots)
        waiting = list(seen)
        while waiting:
            for node in self.asks.get(waiting.pop(), ()):
                if node not in seen:
                    seen.add(node)
                    waiting.append(node)
        return seen

    def dependencies(self) -> dict[str, tuple[str, ...]]:
        """For each package's key the keys of its dependencies, including those of its required extras; sorted."""
        found: dict[str, set[str]] = {}
        for node in self.active():
            found.setdefault(node[0], set()).update(key for key, _ in self.asks.get(node, ()) if key != node[0])
        return {key: tuple(sorted(keys)) for key, keys in sorted(found.items())}


def graph_of(contents: Contents, asked: Asked) -> Graph:
    """The graph of `contents`; its roots are what the recipe `asked` for, and what belongs to the distribution."""
    finder = _Finder(contents)
    asks: dict[Node, tuple[Node, ...]] = {}
    for package in contents.packages:
        for extra in ("", *sorted({need.when for need in package.needs if need.when})):
            wanted = (node for need in package.needs if need.when == extra for node in finder.serving(package, need))
            inside = () if extra else tuple((one.key, "") for one in finder.carried.get(package.key, ()))
            asks[package.key, extra] = tuple(dict.fromkeys((*wanted, *inside)))
    roots = dict(_asked_for(contents, asked, finder))
    required = {node for asker, nodes in asks.items() for node in nodes if node[0] != asker[0]}
    left = (node for node in asks if not node[1] and node not in required and node not in roots)
    return Graph(asks, {**roots, **dict.fromkeys(left, BY_NO_OTHER)})


class _Finder:
    """Finds the packages that satisfy a requirement."""

    def __init__(self, contents: Contents) -> None:
        self.carried: dict[str, list[Package]] = {}
        """By a package's key, those that it vendors."""
        self._named: dict[tuple[str, str], list[Package]] = {}
        for package in contents.packages:
            if package.carried_by:
                self.carried.setdefault(package.carried_by, []).append(package)
            for name in dict.fromkeys((package.name, *package.provides)):
                self._named.setdefault((package.kind, name), []).append(package)

    def serving(self, asker: Package, need: Need) -> Iterator[Node]:
        """Who satisfies `asker`'s requirement: for Python a package in the same place, else any installed one."""
        found = [one for name in need.any_of for one in self._named.get((asker.kind, name), ())]
        if asker.kind == PYTHON:
            found = [one for one in found if one.place == asker.place] or [one for one in found if not one.carried_by]
        yield from _with_extras(found, need.extras)

    def named(self, kind: str, name: str, extras: Iterable[str] = ()) -> Iterator[Node]:
        """The nodes installed under that name."""
        yield from _with_extras([one for one in self._named.get((kind, name), ()) if not one.carried_by], extras)


def _with_extras(packages: Iterable[Package], extras: Iterable[str]) -> Iterator[Node]:
    for package in packages:
        yield package.key, ""
        known = {need.when for need in package.needs}
        yield from ((package.key, extra) for extra in map(canonicalize_name, extras) if extra in known)


def _asked_for(contents: Contents, asked: Asked, finder: _Finder) -> Iterator[tuple[Node, str]]:
    """The first reason given for a node is the last one here: the recipe's comes last."""
    for package in contents.packages:
        if package.kind == DEB and package.essential:
            yield (package.key, ""), ESSENTIAL
        if package.kind == TREE:
            yield (package.key, ""), BY_THE_RECIPE
    for name in asked.packages:
        yield from ((node, BY_THE_RECIPE) for node in finder.named(DEB, name))
    for requirement in filter(None, map(requirement_of, asked.requirements)):
        named = finder.named(PYTHON, canonicalize_name(requirement.name), sorted(requirement.extras))
        yield from ((node, BY_THE_RECIPE) for node in named)
