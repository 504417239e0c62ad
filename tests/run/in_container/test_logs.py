"""mpirun's tagged output taken apart, and put together again for each rank."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.run.in_container.logs import LONGEST, LOST, Logs, as_shown, split_tagged
from toolkit.run.in_container.reserve import BYTES, Reserve

TWO: list[dict[str, Any]] = [
    {"number": 1, "hostname": "learner-1", "ranks": [0]},
    {"number": 2, "hostname": "learner-2", "ranks": [1]},
]


def whole(folder: Path) -> list[bytes]:
    """The run's lines without their times."""
    return [line.partition(b" ")[2] for line in (folder / "output.log").read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("line", "pieces"),
    [
        (b"[1,0]<stdout>:hello", [(0, "stdout", b"hello")]),
        (b"[12,34]<stderr>:x", [(34, "stderr", b"x")]),
        (b"mpirun speaks", [(None, "", b"mpirun speaks")]),
        (b"[1,0]<stdout>:ab[1,1]<stdout>:cd", [(0, "stdout", b"ab"), (1, "stdout", b"cd")]),
        (b"before[1,1]<stdout>:", [(None, "", b"before"), (1, "stdout", b"")]),
    ],
)
def test_a_line_is_split_at_its_tags(line: bytes, pieces: list[tuple[int | None, str, bytes]]) -> None:
    assert split_tagged(line) == pieces


def test_open_mpi_5_sets_a_space_behind_its_tags_and_the_programs_own_stay() -> None:
    assert split_tagged(b"[1,0]<stdout>:  indented", 5) == [(0, "stdout", b" indented")]
    assert split_tagged(b"[1,0]<stdout>:  indented", 4) == [(0, "stdout", b"  indented")]


def test_partial_lines_of_two_ranks_are_put_together(tmp_path: Path) -> None:
    logs = Logs(str(tmp_path), TWO)
    logs.tagged(b"[1,0]<stdout>:ab[1,1]<stdout>:whole")
    logs.tagged(b"[1,0]<stdout>:cd")
    logs.tagged(b"[1,1]<stdout>:no end[1,0]<stderr>:loud")
    logs.finish()
    assert (tmp_path / "learner-1" / "training-log.txt").read_bytes() == b"[0] abcd\n[0] loud\n"
    assert (tmp_path / "learner-2" / "training-log.txt").read_bytes() == b"[1] whole\n[1] no end\n"
    assert whole(tmp_path) == [b"[1] whole", b"[0] abcd", b"[0] loud", b"[1] no end"]


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=20)), max_size=30))
def test_no_byte_of_a_rank_is_lost_or_given_to_another(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[int, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    clean = [(rank, text.translate(None, b"\r\n\b\x1e[")) for rank, text in lines]
    logs = Logs(str(folder), TWO)
    for rank, text in clean:
        logs.tagged(b"[1,%d]<stdout>:%s[1,%d]<stdout>:" % (rank, text, rank))
    logs.finish()
    for rank in (0, 1):
        log = (folder / f"learner-{rank + 1}" / "training-log.txt").read_bytes()
        assert log == b"".join(b"[%d] %s\n" % (rank, text) for owner, text in clean if owner == rank)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_a_line_that_comes_in_pieces_is_the_line_that_comes_at_once(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, cuts: list[int]
) -> None:
    clean = text.translate(None, b"\r\n\b\x1e[")
    line = b"[1,0]<stdout>:%s[1,1]<stderr>:%s" % (clean, clean)
    once, pieces = (tmp_path_factory.mktemp(name) for name in ("once", "pieces"))
    at_once, in_pieces = Logs(str(once), TWO), Logs(str(pieces), TWO)
    at_once.tagged(line)
    places = sorted({min(cut, len(line)) for cut in cuts} - {0, len(line), *inside_tags(line)})
    for begin, end in zip([0, *places], [*places, len(line)], strict=True):
        in_pieces.tagged(line[begin:end], ended=end == len(line))
    for logs in (at_once, in_pieces):
        logs.finish()
    assert whole(once) == whole(pieces)


def inside_tags(line: bytes) -> set[int]:
    """Where no one cuts: within a tag."""
    starts = [place for place in range(len(line)) if line.startswith(b"[1,", place)]
    return {place for start in starts for place in range(start + 1, line.index(b":", start) + 1)}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"plain", b"plain"),
        (b"1%\r50%\r100%", b"100%"),
        (b"1%\r50%\r", b"50%"),
        (b"done\r\r", b"done"),
        (b"1/9\b\b\b2/9", b"2/9"),
        (b"\r\b\r", b""),
        (b"", b""),
    ],
)
def test_of_a_line_that_was_written_over_the_last_state_is_shown(text: bytes, shown: bytes) -> None:
    assert as_shown(text) == shown


