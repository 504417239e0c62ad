"""The folder that learners write to: nothing in it is followed, and links stay what they were."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from toolkit.agent import local_folder as module
from toolkit.agent.local_files import Stamp
from toolkit.agent.local_folder import Journal, Links, scan, stamp_of
from toolkit.agent.untrusted import NotRegular


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "rclone.conf").write_text("secret_access_key = s")
    return tmp_path / "private" / "rclone.conf"


def links_of(folder: Path) -> Links:
    return Links(folder, folder.parent / "links", folder.parent / "spare")


def linked(links: Links) -> dict[str, bytes]:
    return {name: links.path(name).read_bytes() for name in links.by_name}


def test_regular_files_are_found_with_their_stamps(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "c").write_text("c")
    (folder / "d").write_text("")
    names = {"a/b/c": folder / "a" / "b" / "c", "d": folder / "d"}
    assert scan(folder).files == {name: stamp_of(file.stat()) for name, file in names.items()}
    assert (scan(folder).others, scan(folder).sparse) == ({}, {})


def test_a_folder_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert scan(tmp_path / "results").files == {}


def test_whatever_is_not_a_regular_file_is_named(folder: Path, secret: Path) -> None:
    (folder / "link").symlink_to(secret)
    (folder / "folder").symlink_to(secret.parent)
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        found = scan(folder)
    assert found.files == {}
    assert found.others == {
        "link": "a symbolic link",
        "folder": "a symbolic link",
        "pipe": "a FIFO",
        "socket": "a socket",
    }


def test_names_of_any_bytes_are_found_and_linked(folder: Path) -> None:
    for name in (b"\xe9", b"new\nline", b"  ", "\u202e".encode()):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(name)
    links = links_of(folder)
    for name in scan(folder).files:
        links.add(name)
    assert {os.fsencode(name): data for name, data in linked(links).items()} == {
        name: name for name in (b"\xe9", b"new\nline", b"  ", "\u202e".encode())
    }


def test_a_file_with_a_large_hole_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HOLE", 1 << 20)
    with (folder / "sparse").open("wb") as file:
        file.truncate(2 << 20)
    assert scan(folder).sparse == {"sparse": 2 << 20}


def test_folders_in_one_another_without_end_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DEEPEST", 2)
    (folder / "1" / "2" / "3").mkdir(parents=True)
    (folder / "1" / "2" / "file").write_text("")
    found = scan(folder)
    assert list(found.files) == ["1/2/file"]
    assert found.others == {"1/2/3": "a directory in more than 2 others"}


def test_a_path_that_is_longer_than_an_objects_name_is_named(folder: Path) -> None:
    deep = folder.joinpath(*["b" * 200] * 5)
    deep.mkdir(parents=True)
    (deep / ("c" * 19)).write_text("")
    (deep / ("c" * 20)).write_text("")
    found = scan(folder)
    assert [len(name) for name in found.files] == [1024]
    assert [(len(name), kind) for name, kind in found.others.items()] == [(1025, "a path of more than 1024 bytes")]


def test_a_link_has_the_file_that_was_linked_whatever_its_name_becomes(folder: Path, secret: Path) -> None:
    (folder / "a").write_text("data")
    links = links_of(folder)
    links.add("a")
    (folder / "a").unlink()
    (folder / "a").symlink_to(secret)
    assert linked(links) == {"a": b"data"}


def test_a_name_that_becomes_a_symbolic_link_before_it_is_linked_is_refused(folder: Path, secret: Path) -> None:
    (folder / "a").symlink_to(secret)
    links = links_of(folder)
    with pytest.raises(NotRegular, match="a is a symbolic link"):
        links.add("a")
    assert (linked(links), scan(folder.parent / "links").files) == ({}, {})


def test_a_folder_that_becomes_a_symbolic_link_is_not_followed(folder: Path, secret: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "rclone.conf").write_text("mine")
    seen = scan(folder)
    (folder / "sub").rename(folder / "other")
    (folder / "sub").symlink_to(secret.parent)
    links = links_of(folder)
    assert list(seen.files) == ["sub/rclone.conf"]
    with pytest.raises(NotRegular):
        links.add("sub/rclone.conf")
    assert linked(links) == {}


def test_a_name_that_becomes_a_fifo_is_refused_without_waiting(folder: Path) -> None:
    os.mkfifo(folder / "a")
    with pytest.raises(NotRegular, match="a is a FIFO"):
        links_of(folder).add("a")


def test_a_program_that_swaps_names_all_the_time_gets_nothing_linked_that_is_not_its_own(
    folder: Path, secret: Path
) -> None:
    """A name is a file, a link to the keys, a folder, a link to their folder, in turn."""
    for name in ("data", "sub"):
        (folder / name).mkdir()
        (folder / name / secret.name).write_text("mine")
    (folder / "file").write_text("mine")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for name, target in (("file", secret), ("sub", secret.parent)):
                (folder / name).rename(folder / f"{name}.own")
                (folder / name).symlink_to(target)
                (folder / name).unlink()
                (folder / f"{name}.own").rename(folder / name)

    program = threading.Thread(target=swap)
    program.start()
    links, refused, found = links_of(folder), 0, set[bytes]()
    try:
        for _ in range(400):
            for name in ("file", f"sub/{secret.name}"):
                try:
                    links.add(name)
                    found.add(links.path(name).read_bytes())
                except OSError:
                    refused += 1
                links.remove(name)
    finally:
        over.set()
        program.join()
    assert found == {b"mine"}
    assert refused


def test_a_file_that_replaces_another_gets_its_link(folder: Path) -> None:
    (folder / "a").write_text("first")
    links = links_of(folder)
    links.add("a")
    (folder / "new").write_text("second")
    (folder / "new").rename(folder / "a")
    assert links.add("a") == stamp_of((folder / "a").stat())
    assert linked(links) == {"a": b"second"}
    assert links.add("a") == stamp_of((folder / "a").stat())  # the same file again
    assert not (folder.parent / "spare").exists()


def test_a_removed_link_leaves_no_empty_folder(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    for name in ("a/b/c", "a/d"):
        (folder / name).write_text(name)
    links = links_of(folder)
    for name in ("a/b/c", "a/d"):
        links.add(name)
    links.remove("a/b/c")
    assert [*(folder.parent / "links").rglob("*")] == [
        folder.parent / "links" / "a",
        folder.parent / "links" / "a" / "d",
    ]
    links.remove("a/d")
    assert [*(folder.parent / "links").rglob("*")] == []


def test_links_of_an_earlier_container_are_known(folder: Path) -> None:
    (folder / "a").write_text("a")
    links_of(folder).add("a")
    assert links_of(folder).by_name == {"a": (folder / "a").stat().st_ino}


def test_the_journal_gives_what_was_stored_last_and_leaves_out_a_torn_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert journal.read() == {}
    one, two = Stamp(1, 2, 3, 4), Stamp(5, 6, 7, 8)
    journal.stored([("a\n\udce9", one), ("b", one), ("c", one)])
    journal.stored([("b", two)])
    journal.removed(["c"])
    with (tmp_path / "journal").open("a") as file:
        file.write('["d", [1, 2')
    assert journal.read() == {"a\n\udce9": one, "b": two}
    journal.stored([("e", one)])
    journal.stored([])
    assert (tmp_path / "journal").read_text().endswith('["e", [1, 2, 3, 4]]\n')
    assert journal.read() == {"a\n\udce9": one, "b": two, "e": one}
