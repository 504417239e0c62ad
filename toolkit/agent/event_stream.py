"""A run as a stream of events for its followers: JSON lines on standard output, until the run has ended.

{"line": "...", "at": 1764100000.1, "next": 5120}   a line of the output; `next` is the offset to continue from
{"record": {...}}                                   the record, whenever it changes
{"beat": 7}                                         every second, so that silence means a lost connection
{"end": true}                                       after the last line and the final record
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from toolkit.agent.paths import OUTPUT, STATE, VIEWS
from toolkit.agent.untrusted import opened

FINAL = ("COMPLETED", "FAILED", "HALTED")
_POLL_SECONDS = 0.05
_BEAT_SECONDS = 1.0
_PIECE = 1 << 18
_LONGEST = 1 << 20
"""Maximum line length in bytes; the supervisor cuts lines much earlier (`LONG` in
`toolkit/run/in_container/logs.py`)."""
_TIME = re.compile(r"[0-9]+\.[0-9]{3}")


def follow(offset: int, out: TextIO = sys.stdout) -> None:
    """Write events from byte `offset` of the output on, until the run has ended."""
    sign = Path(VIEWS) / str(os.getpid())
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.touch()

    def pause() -> None:
        out.flush()  # once for all that was there: each line by itself would be a call of the system
        time.sleep(_POLL_SECONDS)

    try:
        for event in events(offset, Path(OUTPUT), Path(STATE), pause):
            out.write(json.dumps(event) + "\n")
        out.flush()
    finally:
        sign.unlink(missing_ok=True)


def events(offset: int, output: Path, state: Path, pause: Callable[[], object]) -> Iterator[dict[str, Any]]:
    """The events; ends after the final record. Calls `pause` whenever there are no more for the moment."""
    seen, beat, beats = "", 0.0, 0
    while True:
        text = _text(state)
        record = json.loads(text) if text and text != seen else None
        final = record is not None and record.get("state") in FINAL
        if record is not None and not final:
            yield {"record": record}
        for line in lines_from(output, offset):
            offset = int(line["next"])
            yield line
        if final:
            yield {"record": record}
            yield {"end": True}
            return
        seen = text
        if time.monotonic() - beat > _BEAT_SECONDS:
            beat, beats = time.monotonic(), beats + 1
            yield {"beat": beats}
        pause()


def lines_from(output: Path, offset: int) -> Iterator[dict[str, Any]]:
    """Complete lines of the output from `offset` on; an incomplete last line is left for later.

    A line longer than any that the supervisor writes is returned in parts. Nothing is returned if the file is not a
    regular file: then a program has replaced it.
    """
    try:
        with opened(output.parent, output.name) as file:
            left = os.fstat(file).st_size - os.lseek(file, offset, os.SEEK_SET)
            rest = b""
            while left > 0 and (piece := os.read(file, min(left, _PIECE))):
                left -= len(piece)
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    offset += len(line) + 1
                    yield parse_line(line, offset)
                if len(rest) > _LONGEST:
                    offset += len(rest)
                    yield parse_line(rest, offset)
                    rest = b""
    except OSError:
        return


def parse_line(line: bytes, following: int) -> dict[str, Any]:
    """A line of the output, `<seconds since 1970> <text>`, as an event; `following` is the offset of the next line.

    A line without a time (a full disk truncates lines anywhere) is shown as it is.
    """
    whole = line.decode("utf-8", "replace")
    at, _, text = whole.partition(" ")
    if _TIME.fullmatch(at):
        return {"line": text, "at": float(at), "next": following}
    return {"line": whole, "at": 0.0, "next": following}


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return ""
