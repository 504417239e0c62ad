"""The reader of GPU code, on small ELF files that these tests write, whole and damaged."""

from __future__ import annotations

import ast
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.validation.in_container import fatbin

INSIDE = Path(fatbin.__file__).parent
PTX, CUBIN, LTO = 1, 2, 8
Entry = tuple[int, int, int]
"""Kind, architecture, and size when unpacked."""


def fat_binary(*entries: Entry, compressed: bool = False) -> bytes:
    """A header and entries; a compressed payload is an eighth of what it unpacks to."""
    body = b""
    for kind, number, size in entries:
        payload = b"\xee" * (size // 8 // 8 * 8 if compressed else size)
        unpacked = size if compressed else 0
        head = struct.pack("<HHIQIIHHIQQQQ", kind, 0x101, 64, len(payload), 0, 0, 0, 0, number, 0, 0x11, 0, unpacked)
        assert len(head) == 64
        body += head + payload
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def elf(sections: dict[str, bytes], kinds: dict[str, tuple[int, int]] | None = None) -> bytes:
    """A 64-bit ELF file with these sections; `kinds` gives a section's kind and flags, else it is plain data."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    content, table, at = b"", bytes(64), 1
    for name, data in {**sections, ".shstrtab": names}.items():
        content += b"\0" * (-len(content) % 8)
        kind, flags = (kinds or {}).get(name, (1, 2))
        table += struct.pack("<IIQQQQIIQQ", at, kind, flags, 0, 64 + len(content), len(data), 0, 0, 8, 0)
        at += len(name) + 1
        content += data
    content += b"\0" * (-len(content) % 8)
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 0, 64 + len(content), 0, 64, 0, 0, 64, len(sections) + 2),
        len(sections) + 1,
    )
    return head + content + table


def read(tmp_path: Path, content: bytes) -> tuple[list[int], list[int]]:
    file = tmp_path / "lib.so"
    file.write_bytes(content)
    cubins, ptx = fatbin.read(str(file))
    return cubins, ptx


def test_every_entry_of_every_fat_binary_counts(tmp_path: Path) -> None:
    one = fat_binary((CUBIN, 60, 4096), (CUBIN, 70, 4096), (PTX, 70, 1024))
    two = fat_binary((CUBIN, 90, 4096), (CUBIN, 60, 4096), (LTO, 50, 4096))
    assert read(tmp_path, elf({".nv_fatbin": one + bytes(24) + two})) == ([60, 70, 90], [70])


def test_compressed_entries_keep_their_headers(tmp_path: Path) -> None:
    code = fat_binary((CUBIN, 60, 4096), (PTX, 80, 2048), compressed=True)
    assert read(tmp_path, elf({".nv_fatbin": code})) == ([60], [80])


def test_an_empty_module_is_no_code(tmp_path: Path) -> None:
    """nvcc links one into every library: cuFFT's own section has no other."""
    empty = fat_binary((CUBIN, 52, 872), (CUBIN, 100, 1984), (PTX, 52, 144))
    assert read(tmp_path, elf({".nv_fatbin": empty})) == ([], [])


def test_an_empty_module_is_known_by_its_unpacked_size(tmp_path: Path) -> None:
    assert read(tmp_path, elf({".nv_fatbin": fat_binary((CUBIN, 60, 2088), compressed=True)})) == ([60], [])
    assert read(tmp_path, elf({".nv_fatbin": fat_binary((CUBIN, 60, 1992), compressed=True)})) == ([], [])


def test_code_in_other_data_is_found(tmp_path: Path) -> None:
    """As cuFFT has it."""
    sections = {
        ".nv_fatbin": fat_binary((CUBIN, 52, 872)),
        ".data": bytes(40) + fat_binary((CUBIN, 60, 4096)),
        ".rodata": fat_binary((PTX, 70, 4096)),
    }
    assert read(tmp_path, elf(sections)) == ([60], [70])


def test_what_is_not_loaded_as_data_is_no_code(tmp_path: Path) -> None:
    code = fat_binary((CUBIN, 60, 4096))
    sections = {"__nv_relfatbin": code, ".text": code, ".note": code}
    assert read(tmp_path, elf(sections, {".text": (1, 6), ".note": (7, 2)})) == ([], [])


def test_the_magic_number_elsewhere_may_mean_anything(tmp_path: Path) -> None:
    alike = struct.pack("<IHHQ", 0xBA55ED50, 9, 16, 1 << 40)
    assert read(tmp_path, elf({".rodata": alike + fat_binary((CUBIN, 60, 4096))})) == ([60], [])


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(90), b"INPUT(libm.so.6)" * 9])
def test_what_is_no_64_bit_elf_has_no_code(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content) == ([], [])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda whole: whole[:-64], "it ends at byte"),
        (
            lambda whole: whole.replace(b"\x10\0" + struct.pack("<Q", 4160), b"\x10\0" + struct.pack("<Q", 1 << 40)),
            "is invalid",
        ),
        (lambda whole: whole.replace(struct.pack("<IQ", 64, 4096), struct.pack("<IQ", 64, 1 << 40)), "larger than its"),
        (lambda whole: whole.replace(struct.pack("<IQ", 64, 4096), struct.pack("<IQ", 0, 4096)), "larger than its"),
    ],
)
def test_damage_is_said(tmp_path: Path, damage: Any, said: str) -> None:
    whole = elf({".nv_fatbin": fat_binary((CUBIN, 60, 4096))})
    assert damage(whole) != whole
    with pytest.raises(fatbin.Damaged, match=said):
        read(tmp_path, damage(whole))


