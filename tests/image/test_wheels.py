"""Locks and the pool of wheels."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.image.wheels import Pin, download_argv, match_pool, parse_lock, read_pool
from toolkit.places import house

LOCK = house() / "images" / "tensorflow-ddl" / "2.19-py3.11-cpu.lock"
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def test_the_real_lock_pins_everything_by_hash() -> None:
    pins = {pin.name: pin for pin in parse_lock(LOCK)}
    assert (pins["tensorflow-cpu"].version, pins["mpi4py"].version) == ("2.19.1", "4.1.2")
    assert {"pip", "numpy", "keras"} <= pins.keys()
    assert all(pin.hashes for pin in pins.values())


def test_a_lock_is_read_over_its_continued_lines(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.write_text(
        f"# made by uv\nNumpy==2.1.3 \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n    # via keras\n"
    )
    assert parse_lock(lock) == (Pin("numpy", "2.1.3", frozenset({A, B})),)


def test_a_package_without_a_hash_is_refused_with_its_line(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.write_text(f"six==1.0 --hash=sha256:{A}\nnumpy==2.1.3\n")
    with pytest.raises(ToolkitError) as caught:
        parse_lock(lock)
    assert "numpy==2.1.3 has no hash" in str(caught.value)
    assert f"{lock}:2:1" in str(caught.value)


def test_the_pool_serves_by_hash_and_what_it_lacks_is_told() -> None:
    wanted = (Pin("one", "1", frozenset({A, B})), Pin("two", "2", frozenset({C})))
    assert match_pool(wanted, {B: Path("one.whl"), "d" * 64: Path("two.whl")}) == (
        {"one": Path("one.whl")},
        (wanted[1],),
    )


def test_a_pool_is_known_by_its_bytes_not_its_names(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"bytes")
    (tmp_path / "x.txt").write_bytes(b"no wheel")
    assert read_pool(tmp_path) == {hashlib.sha256(b"bytes").hexdigest(): tmp_path / "x.whl"}


def test_pip_takes_wheels_for_the_images_python_alone() -> None:
    argv = download_argv(Path("/p/lock.txt"), Path("/p"), "3.11")
    assert argv[1:4] == ["-m", "pip", "download"]
    assert {"--require-hashes", "--no-deps"} <= set(argv)
    assert argv[argv.index("--only-binary") + 1] == ":all:"
    assert argv[argv.index("--python-version") + 1] == "3.11"
    platforms = [argv[index + 1] for index, word in enumerate(argv) if word == "--platform"]
    assert (platforms[0], platforms[-1]) == ("manylinux_2_36_x86_64", "any")
