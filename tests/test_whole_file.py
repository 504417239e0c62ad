"""Files that are whole or not there, in folders where others may put what they like."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toolkit import atomic_file
from toolkit.atomic_file import write_once, write_output, write_whole
from toolkit.paths import private_folder
from toolkit.shipping.output_file import new_file


def stream_to(target: Path, content: bytes) -> None:
    with new_file(target) as stream:
        stream.write(content)


WRITERS = [write_whole, write_output, stream_to]


@pytest.mark.parametrize("write", WRITERS)
def test_a_link_of_the_targets_name_is_replaced_and_not_followed(
    tmp_path: Path, write: Callable[[Path, bytes], None]
) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    target = tmp_path / "out"
    target.symlink_to(tmp_path / "precious")
    write(target, b"new")
    assert ((tmp_path / "precious").read_bytes(), target.read_bytes()) == (b"mine", b"new")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out", "precious"]
    assert not target.is_symlink()


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_half_written_has_a_name_that_no_one_can_foresee_and_is_made_anew(
    tmp_path: Path, write: Callable[[Path, bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    seen: list[str] = []
    real = os.open

    def planted(path: str | Path, flags: int, mode: int = 0o777, **more: int) -> int:
        """Whoever watches the folder is first, for once."""
        if str(path).endswith(".part") and not seen:
            Path(path).symlink_to(tmp_path / "precious")
        seen.append(Path(path).name)
        return real(path, flags, mode, **more)

    monkeypatch.setattr(atomic_file.os, "open", planted)
    with pytest.raises(OSError, match="File exists"):
        write(tmp_path / "out", b"new")
    assert (tmp_path / "precious").read_bytes() == b"mine"
    write(tmp_path / "out", b"new")
    names = {name for name in seen if name.endswith(".part")}
    assert len(names) == 2
    assert min(map(len, names)) > 32


def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        handle, new = atomic_file.open_beside(tmp_path / "key", 0o600)
        os.close(handle)
        assert stat.S_IMODE(new.stat().st_mode) == 0o600
        write_output(tmp_path / "report", b"x")
        assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o666
    finally:
        os.umask(before)


@pytest.mark.parametrize("there", ["file", "link", "broken link", "folder"])
def test_what_is_written_once_replaces_nothing(tmp_path: Path, there: str) -> None:
    target = tmp_path / "out"
    match there:
        case "file":
            target.write_bytes(b"mine")
        case "link":
            (tmp_path / "precious").write_bytes(b"mine")
            target.symlink_to(tmp_path / "precious")
        case "broken link":
            target.symlink_to(tmp_path / "nothing")
        case "folder":
            target.mkdir()
    before = sorted(tmp_path.iterdir())
    assert write_once(target, b"new") is False
    assert sorted(tmp_path.iterdir()) == before
    assert not target.is_file() or target.read_bytes() == b"mine"


def test_of_many_at_once_one_writes_it(tmp_path: Path) -> None:
    for turn in range(20):
        target, gate = tmp_path / f"out-{turn}", threading.Barrier(8)

        def write(number: int, target: Path = target, gate: threading.Barrier = gate) -> bool:
            gate.wait()
            return write_once(target, b"%d" % number)

        with ThreadPoolExecutor(8) as pool:
            won = [number for number, first in enumerate(pool.map(write, range(8))) if first]
        assert [int(target.read_bytes())] == won
    assert len(list(tmp_path.iterdir())) == 20


def test_content_and_name_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        real(handle)

    monkeypatch.setattr(atomic_file.os, "fsync", fsync)
    for write in (write_whole, write_once):
        synced.clear()
        write(tmp_path / write.__name__, b"x")
        assert synced == ["file", "folder"]


def test_a_private_folder_has_no_parent_that_is_not(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "a" / "b" / "c")
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (folder, folder.parent, folder.parent.parent)]
    assert modes == [0o700] * 3
