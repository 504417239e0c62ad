"""Keys of objects as files here: what a store may hold and a file system, such as the test's own store, cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.storage.object_paths import file_names
from toolkit.storage.s3 import StoredObject


def named(*names: str) -> list[tuple[str, StoredObject]]:
    return [(name, StoredObject(f"run/{name}", 1, "")) for name in names]


def test_names_that_files_may_have_are_kept() -> None:
    wanted = named("a", "b/c", " d ", "#e", ";f", "g\nh", "..i", "j..", "\u00e9" * 127, "\x1b[2J", "k/l/m")
    assert file_names(wanted) == wanted


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd", "leads out of the folder"),
        ("..", "leads out of the folder"),
        ("a/../../b", "leads out of the folder"),
        ("a/..", "leads out of the folder"),
        ("", "is empty or `.`"),
        ("a//b", "is empty or `.`"),
        ("a/./b", "is empty or `.`"),
        (".", "is empty or `.`"),
        ("a\0b", "contains a NUL"),
        ("a\udce9", "is not UTF-8"),
        ("x" * 256, "longer than 255 bytes"),
        ("\u00e9" * 128, "longer than 255 bytes"),
        ("/".join(["x" * 100] * 40), "longer than 3072 bytes"),
    ],
)
def test_what_cannot_be_a_file_is_refused_and_the_object_named(name: str, why: str) -> None:
    with pytest.raises(ToolkitError, match=why) as caught:
        file_names(named("fine", name))
    assert caught.value.what.startswith(f"object {f'run/{name}'[:300]!r}"[:200])


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b/c/d", "a/b"), ("a/b/c", "fine", "a")])
def test_a_file_that_would_be_anothers_folder_is_refused_and_both_are_named(names: tuple[str, ...]) -> None:
    with pytest.raises(ToolkitError, match="would be its folder") as caught:
        file_names(named(*names))
    both = {min(names, key=len), max(name for name in names if "/" in name)}
    assert {repr(f"run/{name}") for name in both} <= set(caught.value.what.split())


def test_two_objects_for_one_file_are_refused() -> None:
    with pytest.raises(ToolkitError, match="the same file as 'run/a'"):
        file_names(named("a", "a"))


@given(st.lists(st.text(st.sampled_from("a./\0\udce9"), max_size=8), max_size=4))
def test_what_is_let_through_lies_below_the_folder(names: list[str]) -> None:
    try:
        found = file_names(named(*names))
    except ToolkitError:
        return
    folder = Path("/folder")
    assert all((folder / name).resolve().is_relative_to(folder) and (folder / name) != folder for name, _ in found)
