"""An image of the tests' own, and code folders that need things."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from toolkit.lock.model import WheelPin
from toolkit.user_packages.model import ImageFacts

KERAS_SHA256 = "c" * 64


def wheel(name: str, version: str, sha256: str = "b" * 64) -> WheelPin:
    """A wheel for every Python."""
    return WheelPin(name, version, f"{name.replace('-', '_')}-{version}-py3-none-any.whl", sha256, 20)


IMAGE = ImageFacts(
    "tensorflow-2.19-py3.11-cpu",
    "3.11",
    "3.11.2",
    (
        wheel("keras", "3.15.1", KERAS_SHA256),
        wheel("mpi4py", "4.1.2"),
        wheel("numpy", "2.1.3"),
        wheel("tensorflow-cpu", "2.19.1"),
    ),
)


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The files in the folder; the folder."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder
