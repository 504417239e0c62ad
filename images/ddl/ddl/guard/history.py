"""The digests of a training's weights, kept with the run: later they tell where two runs part.

A file of JSON lines. Each line has a ``kind``: ``format`` is the first; ``weights`` names the variables of one
optimizer; ``digest`` has those of a step. A month of training is some millions of steps: when a history is full, every
second entry goes. What stays is at multiples of the interval times a power of two, so that two runs, however long
each was, have steps in common.
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
MOST_ENTRIES = 1024
MOST_BYTES = 2 << 20
"""Of one optimizer's entries."""
MOST_WEIGHTS = 16
"""Optimizers whose histories are kept; programs that make ever new ones have no history of all."""
_FEWEST_ENTRIES = 64


@dataclass(frozen=True)
class Entry:
    """The weights after a step.

    Attributes:
        step: optimizer steps since the start of the program.
        digest: of all variables' digests; 64 bits, as the others.
        chain: of this digest and the chain of the check before, entries left out since then included: it shows that
            two runs parted once, though their weights came to be the same again.
        variables: each variable's.
    """

    step: int
    digest: int
    chain: int
    variables: tuple[int, ...]

    def line(self, number: int) -> str:
        """As it stands in the file, among the history of weights `number`. Of each variable's digest, half is kept."""
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


def stride_after(stride: int, entries: int, most: int) -> int:
    """How many intervals lie between entries, from now on: twice as many where there are too many entries."""
    return stride * 2 if entries > most else stride


def is_kept(step: int, interval: int, stride: int) -> bool:
    """Whether the entry of a step stays."""
    return step % (interval * stride) == 0


def most_entries(line_bytes: int) -> int:
    """How many entries of so many bytes a history may have."""
    return max(_FEWEST_ENTRIES, min(MOST_ENTRIES, MOST_BYTES // max(line_bytes, 1)))


@dataclass
class _Weights:
    header: str
    interval: int
    stride: int = 1
    entries: dict[int, str] = field(default_factory=dict)
    last: tuple[int, str] | None = None


class History:
    """A history in a file, written by one rank. A disk that takes nothing ends the history, and nothing else."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self._weights: list[_Weights] = []
        self._over = False

    def begin(self, interval: int, name: str, variables: Sequence[Mapping[str, Any]]) -> int:
        """Say what is to be kept.

        Args:
            interval: in steps.
            name: of these weights.
            variables: each one's ``name``, ``shape`` and ``dtype``.
        Returns:
            Their number, for `add`; 0 where they are too many.
        """
        with self._lock:
            if len(self._weights) >= MOST_WEIGHTS:
                return 0
            number = len(self._weights) + 1
            about = {"kind": "weights", "weights": number, "name": name, "interval": interval}
            self._weights.append(_Weights(json.dumps({**about, "variables": list(variables)}), interval))
            self._rewrite()
            return number

    def add(self, number: int, entry: Entry, last: bool = False) -> None:
        """Keep an entry; the program's `last` one is kept whatever its step."""
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
            stride = stride_after(weights.stride, len(weights.entries), most_entries(len(line)))
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

    def _write(self, act: Callable[[], None]) -> None:
        if self._over:
            return
        try:
            act()
        except OSError as error:
            self._over = True
            print(f"ddl: the history of the weights' digests ends here: {error}", file=sys.stderr, flush=True)
