"""Who asked for a package."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.inventory.graph import BY_NO_OTHER, BY_THE_RECIPE, ESSENTIAL, graph_of
from toolkit.inventory.images import Asked
from toolkit.inventory.model import Contents, Distribution, Need, Package
from toolkit.inventory.trees import with_trees
from toolkit.inventory.why import chains_to, packages_named

ASKED = Asked(packages=("mawk",), requirements=("Keras==3.15.1", "not a requirement!"))


def python(name: str, *needs: Need) -> Package:
    return Package("python", name, "1", place="/site", needs=needs)


def of(*packages: Package) -> Contents:
    return Contents({}, packages, Distribution())


def reported(name: str, contents: Contents, asked: Asked = ASKED) -> list[str]:
    (package,) = packages_named(name, contents)
    return [str(chain) for chain in chains_to(package, contents, graph_of(contents, asked))]


def test_the_chain_leads_from_the_recipe_to_the_package(contents: Contents) -> None:
    assert reported("rich", contents) == [f"keras 3.15.1 ({BY_THE_RECIPE}) → rich 15.0.0"]
    assert reported("six", contents) == [f"keras 3.15.1 ({BY_THE_RECIPE}) → rich 15.0.0 → six 1.0"]


def test_a_package_is_needed_under_a_name_that_it_provides(contents: Contents) -> None:
    assert reported("mawk", contents) == [
        f"mawk 1.3.4 ({BY_THE_RECIPE})",
        f"bash 5.2.15-2+b13 ({ESSENTIAL}) → mawk 1.3.4",
    ]


def test_each_root_tells_its_own_shortest_way_and_none_goes_through_another_root(contents: Contents) -> None:
    assert reported("libgcc-s1", contents) == [
        f"bash 5.2.15-2+b13 ({ESSENTIAL}) → libc6 2.36-9 → libgcc-s1 12.2.0",
        f"mawk 1.3.4 ({BY_THE_RECIPE}) → libc6 2.36-9 → libgcc-s1 12.2.0",
    ]


def test_an_extra_is_followed_only_where_it_is_asked_for() -> None:
    contents = of(python("tf", Need(("cudnn",), (), "and-cuda")), python("cudnn"))
    assert reported("cudnn", contents, Asked(requirements=("tf[and_cuda]==1",))) == [
        f"tf[and-cuda] 1 ({BY_THE_RECIPE}) → cudnn 1"
    ]


def test_all_shortest_chains_of_a_root_are_reported() -> None:
    contents = of(
        python("a", Need(("b",)), Need(("c",))), python("b", Need(("d",))), python("c", Need(("d",))), python("d")
    )
    assert reported("d", contents, Asked(requirements=("a",))) == [
        f"a 1 ({BY_THE_RECIPE}) → b 1 → d 1",
        f"a 1 ({BY_THE_RECIPE}) → c 1 → d 1",
    ]


def test_a_package_that_no_one_asks_for_says_so() -> None:
    assert reported("a", of(python("a")), Asked()) == [f"a 1 ({BY_NO_OTHER})"]


def test_a_circle_that_no_one_asks_for_has_no_chain() -> None:
    assert reported("a", of(python("a", Need(("b",))), python("b", Need(("a",)))), Asked()) == []


def test_a_file_leads_to_its_package_through_links(contents: Contents) -> None:
    assert [package.name for package in packages_named("/usr/bin/sh", contents)] == ["bash"]
    assert [package.name for package in packages_named("/usr/bin/bash", contents)] == ["bash"]


@pytest.mark.parametrize(
    ("name", "what"),
    [("/etc/motd", "belongs to no package"), ("/none", "is not in the image"), ("kears", "no package kears")],
)
def test_what_is_of_no_package_is_an_error(contents: Contents, name: str, what: str) -> None:
    with pytest.raises(ToolkitError, match=what):
        packages_named(name, contents)


def test_a_mistyped_package_gets_the_nearest_as_a_hint(contents: Contents) -> None:
    with pytest.raises(ToolkitError) as caught:
        packages_named("kears", contents)
    assert caught.value.hint == "did you mean keras?"


def test_a_tree_of_the_recipe_is_a_root(contents: Contents) -> None:
    topped = with_trees(contents, ("/opt/ddl/ddl", "/opt/none"))
    (tree,) = [package for package in topped.packages if package.kind == "tree"]
    assert reported("/opt/ddl/ddl", topped) == [f"/opt/ddl/ddl {tree.version} ({BY_THE_RECIPE})"]
    assert topped.owners["/opt/ddl/ddl/__init__.py"] == tree


def test_a_trees_version_is_that_of_its_content(contents: Contents) -> None:
    def version(targets: tuple[str, ...]) -> str:
        return with_trees(contents, targets).packages[-1].version

    assert version(("/opt/ddl/ddl",)) == version(("/opt/ddl/ddl/",))
    assert version(("/opt/ddl/ddl",)) != version(("/etc/motd",))


EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30)


@given(EDGES, st.sets(st.integers(0, 7)), st.integers(0, 7))
def test_every_chain_is_a_walk_from_a_root_along_needs(
    edges: list[tuple[int, int]], roots: set[int], target: int
) -> None:
    needs = {one: {other for asker, other in edges if asker == one} for one in range(8)}
    contents = of(*(python(f"p{one}", *(Need((f"p{other}",)) for other in sorted(needs[one]))) for one in range(8)))
    graph = graph_of(contents, Asked(requirements=tuple(f"p{one}" for one in sorted(roots))))
    chains = chains_to(contents.packages[target], contents, graph)
    reached, waiting = set(), [int(key.split(":")[1][1:]) for key, _ in graph.roots]
    while waiting:
        if (one := waiting.pop()) not in reached:
            reached.add(one)
            waiting.extend(needs[one])
    assert bool(chains) == (target in reached)
    for chain in chains:
        names = [int(link.package.name[1:]) for link in chain.links]
        assert names[-1] == target
        assert (contents.packages[names[0]].key, "") in graph.roots
        assert all(other in needs[one] for one, other in pairwise(names))
