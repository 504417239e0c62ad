"""Frameworks with several names on an index: an image that has one under one name has it under all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.lock.model import WheelPin

_FAMILIES = (
    (
        *("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-macos", "tensorflow-rocm"),
        *("tensorflow-cpu-aws", "tensorflow-aarch64", "intel-tensorflow", "intel-tensorflow-avx512"),
        *("tf-nightly", "tf-nightly-cpu", "tf-nightly-gpu"),
    ),
    ("torch",),
)
"""Each fills the same folder below site-packages. Other packages require the first."""


def answers(name: str, holds: Mapping[str, WheelPin]) -> WheelPin | None:
    """The image's wheel that satisfies a requirement of `name`: itself, or the framework under another name."""
    if name in holds:
        return holds[name]
    family = next((names for names in _FAMILIES if name in names), ())
    return next((holds[other] for other in family if other in holds), None)


def framework_of(holds: Mapping[str, WheelPin]) -> WheelPin | None:
    """The image's framework, as in its lock."""
    return next((holds[name] for names in _FAMILIES for name in names if name in holds), None)


def other_names(holds: Mapping[str, WheelPin]) -> dict[str, WheelPin]:
    """The names under which the image's framework must not be installed again, each with the image's wheel."""
    framework = framework_of(holds)
    if framework is None:
        return {}
    family = next(names for names in _FAMILIES if framework.name in names)
    return {name: framework for name in family if name not in holds}


def is_name_of_a_framework(name: str) -> bool:
    """Whether this normalized project name is a framework's."""
    return any(name in names for names in _FAMILIES)
