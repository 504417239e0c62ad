"""A stand-in for the native engine, where what is tested is Python's own: two ranks with the same values."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from ddl.engine import ALLREDUCE, BROADCAST, Piece


class TwinEngine:
    """The other rank has the same arrays, so a sum is the double, and an average or a broadcast changes nothing.

    `messages` notes what it is given: the name, and the type and elements of each piece.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[tuple[str, int]]]] = []

    def start(self, name: str, pieces: Sequence[Piece], kind: int = ALLREDUCE, reduction: str = "sum") -> TwinEngine:
        self.messages.append((name, [(piece.type, int(np.prod(piece.shape, dtype=int))) for piece in pieces]))
        if kind == BROADCAST or reduction == "avg":
            return self
        for piece in pieces:
            elements = int(np.prod(piece.shape, dtype=int))
            memory = (ctypes.c_char * (elements * np.dtype(piece.type).itemsize)).from_address(piece.address)
            array = np.frombuffer(memory, piece.type)
            array += array
        return self

    def wait(self) -> None:
        """It was done at once."""
