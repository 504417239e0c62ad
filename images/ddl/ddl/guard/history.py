"""The digests of a training's weights, stored with the run, to find later where two runs diverged.

A file of JSON lines. Each line has a ``kind``: ``format`` is the first; ``weights`` names the variables of one
optimizer; ``digest`` has those of a step. A month of training is some millions of steps: when a history is full, every
second entry is removed. The remaining ones are at multiples of the interval times a power of two, so that two runs,
however long each was, have steps in common.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1
MAX_ENTRIES = 1024
MAX_BYTES = 2 << 20
"""Of one optimizer's entries."""
MAX_WEIGHTS = 16
"""Maximum number of optimizers with a history; programs that keep creating new ones have no history of the later
ones.
"""
_MIN_ENTRIES = 64


@dataclass(frozen=True)
class Entry:
    """The weights after a step.

    Attributes:
        step: optimizer steps since the start of the program.
        digest: of all variables' digests; 64 bits, as the others.
        chain: of this digest and the chain of the previous check, including checks whose entries were removed: shows
            that two runs diverged even if their weights became equal again.
        variables: each variable's.
    """

    step: int
    digest: int
    chain: int
    variables: tuple[int, ...]

    def line(self, number: int) -> str:
        """The line in the file, in the history of weights `number`. Half of each variable's digest is stored."""
        halves = struct.pack(f"<{len(self.variables)}I", *(digest & 0xFFFFFFFF for digest in self.variables))
        return json.dumps(
            {
                "kind": "digest",
                "weights": number,
                "step": self.step,
                "digest": f"{self.digest:016x}",
                "chain": f"{self.chain:016x}",
                "variables": base64.b64encode(halves).decode(),
            }
        )


def stride_after(stride: int, entries: int, limit: int) -> int:
    """The stride between entries, in intervals, from now on: doubled if there are too many entries."""
    return stride * 2 if entries > limit else stride


def is_kept(step: int, interval: int, stride: int) -> bool:
    """Whether the entry of a step is kept."""
    return step % (interval * stride) == 0


def max_entries(line_bytes: int) -> int:
    """Maximum number of entries of this size in a history."""
    return max(_MIN_ENTRIES, min(MAX_ENTRIES, MAX_BYTES // max(line_bytes, 1)))


@dataclass
class _Weights:
    header: str
    interval: int
    stride: int = 1
    entries: dict[int, str] = field(default_factory=dict)
    last: tuple[int, str] | None = None


class History:
    """A history in a file, written by one rank. A write error, such as a full disk, ends the history and nothing
    else.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self._weights: list[_Weights] = []
        self._disabled = False

    def begin(self, interval: int, name: str, variables: Sequence[Mapping[str, Any]]) -> int:
        """Write the header for new weights.

        Args:
            interval: in steps.
            name: of these weights.
            variables: each one's ``name``, ``shape`` and ``dtype``.
        Returns:
            Their number, for `add`; 0 if there are too many.
        """
        with self._lock:
            if len(self._weights) >= MAX_WEIGHTS:
                return 0
            number = len(self._weights) + 1
            about = {"kind": "weights", "weights": number, "name": name, "interval": interval}
            self._weights.append(_Weights(json.dumps({**about, "variables": list(variables)}), interval))
            self._rewrite()
            return number

    def add(self, number: int, entry: Entry, last: bool = False) -> None:
        """Store an entry; the program's `last` one is stored whatever its step."""
        if number == 0:
            return
        with self._lock:
            weights = self._weights[number - 1]
            line = entry.line(number)
            if last and not is_kept(entry.step, weights.interval, weights.stride):
                weights.last = entry.step, line
                self._append(line)
                return
            if not is_kept(entry.step, weights.interval, weights.stride):
                return
            weights.entries[entry.step] = line
            stride = stride_after(weights.stride, len(weights.entries), max_entries(len(line)))
            if stride == weights.stride:
                self._append(line)
                return
            weights.stride = stride
            weights.entries = {s: old for s, old in weights.entries.items() if is_kept(s, weights.interval, stride)}
            self._rewrite()

    def _append(self, line: str) -> None:
        def append() -> None:
            with self._file.open("a") as file:
                file.write(f"{line}\n")

        self._write(append)

    def _rewrite(self) -> None:
        lines = [json.dumps({"kind": "format", "format": FORMAT, "program": "ddl"})]
        for weights in self._weights:
            lines += [weights.header, *weights.entries.values(), *([weights.last[1]] if weights.last else [])]

        def replace() -> None:
            new = self._file.with_name(f".{self._file.name}.new")
            new.write_text("".join(f"{line}\n" for line in lines))
            new.replace(self._file)

        self._write(replace)

    def _write(self, write: Callable[[], None]) -> None:
        if self._disabled:
            return
        try:
            write()
        except OSError as error:
            self._disabled = True
            print(f"ddl: no more digests of the weights are recorded: {error}", file=sys.stderr, flush=True)
