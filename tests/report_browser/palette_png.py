"""A browser's screenshot with at most 256 colours: half as large, and the same to the eye."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
Bytes = NDArray[Any]
_RGB, _PALETTE, _MOST = 2, 3, 256
_CHANNELS = 3


def with_palette(data: bytes) -> bytes:
    """`data` is a PNG with 8 bits each of red, green and blue, not interlaced, as Chromium writes it."""
    chunks = list(_chunks(data))
    width, height, *form = struct.unpack(">IIBBBBB", chunks[0][1])
    assert form == [8, _RGB, 0, 0, 0], form
    rows = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    pixels = _unfiltered(np.frombuffer(rows, np.uint8).reshape(height, 1 + width * _CHANNELS))
    colours, place = _palette(pixels.reshape(-1, _CHANNELS))
    lines = np.zeros((height, 1 + width), np.uint8)  # filter 0: of a palette's numbers no difference is smaller
    lines[:, 1:] = place.reshape(height, width)
    header = struct.pack(">IIBBBBB", width, height, 8, _PALETTE, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 9)
    parts = [(b"IHDR", header), (b"PLTE", colours.astype(np.uint8).tobytes()), (b"IDAT", body), (b"IEND", b"")]
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)) for kind, part in parts
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert data.startswith(_SIGNATURE)
    at = len(_SIGNATURE)
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size


def _unfiltered(rows: Bytes) -> Bytes:
    """The bytes of each row (PNG, 9.2)."""
    found = np.zeros((len(rows) + 1, rows.shape[1] - 1), np.uint8)
    for number, row in enumerate(rows):
        above, line = found[number], row[1:]
        match row[0]:
            case 1:
                line = np.cumsum(line.reshape(-1, _CHANNELS), axis=0, dtype=np.uint8).ravel()
            case 2:
                line = line + above
            case 3 | 4:
                line = _from_left(line.tolist(), above.tolist(), paeth=row[0] == 4)
        found[number + 1] = line
    return found[1:]


def _from_left(line: list[int], above: list[int], *, paeth: bool) -> list[int]:
    made = [0] * _CHANNELS + line
    above = [0] * _CHANNELS + above
    for at in range(_CHANNELS, len(made)):
        left, up, corner = made[at - _CHANNELS], above[at], above[at - _CHANNELS]
        if paeth:
            guess = left + up - corner
            near = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
        else:
            near = (left + up) // 2
        made[at] = (made[at] + near) & 255
    return made[_CHANNELS:]


def _palette(pixels: Bytes) -> tuple[Bytes, Bytes]:
    """The most frequent colours, and for each pixel the place of the nearest one."""
    every, inverse, count = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    colours = every[np.argsort(-count)[:_MOST]].astype(int)
    apart = ((every[:, None, :].astype(int) - colours[None, :, :]) ** 2).sum(axis=2)
    return colours, apart.argmin(axis=1)[inverse.ravel()]
