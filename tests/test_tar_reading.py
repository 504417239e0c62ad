"""A tar's headers, read with a bound: what extends them may say that it has any size."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Iterator

import pytest

from toolkit.tar.read import LARGEST_HEADER, PieceReader, members

SIZE = 200 << 20


def extending(kind: bytes, size: int) -> Iterator[bytes]:
    info = tarfile.TarInfo("././@header")
    info.type, info.size = kind, size
    yield info.tobuf(tarfile.USTAR_FORMAT)


def filled(kind: bytes) -> Iterator[bytes]:
    yield from extending(kind, SIZE)
    for _ in range(SIZE >> 20):
        yield b"\0" * (1 << 20)


@pytest.mark.parametrize(
    "kind",
    [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK],
)
def test_a_header_that_is_too_large_is_refused_before_it_is_read(kind: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(tarfile.ReadError, match="a header of more than"):
            list(members(PieceReader(filled(kind))))
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_that_extend_one_another_without_an_end_are_refused(kind: bytes) -> None:
    def chain() -> Iterator[bytes]:
        for _ in range(5000):
            yield from extending(kind, 512)
            yield b"11 path=abc\n".ljust(512, b"\0")

    with pytest.raises(tarfile.ReadError, match="of too many parts"):
        list(members(PieceReader(chain())))


def test_headers_for_all_that_follows_are_bounded_together() -> None:
    def many() -> Iterator[bytes]:
        for number in range(10):
            info = tarfile.TarInfo(f"file-{number}")
            value = "x" * (LARGEST_HEADER // 4)
            yield tarfile.TarInfo.create_pax_global_header({f"key-{number}": value})
            yield info.tobuf(tarfile.USTAR_FORMAT)

    with pytest.raises(tarfile.ReadError, match="a header of more than"):
        list(members(PieceReader(many())))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_links_are_read(form: int) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=form) as tar:
        for number in range(20):
            info = tarfile.TarInfo("deep/" * 700 + str(number))
            info.type, info.linkname = tarfile.SYMTYPE, "to/" * 1000
            tar.addfile(info)
    found = [(name[-2:], member.linkname) for name, member, _ in members(io.BytesIO(content.getvalue()))]
    assert len(found) == 20
    assert {link for _, link in found} == {"to/" * 1000}