WHOLE = elf({".nv_fatbin": fat_binary((CUBIN, 60, 2048), (PTX, 70, 512)), ".data": fat_binary((CUBIN, 80, 2048))})


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8)), max_size=4), st.data())
def test_no_damage_makes_it_fall_or_hang(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    content = bytearray(WHOLE)
    for at, piece in writes:
        content[at : at + len(piece)] = piece
    cut = data.draw(st.integers(0, len(content)))
    file = tmp_path_factory.mktemp("damaged") / "lib.so"
    file.write_bytes(bytes(content[:cut]))
    try:
        cubins, ptx = fatbin.read(str(file))
    except fatbin.Damaged as error:
        assert str(error)
    else:
        assert all(0 <= number < 1 << 32 for number in (*cubins, *ptx))


@given(st.lists(st.tuples(st.sampled_from([PTX, CUBIN]), st.sampled_from([50, 60, 70, 90, 120])), max_size=12))
def test_what_was_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[int, int]]
) -> None:
    binaries = b"".join(fat_binary((kind, number, 2048)) for kind, number in entries)
    assert read(tmp_path_factory.mktemp("written"), elf({".nv_fatbin": binaries})) == (
        sorted({number for kind, number in entries if kind == CUBIN}),
        sorted({number for kind, number in entries if kind == PTX}),
    )


def said_of(folder: Path) -> list[dict[str, Any]]:
    """The program as an image runs it: read from standard input, its last line one JSON object."""
    program = (INSIDE / "fatbin.py").read_bytes()
    argv = [sys.executable, "-", str(folder)]
    done = subprocess.run(argv, input=program, capture_output=True, timeout=60, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])["libraries"]
    return found


def test_a_damaged_library_does_not_hide_the_others(tmp_path: Path) -> None:
    whole = elf({".nv_fatbin": fat_binary((CUBIN, 60, 4096))})
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "libcut.so.1").write_bytes(whole[:-64])
    (tmp_path / "liba.so").write_bytes(whole)
    (tmp_path / "libb.so.9.1").write_bytes(elf({".nv_fatbin": fat_binary((PTX, 70, 4096))}))
    (tmp_path / "none.so").write_bytes(elf({".data": b"x"}))
    (tmp_path / "lib.so.txt").write_bytes(whole)
    (tmp_path / "link.so").symlink_to("liba.so")
    (tmp_path / "to-nothing.so").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe.so")
    size = len(whole) - 64
    assert said_of(tmp_path) == [
        {"path": f"{tmp_path}/liba.so", "cubins": [60], "ptx": [], "damaged": ""},
        {"path": f"{tmp_path}/libb.so.9.1", "cubins": [], "ptx": [70], "damaged": ""},
        {
            "path": f"{tmp_path}/a/libcut.so.1",
            "cubins": [],
            "ptx": [],
            "damaged": f"it ends at byte {size}, inside a header",
        },
    ]


@pytest.mark.parametrize("module", ["fatbin.py", "prove.py", "rank.py"])
def test_it_is_plain_ascii_in_the_grammar_of_old_pythons(module: str) -> None:
    """An old Python reads its program from standard input as ASCII."""
    text = (INSIDE / module).read_text("ascii")
    tree = ast.parse(text, feature_version=(3, 5))
    newer_than_2_7 = (ast.AnnAssign, ast.Nonlocal, ast.Starred, ast.JoinedStr, ast.AsyncFunctionDef, ast.YieldFrom)
    assert [node for node in ast.walk(tree) if isinstance(node, newer_than_2_7)] == []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [f.name for f in functions if f.returns or f.args.kwonlyargs or any(a.annotation for a in f.args.args)] == []
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {*sys.stdlib_module_names, "ddl", "tensorflow"}