def test_a_ranks_mark_says_that_it_has_started_and_is_no_line(tmp_path: Path) -> None:
    logs = Logs(str(tmp_path), TWO)
    logs.tagged(b"[1,1]<stdout>:\x1etoolkit started")
    assert (logs.started, whole(tmp_path)) == ({1}, [])


def test_a_rank_that_ends_no_line_gets_an_end_after_so_many_bytes(tmp_path: Path) -> None:
    logs = Logs(str(tmp_path), TWO)
    logs.tagged(b"[1,0]<stdout>:" + b"x" * (LONGEST + 1), ended=False)
    logs.flush()
    assert [len(line) for line in whole(tmp_path)] == [len(b"[0] ") + LONGEST + 1]


class SmallDisk:
    """A stand-in for a disk that is full: files on it share so much room, and a reserve that is given up adds to it."""

    def __init__(self, room: int, reserve: int = 0) -> None:
        self.room, self._reserve = room, reserve

    def file(self, path: Path) -> io.FileIO:
        disk = self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                if disk.room <= 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                count = super().write(bytes(data)[: disk.room])
                disk.room -= count
                return count

            def truncate(self, size: int | None = None) -> int:
                before = path.stat().st_size
                after = super().truncate(size)
                disk.room += before - after
                return after

        return File(path, "ab")

    def release(self) -> bool:
        """As `Reserve.release`."""
        given, self._reserve = self._reserve, 0
        self.room += given
        return bool(given)


def whole_lines(folder: Path) -> list[str]:
    return [line.partition(" ")[2] for line in (folder / "output.log").read_text().splitlines()]


def logs_on(disk: SmallDisk, folder: Path) -> Logs:
    logs = Logs(str(folder), TWO)
    logs._whole = disk.file(folder / "output.log")
    logs._reserve = disk  # type: ignore[assignment]
    return logs


def ten_lines(logs: Logs, at_once: bool) -> None:
    for number in range(10):
        logs.line(0, b"line %d" % number)
        if not at_once:
            logs.flush()
    logs.flush()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_full_disk_loses_whole_lines_ends_nothing_and_is_reported_once_there_is_room(
    tmp_path: Path, at_once: bool
) -> None:
    disk = SmallDisk(room=60)
    logs = logs_on(disk, tmp_path)
    ten_lines(logs, at_once)
    kept = whole_lines(tmp_path)
    assert 0 < len(kept) < 10
    assert kept == [f"[0] line {number}" for number in range(len(kept))]
    disk.room = 1000
    logs.line(0, b"there is room")
    logs.flush()
    assert whole_lines(tmp_path)[len(kept) :] == [f"[toolkit] {LOST % (10 - len(kept))}", "[0] there is room"]


@pytest.mark.parametrize("at_once", [True, False])
def test_the_last_words_of_a_program_that_has_filled_the_disk_have_the_room_of_a_reserve(
    tmp_path: Path, at_once: bool
) -> None:
    logs = logs_on(SmallDisk(room=20, reserve=1000), tmp_path)
    ten_lines(logs, at_once)
    assert whole_lines(tmp_path) == [f"[0] line {number}" for number in range(10)]


def test_a_reserve_takes_room_until_it_is_released_once(tmp_path: Path) -> None:
    reserve = Reserve(str(tmp_path / "reserve"))
    assert (tmp_path / "reserve").stat().st_size == BYTES
    assert reserve.release()
    assert not reserve.release()
    assert list(tmp_path.iterdir()) == []
