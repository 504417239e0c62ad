"""The run's lines: mpirun's tagged output taken apart, put into each learner's log and the whole run's. Python 3.5."""

import os
import re
import time
from typing import Any, BinaryIO, Dict, List, Optional, Set, Tuple  # noqa: F401 (type comments)

from .control import LONGEST as LONGEST_CONTROL
from .control import MARK, UNSYNCHRONISED, read_unsynchronised
from .reserve import Reserve

# What mpirun puts in front of each piece of a rank's output: Open MPI 4.1 `[1,0]<stdout>:`, 5.0 a space behind it.
TAGS = {
    4: re.compile(rb"\[\d+,(\d+)\]<(stdout|stderr|stddiag)>:"),
    5: re.compile(rb"\[\d+,(\d+)\]<(stdout|stderr|stddiag)>: ?"),
}
LOST = "%d lines were lost here: this host's disk was full"
LONGEST = 1 << 24
"""Bytes; a program that writes no line end gets one after so many."""
LONG = 1 << 16
"""Bytes; of a line without end that is longer, and was written over, the last state alone is kept."""
_LONGEST_TAG = 64

Piece = Tuple[Optional[int], str, bytes]


def split_tagged(line: bytes, open_mpi: int = 4, rank: Optional[int] = None, stream: str = "") -> List[Piece]:
    """One line of mpirun's output as (rank, stream, text) pieces; rank None is mpirun's own word.

    Several ranks may share a line where one of them wrote without a line end; only the last piece ends one. `rank` and
    `stream` are whose the line's beginning is, where it goes on with one that was cut.
    """
    pieces = []  # type: List[Piece]
    position = 0
    for match in TAGS[open_mpi].finditer(line):
        if match.start() > position:
            pieces.append((rank, stream, line[position : match.start()]))
        rank, stream, position = int(match.group(1)), match.group(2).decode(), match.end()
    pieces.append((rank, stream, line[position:]))
    return pieces


def where_to_cut(line: bytes) -> int:
    """Where a line that is too long may be cut: never within a tag, so before any `[` among its last bytes."""
    place = line.rfind(b"[", max(0, len(line) - _LONGEST_TAG))
    return place if place > 0 else len(line)


def as_shown(text: bytes) -> bytes:
    """What a terminal would show of a line that was written over: a progress bar is its last state, not all of them."""
    if b"\r" not in text and b"\b" not in text:
        return text
    states = [state for state in text.replace(b"\b", b"\r").split(b"\r") if state]
    return states[-1] if states else b""


def shortened(text: bytes) -> bytes:
    """As much of a line that goes on as will be shown at its end."""
    return as_shown(text) + (b"\r" if text.endswith((b"\r", b"\b")) else b"")


