"""A person's additions as layers: what a package changes, and what it takes away."""

from __future__ import annotations

from toolkit.image.tree_facts import FileFacts
from toolkit.image.user_packages import changed, whiteouts


def facts(mode: int = 0o644) -> FileFacts:
    return FileFacts("0", mode, (0, 0), 0, "", "", ())


def test_what_a_package_takes_away_is_marked_once() -> None:
    old = {path: facts() for path in ("etc", "etc/a", "usr", "usr/old", "usr/old/x", "usr/old/y")}
    new = {path: facts() for path in ("etc", "usr", "usr/new")}
    assert list(whiteouts(old, new)) == ["etc/.wh.a", "usr/.wh.old"]


def test_what_a_package_changes_comes_with_the_folders_above_it() -> None:
    old = {path: facts() for path in ("etc", "etc/a", "usr", "usr/bin", "usr/bin/b")}
    new = {**old, "usr/bin/b": facts(0o755), "usr/lib": facts(), "usr/lib/c": facts()}
    assert changed(old, new) == {"usr", "usr/bin", "usr/bin/b", "usr/lib", "usr/lib/c"}
    assert changed(old, old) == set()
