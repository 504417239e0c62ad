"""Fetching wheels with pip for real, from a folder instead of an index."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.atomic_file import sha256_of
from toolkit.errors import ToolkitError
from toolkit.fetch.wheels import download_argv, fetch_wheels, requirements_text
from toolkit.lock.model import WheelPin
from toolkit.lock.pool import Pool
from toolkit.progress import Progress

WHEEL = "tiny-1.0-py3-none-any.whl"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one wheel in it, which is all that pip can find."""
    folder = tmp_path / "shop"
    folder.mkdir()
    files = {
        "tiny.py": "x = 1\n",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        record = "".join(f"{name},sha256={digest(text)},{len(text)}\n" for name, text in files.items())
        wheel.writestr("tiny-1.0.dist-info/RECORD", f"{record}tiny-1.0.dist-info/RECORD,,\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def pin(shop: Path) -> WheelPin:
    return WheelPin("tiny", "1.0", WHEEL, sha256_of(shop / WHEEL), (shop / WHEEL).stat().st_size)


def test_a_wheel_is_fetched_once_and_then_kept(tmp_path: Path, shop: Path) -> None:
    wanted, pool = pin(shop), Pool(tmp_path / "pool")
    reported: list[Progress] = []
    fetch_wheels([wanted], "3.11", pool, reported.append)
    assert sha256_of(pool.path(wanted)) == wanted.sha256
    assert {state.total for state in reported if state.unit == "steps"} == {1}
    (shop / WHEEL).unlink()
    fetch_wheels([wanted], "3.11", pool, lambda _: pytest.fail("it was fetched again"))
    assert [folder.name for folder in pool.folder.iterdir()] == [wanted.sha256]


@pytest.mark.parametrize("damage", ["wheel", "lock"])
def test_a_wheel_that_is_not_what_the_lock_says_is_refused(tmp_path: Path, shop: Path, damage: str) -> None:
    wanted, pool = pin(shop), Pool(tmp_path / "pool")
    if damage == "wheel":
        with zipfile.ZipFile(shop / WHEEL, "a") as wheel:
            wheel.writestr("backdoor.py", "x")
    else:
        wanted = replace(wanted, sha256="0" * 64)
    with pytest.raises(ToolkitError, match="the lock's wheels could not be downloaded") as caught:
        fetch_wheels([wanted], "3.11", pool, lambda _: None)
    assert caught.value.code.label == "S103"
    assert "DO NOT MATCH THE HASHES" in caught.value.evidence
    assert list(pool.folder.iterdir()) == []


def test_a_wheel_that_is_gone_is_reported_with_pips_words(tmp_path: Path, shop: Path) -> None:
    wanted = replace(pin(shop), version="1.1", file="tiny-1.1-py3-none-any.whl")
    with pytest.raises(ToolkitError) as caught:
        fetch_wheels([wanted], "3.11", Pool(tmp_path / "pool"), lambda _: None)
    assert "tiny==1.1" in caught.value.evidence


def test_pip_is_asked_for_these_very_wheels() -> None:
    wheels = [
        WheelPin("grpcio", "1.0", "grpcio-1.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", "a" * 64, 1),
        WheelPin("six", "2.0", "six-2.0-py2.py3-none-any.whl", "b" * 64, 1),
    ]
    argv = download_argv(wheels, Path("/p/r.txt"), Path("/p"), "3.11")
    assert argv[1:4] == ["-m", "pip", "download"]
    assert {"--require-hashes", "--no-deps"} <= set(argv)
    assert [argv[n + 1] for n, word in enumerate(argv) if word == "--abi"] == ["cp311", "none"]
    platforms = [argv[n + 1] for n, word in enumerate(argv) if word == "--platform"]
    assert platforms == ["any", "manylinux2014_x86_64", "manylinux_2_17_x86_64"]
    assert argv[argv.index("--python-version") + 1] == "3.11"
    assert requirements_text(wheels) == (f"grpcio==1.0 --hash=sha256:{'a' * 64}\nsix==2.0 --hash=sha256:{'b' * 64}\n")
