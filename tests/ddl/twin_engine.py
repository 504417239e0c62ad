"""A stand-in for the native engine, where what is tested is Python's own: two ranks with the same values."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from ddl.engine import ALLREDUCE, BROADCAST, Buffer


class TwinEngine:
    """The other rank has the same arrays, so a sum is the double, and an average or a broadcast changes nothing.

    `messages` notes what it is given: the name, and the type and elements of each piece; `elements`, what they
    stand for.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[tuple[str, int]]]] = []
        self.elements: list[str] = []

    def start(
        self, name: str, buffers: Sequence[Buffer], kind: int = ALLREDUCE, reduction: str = "sum", root: int = 0
    ) -> TwinEngine:
        self.messages.append((name, [(buffer.type, _count(buffer)) for buffer in buffers]))
        self.elements += [buffer.element for buffer in buffers]
        if kind == BROADCAST or reduction == "avg":
            return self
        for buffer in buffers:
            elements = _count(buffer)
            memory = (ctypes.c_char * (elements * np.dtype(buffer.type).itemsize)).from_address(buffer.address)
            array = np.frombuffer(memory, buffer.type)
            array += array
        return self

    def wait(self) -> None:
        """It was done at once."""


def _count(buffer: Buffer) -> int:
    """How many numbers of its type a piece has."""
    itemsize = 1 if buffer.type == "bytes" else np.dtype(buffer.type).itemsize
    return int(np.prod(buffer.shape, dtype=int)) * (buffer.element_bytes or itemsize) // itemsize
