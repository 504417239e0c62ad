"""Stand-ins for other names of the image's framework: empty wheels that depend on the framework itself.

A package that requires `tensorflow` on an image with `tensorflow-cpu` would install a second TensorFlow into the same
folder. Instead, the resolver gets a `tensorflow` of the image's version, so that version ranges for it apply; it is
removed from the result. Its version has a local part (PEP 440), which no index has.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from toolkit.lock.model import WheelPin
from toolkit.user_packages.frameworks import other_names

LOCAL = "+of.the.image"
_EXTRAS = ("and-cuda", "gcs-filesystem")
"""TensorFlow's own; the image has what they need, or is for the CPU."""
_WHEEL = "Wheel-Version: 1.0\nGenerator: toolkit\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_stand_ins(holds: Mapping[str, WheelPin], folder: Path) -> tuple[str, ...]:
    """Write a wheel for each other name of the framework to `folder`; returns the names."""
    names = other_names(holds)
    for name, wheel in names.items():
        escaped, version = name.replace("-", "_"), wheel.version + LOCAL
        metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
        metadata += [f"Provides-Extra: {extra}" for extra in _EXTRAS]
        metadata.append(f"Requires-Dist: {wheel.name}=={wheel.version}\n")
        with zipfile.ZipFile(folder / f"{escaped}-{version}-py3-none-any.whl", "w") as archive:
            for file, text in (("METADATA", "\n".join(metadata)), ("WHEEL", _WHEEL), ("RECORD", "")):
                archive.writestr(f"{escaped}-{version}.dist-info/{file}", text)
    return tuple(names)


def constraints_of(holds: Mapping[str, WheelPin]) -> list[str]:
    """The image's packages as constraints: its wheels, and the stand-ins for the framework's other names."""
    others = other_names(holds)
    return [
        *(f"{wheel.name}=={wheel.version}" for wheel in holds.values()),
        *(f"{name}=={wheel.version}{LOCAL}" for name, wheel in others.items()),
    ]
