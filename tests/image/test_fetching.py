"""Fetching wheels with pip for real, from a folder instead of an index."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

from toolkit.catalogue.version import sha256_of
from toolkit.errors import ToolkitError
from toolkit.image.wheels import Fetching, fetch_wheels

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


def lock(folder: Path, sha256: str) -> Path:
    file = folder / "tiny.lock"
    file.write_text(f"tiny==1.0 \\\n    --hash=sha256:{sha256}\n")
    return file


def test_a_wheel_is_fetched_once_and_then_kept(tmp_path: Path, shop: Path) -> None:
    wanted, pool = lock(tmp_path, sha256_of(shop / WHEEL)), tmp_path / "pool"
    told: list[Fetching] = []
    assert fetch_wheels(wanted, "3.11", pool, told.append) == {"tiny": pool / WHEEL}
    assert {state.count for state in told} == {1}
    (shop / WHEEL).unlink()
    assert fetch_wheels(wanted, "3.11", pool, lambda _: pytest.fail("it was fetched again")) == {"tiny": pool / WHEEL}
    assert [file.name for file in pool.iterdir()] == [WHEEL]


@pytest.mark.parametrize("damage", ["wheel", "lock"])
def test_a_wheel_that_is_not_what_the_lock_says_is_refused(tmp_path: Path, shop: Path, damage: str) -> None:
    sha256 = sha256_of(shop / WHEEL)
    if damage == "wheel":
        with zipfile.ZipFile(shop / WHEEL, "a") as wheel:
            wheel.writestr("backdoor.py", "x")
    wanted, pool = lock(tmp_path, "0" * 64 if damage == "lock" else sha256), tmp_path / "pool"
    with pytest.raises(ToolkitError, match=r"the wheels of tiny.lock could not be downloaded") as caught:
        fetch_wheels(wanted, "3.11", pool, lambda _: None)
    assert caught.value.code.label == "S103"
    assert "DO NOT MATCH THE HASHES" in caught.value.evidence
    assert list(pool.iterdir()) == []


def test_a_kept_wheel_that_was_changed_since_is_fetched_anew(tmp_path: Path, shop: Path) -> None:
    sha256, pool = sha256_of(shop / WHEEL), tmp_path / "pool"
    fetch_wheels(lock(tmp_path, sha256), "3.11", pool, lambda _: None)
    (pool / WHEEL).write_bytes(b"damaged")
    found = fetch_wheels(lock(tmp_path, sha256), "3.11", pool, lambda _: None)
    assert sha256_of(found["tiny"]) == sha256