class Logs:
    """Each learner's log file, and one with all lines, each with its time in front (seconds since 1970).

    `flush` writes the lines that have been added, many with one call of the system. Where the disk is full, lines are
    counted and not kept; the first of them have the room of a reserve.
    """

    def __init__(self, folder: str, learners: List[Dict[str, Any]], open_mpi: int = 4) -> None:
        self._open_mpi, self._lost = open_mpi, 0
        self._reserve = Reserve(os.path.join(folder, ".reserve.logs"))
        self._learners = learners
        self._files = {}  # type: Dict[int, BinaryIO]
        self._pending = {}  # type: Dict[BinaryIO, List[bytes]]
        self._open = {}  # type: Dict[Tuple[Optional[int], str], bytes]
        self._speaker = (None, "")  # type: Tuple[Optional[int], str]
        for learner in learners:
            place = os.path.join(folder, "learner-%d" % learner["number"])
            os.makedirs(place, exist_ok=True)
            self._files[learner["number"]] = open(os.path.join(place, "training-log.txt"), "ab", buffering=0)
        self._whole = open(os.path.join(folder, "output.log"), "ab", buffering=0)
        self.begin()

    def begin(self, each_learner: bool = False) -> None:
        """A step begins: of ranks, or of one process on each learner."""
        if each_learner:
            places = list(enumerate(learner["number"] for learner in self._learners))
            self._names = {process: b"learner-%d" % number for process, number in places}
        else:
            places = [(rank, learner["number"]) for learner in self._learners for rank in learner["ranks"]]
            self._names = {rank: b"%d" % rank for rank, _ in places}
        self._learner_of = dict(places)
        self.expected = set(self._learner_of)
        self.last_line = time.monotonic()
        self.started = set()  # type: Set[int]
        self.unsynchronised = None  # type: Optional[Dict[str, Any]]

    def line(self, rank: Optional[int], text: bytes) -> None:
        """Add one whole line of a rank, or of mpirun to learner 1's log; a control line is read instead."""
        if rank is not None and text.startswith(UNSYNCHRONISED) and len(text) <= LONGEST_CONTROL:
            self.unsynchronised = self.unsynchronised or read_unsynchronised(text, rank)
            return
        prefix = b"[mpirun] " if rank is None else b"[%s] " % self._names.get(rank, b"%d" % rank)
        whole = prefix + as_shown(text)
        self.last_line = time.monotonic()
        self._add(self._files[self._learner_of.get(rank, 1) if rank is not None else 1], whole + b"\n")
        self._add(self._whole, b"%.3f %s\n" % (time.time(), whole))

    def say(self, text: str) -> None:
        """A word of the tool's own, for those who watch."""
        for line in text.split("\n"):  # a command may have several
            self._add(self._whole, b"%.3f %s\n" % (time.time(), ("[toolkit] %s" % line).encode()))
        self.flush()

    def tagged(self, line: bytes, ended: bool = True) -> None:
        """Take one line of mpirun's output, or, not `ended`, the next part of one."""
        pieces = split_tagged(line, self._open_mpi, *self._speaker)
        self._speaker = (None, "") if ended else pieces[-1][:2]
        for index, (rank, stream, text) in enumerate(pieces):
            if rank is not None and text.startswith(MARK) and not text.startswith(UNSYNCHRONISED):
                self.started.add(rank)
            else:
                self.add(rank, stream, text, ended and index == len(pieces) - 1)

    def add(self, rank: Optional[int], stream: str, text: bytes, ended: bool) -> None:
        """Take what a rank has written, which is a line once it has `ended`."""
        whole = self._open.pop((rank, stream), b"") + text
        if ended or len(whole) > LONGEST:
            self.line(rank, whole)
        elif whole:
            self._open[rank, stream] = shortened(whole) if len(whole) > LONG else whole

    def finish(self) -> None:
        """Write what was left without a line end, too."""
        for (rank, _), text in sorted(self._open.items(), key=lambda item: str(item[0])):
            self.line(rank, text)
        self._open.clear()
        self._speaker = (None, "")
        self.flush()

    def flush(self) -> None:
        """Write the lines; where the disk takes not all of them at once, one by one."""
        pending, self._pending = self._pending, {}
        for file, lines in pending.items():
            if self._lost or not self._append(file, b"".join(lines)):
                for line in lines:
                    self._write(file, line)

    def _add(self, file: BinaryIO, line: bytes) -> None:
        self._pending.setdefault(file, []).append(line)

    def _write(self, file: BinaryIO, line: bytes) -> None:
        """One line; the log with all lines gets a line about those that were lost before it."""
        whole = file is self._whole
        gap = b"%.3f [toolkit] %s\n" % (time.time(), (LOST % self._lost).encode())
        if whole and self._lost and self._append(file, gap):
            self._lost = 0
        if not self._append(file, line) and whole:
            self._lost += 1

    def _append(self, file: BinaryIO, data: bytes) -> bool:
        """All of it or nothing; whether it is there."""
        end = file.seek(0, os.SEEK_END)
        for _ in range(2):
            try:
                if file.write(data) == len(data):
                    return True
            except OSError:
                pass
            file.truncate(end)
            if not self._reserve.release():
                return False
        return False
