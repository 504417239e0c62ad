"""Requests and answers as frames in a pipe: a number, a short text, and a body, with their lengths before them. Pure.

Whoever reads says how long both may be: the other end is not trusted.
"""

import struct
from typing import IO, NamedTuple

_SIZES = struct.Struct(">III")
MOST_HEAD = 70000
"""Bytes: a method and a path, which HTTP servers limit to 65,536, or an answer's status."""

MOST_BODY = 32 << 20
"""Bytes of a request's body."""
MOST_ANSWER = 64 << 20
AT_ONCE = 4
"""Requests that a model computes at the same time."""
READY = "ready"
"""The head of the first frame, number 0, whose body has the signatures."""

Frame = NamedTuple("Frame", [("number", int), ("head", str), ("body", bytes)])
"""`number` is the request's, and its answer's."""


def frame_bytes(frame: Frame) -> bytes:
    """The frame as it is in the pipe."""
    head = frame.head.encode("utf-8", "replace")
    return _SIZES.pack(frame.number, len(head), len(frame.body)) + head + frame.body


def read_frame(stream: IO[bytes], most: int) -> Frame:
    """The next frame. Raises `EOFError` if there is none, `ValueError` if its body is longer than `most` bytes."""
    number, head, body = _SIZES.unpack(_exactly(stream, _SIZES.size))
    if head > MOST_HEAD or body > most:
        raise ValueError("a frame of %d and %d bytes" % (head, body))
    return Frame(number, _exactly(stream, head).decode("utf-8", "replace"), _exactly(stream, body))


def _exactly(stream: IO[bytes], size: int) -> bytes:
    pieces, left = [], size
    while left:
        piece = stream.read(left)
        if not piece:
            raise EOFError
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
