"""A stand-in for the native engine, where what is tested is Python's own: two ranks with the same values."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from ddl.engine import ALLREDUCE, BROADCAST, Piece


class TwinEngine:
    """The other rank has the same arrays, so a sum is the double, and an average or a broadcast changes nothing.

    `messages` notes what it is given: the name, and the type and elements of each piece; `elements`, what they
    stand for.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[tuple[str, int]]]] = []
        self.elements: list[str] = []

    def start(
        self, name: str, pieces: Sequence[Piece], kind: int = ALLREDUCE, reduction: str = "sum", root: int = 0
    ) -> TwinEngine:
        self.messages.append((name, [(piece.type, _count(piece)) for piece in pieces]))
        self.elements += [piece.element for piece in pieces]
        if kind == BROADCAST or reduction == "avg":
            return self
        for piece in pieces:
            elements = _count(piece)
            memory = (ctypes.c_char * (elements * np.dtype(piece.type).itemsize)).from_address(piece.address)
            array = np.frombuffer(memory, piece.type)
            array += array
        return self

    def wait(self) -> None:
        """It was done at once."""


def _count(piece: Piece) -> int:
    """How many numbers of its type a piece has."""
    itemsize = 1 if piece.type == "bytes" else np.dtype(piece.type).itemsize
    return int(np.prod(piece.shape, dtype=int)) * (piece.element_bytes or itemsize) // itemsize
