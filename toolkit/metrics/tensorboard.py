"""TensorBoard's event files: the scalars in them, of TensorFlow 1 (`simple_value`), 2 and PyTorch (a tensor). Pure.

A file is a sequence of records, each a length (8 bytes), its checksum (4), a protocol buffer `Event` and its checksum
(4). The fields are those of event.proto, summary.proto and tensor.proto in TensorFlow. A program wrote it, so it may be
anything: a record that is too large (an image, a graph) is passed over, and what is no record ends the file.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LARGEST_RECORD = 1 << 20
"""Bytes; a summary of scalars is much smaller. Larger ones are not looked at."""
_LARGEST_LENGTH = 1 << 40
MOST_SCALARS = 1 << 20
"""Of one file."""
_NAME = re.compile(r"events\.out\.tfevents\.(\d{1,20})\.([^/]{1,200})")
_VARINT, _EIGHT, _TEXT, _FOUR = 0, 1, 2, 5
_MOST_VARINT = 10
_FLOAT, _DOUBLE, _INT32, _INT64, _BFLOAT16, _HALF = 1, 2, 3, 9, 14, 19
_CONTENT = {_FLOAT: "<f", _DOUBLE: "<d", _INT32: "<i", _INT64: "<q", _HALF: "<e"}

Field = tuple[int, int, bytes | int]
"""Number, wire type, and the bytes or the integer."""


@dataclass(frozen=True)
class Scalar:
    """A scalar of an event file; `at` is in seconds since 1970."""

    tag: str
    at: float
    step: int
    value: float


def host_of(name: str) -> str | None:
    """The host in an event file's name: `events.out.tfevents.1764100000.learner-2.57.0.v2` → `learner-2`; empty if it
    names none, None if `name` is not an event file's."""
    match = _NAME.match(name.rpartition("/")[2])
    return match[2].split(".")[0] if match else None


def scalars(pieces: Iterable[bytes]) -> Iterator[Scalar]:
    """The scalars of a file that comes in pieces. Never raises for what is in it; at most `MOST_SCALARS`."""
    count = 0
    for record in records(pieces):
        try:
            found = list(_scalars_of(record))
        except (ValueError, struct.error, UnicodeDecodeError):
            continue
        for one in found:
            count += 1
            if count > MOST_SCALARS:
                return
            yield one


def records(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The records that are small enough, in order, until the file ends or is none."""
    buffer, skip = bytearray(), 0
    for piece in pieces:
        buffer += piece
        while True:
            if skip:
                passed = min(skip, len(buffer))
                del buffer[:passed]
                skip -= passed
            if skip or len(buffer) < 12:
                break
            (length,) = struct.unpack_from("<Q", buffer)
            if length > _LARGEST_LENGTH or struct.unpack_from("<I", buffer, 8)[0] != masked_crc(bytes(buffer[:8])):
                return
            if length > LARGEST_RECORD:
                skip = 12 + length + 4
                continue
            if len(buffer) < 12 + length + 4:
                break
            yield bytes(buffer[12 : 12 + length])
            del buffer[: 12 + length + 4]


def _scalars_of(event: bytes) -> Iterator[Scalar]:
    at, step, summaries = 0.0, 0, list[bytes]()
    for number, kind, value in fields(event):
        if (number, kind) == (1, _EIGHT) and isinstance(value, bytes):
            (at,) = struct.unpack("<d", value)
        elif (number, kind) == (2, _VARINT) and isinstance(value, int):
            step = value - (1 << 64) if value >> 63 else value
        elif (number, kind) == (5, _TEXT) and isinstance(value, bytes):
            summaries.append(value)
    if not math.isfinite(at):
        return
    for summary in summaries:
        for number, kind, value in fields(summary):
            if (number, kind) == (1, _TEXT) and isinstance(value, bytes):
                tag, scalar = _tagged(value)
                if tag and scalar is not None and math.isfinite(scalar):
                    yield Scalar(tag, at, step, scalar)


def _tagged(summary_value: bytes) -> tuple[str, float | None]:
    """The tag, and the scalar if it is one."""
    tag, scalar = "", None
    for number, kind, value in fields(summary_value):
        if not isinstance(value, bytes):
            continue
        if (number, kind) == (1, _TEXT):
            tag = value[:200].decode("utf-8", "replace")
        elif (number, kind) == (2, _FOUR):
            (scalar,) = struct.unpack("<f", value)
        elif (number, kind) == (8, _TEXT):
            scalar = _tensor(value)
        elif (number, kind) == (9, _TEXT) and not _of_scalars(value):
            return "", None
    return tag, scalar


def _of_scalars(metadata: bytes) -> bool:
    """Whether a summary's metadata names the plugin for scalars, or none."""
    for number, kind, value in fields(metadata):
        if (number, kind) == (1, _TEXT) and isinstance(value, bytes):
            names = [one for part, form, one in fields(value) if (part, form) == (1, _TEXT)]
            return not names or names[0] == b"scalars"
    return True


def _tensor(data: bytes) -> float | None:
    """The only element of a tensor without dimensions; None for any other."""
    kind_of, found = 0, None
    for number, kind, value in fields(data):
        if (number, kind) == (1, _VARINT) and isinstance(value, int):
            kind_of = value
        elif (number, kind) == (2, _TEXT) and isinstance(value, bytes):
            if any(part == 2 for part, _, _ in fields(value)):
                return None
        elif found is None:
            found = _element(number, kind_of, value)
    return found


def _element(number: int, kind_of: int, value: bytes | int) -> float | None:
    """The first element, from a tensor's field `number`: its content, or the list of its type."""
    if number in (7, 10, 13) and isinstance(value, bytes):
        value = _varint(value, 0)[0]
    if number == 13 and isinstance(value, int):
        return _sixteen(value, kind_of)
    if number in (7, 10) and isinstance(value, int):
        return float(value - (1 << 64) if value >> 63 else value)
    if not isinstance(value, bytes):
        return None
    form = _CONTENT.get(kind_of) if number == 4 else {5: "<f", 6: "<d"}.get(number)
    if number == 4 and kind_of == _BFLOAT16 and len(value) >= 2:
        return _sixteen(int.from_bytes(value[:2], "little"), kind_of)
    return float(struct.unpack_from(form, value)[0]) if form and len(value) >= struct.calcsize(form) else None


def _sixteen(bits: int, kind_of: int) -> float | None:
    bits &= 0xFFFF
    if kind_of == _BFLOAT16:
        return float(struct.unpack("<f", struct.pack("<I", bits << 16))[0])
    return float(struct.unpack("<e", struct.pack("<H", bits))[0]) if kind_of == _HALF else None


def fields(data: bytes) -> Iterator[Field]:
    """The fields of a protocol buffer. Raises `ValueError` if it is none."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield number, kind, value
            continue
        if kind == _TEXT:
            length, position = _varint(data, position)
        elif kind in (_EIGHT, _FOUR):
            length = 8 if kind == _EIGHT else 4
        else:
            raise ValueError(f"wire type {kind}")
        if position + length > len(data):
            raise ValueError("cut short")
        yield number, kind, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """An integer at `position`, and where it ends."""
    value = 0
    for place in range(_MOST_VARINT):
        if position + place >= len(data):
            raise ValueError("cut short")
        byte = data[position + place]
        value |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return value & ((1 << 64) - 1), position + place + 1
    raise ValueError("no integer")


def masked_crc(data: bytes) -> int:
    """TensorFlow's masked CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_entry, range(256)))
