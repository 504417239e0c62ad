"""Scalars in TensorBoard's event files: as TensorFlow 2.19 wrote them, and any bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.metrics.tensorboard import LARGEST_RECORD, fields, host_of, masked_crc, records, scalars

RECORDED = Path(__file__).parent / "recorded"
FIRST = RECORDED / "events.out.tfevents.1796054250.learner-2"
"""Of `tf.compat.v1.summary.FileWriter`, with a graph."""
SECOND = RECORDED / "events.out.tfevents.1796054250.learner-2.1.2.v2"
"""Of `tf.summary`: a loss, an integer, a histogram, a text."""


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[place : place + size] for place in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_scalars_of_tensorflow_1_and_2_are_read_and_nothing_else(size: int) -> None:
    first = [(one.tag, one.step, one.value) for one in scalars(pieces(FIRST.read_bytes(), size))]
    assert first == [("loss", 0, 1.0), ("loss", 1, 0.5), ("loss", 2, 0.25)]
    second = [(one.tag, one.step, round(one.value, 4)) for one in scalars(pieces(SECOND.read_bytes(), size))]
    assert second == [
        *[("loss", 0, 1.0), ("whole", 0, 0.0), ("loss", 1, 0.5)],
        *[("whole", 1, 1.0), ("loss", 2, 0.3333), ("whole", 2, 2.0)],
    ]
    assert {round(one.at) for one in scalars([SECOND.read_bytes()])} == {1796054251}


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("logs/train/events.out.tfevents.1796054249.learner-2.1.0.v2", "learner-2"),
        ("events.out.tfevents.1796054250.learner-1", "learner-1"),
        ("events.out.tfevents.1796054250.", None),
        ("model/saved_model.pb", None),
        ("events.out.tfevents.x.learner-1", None),
        ("", None),
    ],
)
def test_the_host_is_in_an_event_files_name(name: str, host: str | None) -> None:
    assert host_of(name) == host


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", 0)


def field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def event(value: bytes, at: float = 5.0) -> bytes:
    return record(b"\x09" + struct.pack("<d", at) + b"\x10\x07" + field(5, field(1, field(1, b"x") + value)))


@pytest.mark.parametrize(
    ("tensor", "value"),
    [
        (b"\x08\x01" + field(5, struct.pack("<f", 1.5)), 1.5),
        (b"\x08\x01" + b"\x2d" + struct.pack("<f", 1.5), 1.5),
        (b"\x08\x01" + field(4, struct.pack("<f", 2.5)), 2.5),
        (b"\x08\x02" + field(6, struct.pack("<d", 3.5)), 3.5),
        (b"\x08\x02" + field(4, struct.pack("<d", 3.5)), 3.5),
        (b"\x08\x03" + b"\x38\x05", 5.0),
        (b"\x08\x09" + field(10, b"\xff" * 9 + b"\x01"), -1.0),
        (b"\x08\x13" + field(13, b"\x80\x78"), 1.0),
        (b"\x08\x0e" + field(13, b"\x80\x7f"), 1.0),
        (b"\x08\x0e" + field(4, b"\x80\x3f"), 1.0),
        (b"\x08\x01" + field(2, field(2, b"\x08\x02")) + field(5, struct.pack("<ff", 1, 2)), None),
        (b"\x08\x07" + field(8, b"words"), None),
        (b"\x08\x01" + field(5, struct.pack("<f", float("nan"))), None),
        (b"\x08\x01", None),
    ],
)
def test_a_tensor_without_dimensions_is_a_scalar_of_any_type(tensor: bytes, value: float | None) -> None:
    found = [one.value for one in scalars([event(field(8, tensor))])]
    assert found == ([] if value is None else [value])


def test_a_summary_of_another_plugin_is_no_scalar() -> None:
    tensor = field(8, b"\x08\x01" + field(5, struct.pack("<f", 1.5)))
    of = lambda plugin: field(9, field(1, field(1, plugin)))  # noqa: E731
    assert [one.value for one in scalars([event(tensor + of(b"scalars")), event(tensor + of(b"images"))])] == [1.5]


def test_a_record_that_is_too_large_is_passed_over_without_being_held() -> None:
    small = event(b"\x15" + struct.pack("<f", 0.5))
    large = record(bytes(LARGEST_RECORD + 1))
    assert [one.value for one in scalars(pieces(small + large + small, 1 << 16))] == [0.5, 0.5]


def test_a_file_that_is_cut_short_or_goes_over_into_something_else_gives_what_came_before() -> None:
    small = event(b"\x15" + struct.pack("<f", 0.5))
    assert [one.value for one in scalars([small + small[:-5]])] == [0.5]
    assert [one.value for one in scalars([small + b"no record at all, but long enough" + small])] == [0.5]


@given(st.lists(st.binary(max_size=200) | st.binary(max_size=60).map(record) | st.binary(max_size=60).map(event)))
def test_any_bytes_give_scalars_or_nothing(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    found = list(scalars([whole]))
    assert found == list(scalars(pieces(whole, 3)))
    assert all(abs(one.value) < float("inf") for one in found)


@given(st.binary(max_size=300))
def test_any_bytes_are_fields_or_none(data: bytes) -> None:
    try:
        found = list(fields(data))
    except ValueError:
        return
    assert sum(len(value) for _, _, value in found if isinstance(value, bytes)) <= len(data)


def test_records_are_their_bytes() -> None:
    assert list(records([record(b"one") + record(b"") + record(b"three")])) == [b"one", b"", b"three"]
