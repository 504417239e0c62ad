"""Files that a program could have put there: only a regular one of a bounded size is read."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent.untrusted import NotRegular, read_object, read_regular, read_tail


@given(st.binary(max_size=100), st.integers(0, 100))
def test_a_regular_file_is_read_where_it_is_not_too_large(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, most: int
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    (folder / "file").write_bytes(content)
    if len(content) <= most:
        assert read_regular(folder, "file", most) == content
    else:
        with pytest.raises(NotRegular, match="larger than"):
            read_regular(folder, "file", most)


def test_a_file_that_is_not_there_is_distinguished(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path, "file", 10)


def _link(place: Path, secret: Path) -> None:
    place.symlink_to(secret)


def _pipe(place: Path, _: Path) -> None:
    os.mkfifo(place)


def _folder(place: Path, _: Path) -> None:
    place.mkdir()


def _socket(place: Path, _: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))


def _device(place: Path, _: Path) -> None:
    place.symlink_to("/dev/zero")


@pytest.mark.parametrize("plant", [_link, _pipe, _folder, _socket, _device])
def test_what_a_program_plants_is_neither_followed_nor_waited_for(tmp_path: Path, plant: object) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    plant(tmp_path / "file", secret)  # type: ignore[operator]
    with pytest.raises(NotRegular):
        read_regular(tmp_path, "file", 1 << 20)


def test_a_folder_that_was_replaced_by_a_link_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"secret")
    (tmp_path / "folder").symlink_to("elsewhere")
    with pytest.raises(OSError, match="folder"):
        read_regular(tmp_path / "folder", "file", 10)


@pytest.mark.parametrize("where", ["file", "in/the/way"])
def test_no_part_of_the_way_may_be_a_link(tmp_path: Path, where: str) -> None:
    (tmp_path / "elsewhere" / "the" / "way").mkdir(parents=True)
    (tmp_path / "in").symlink_to("elsewhere")
    (tmp_path / "file").symlink_to("elsewhere")
    with pytest.raises(NotRegular, match="symbolic link"):
        read_regular(tmp_path, where, 10)


def test_a_file_that_is_nearly_all_hole_is_refused_with_its_size(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(NotRegular, match=r"sparse \(1,099,511,627,776 bytes, 0 of them written\)"):
        read_tail(tmp_path, "file", 10)


@pytest.mark.parametrize("content", ["[" * 200_000, '{"a":' * 200_000, "[1]", "nul", '{"a": 1}'])
def test_json_however_deep_is_an_object_or_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "file").write_text(content)
    assert read_object(tmp_path, "file", 1 << 24) == ({"a": 1} if content == '{"a": 1}' else {})


@pytest.mark.parametrize("name", ["", ".", "..", "../file", "a/../b", "/etc/passwd", "a//b", "a/."])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotRegular):
        read_regular(tmp_path, name, 10)
