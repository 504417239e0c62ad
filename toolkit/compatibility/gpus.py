"""Read `images/gpus.yml`: the GPUs that manifests and clusters name.

Every manifest is checked against it, so it is small and needs nothing of the rest of the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from toolkit.errors import Code
from toolkit.yaml.source import read_source
from toolkit.yaml.validate import Section, validate

KIND = r"(?!cpu$)[a-z][a-z0-9]*(?<!x\d)(?<!x\d\d)(?<!x\d\d\d)"
"""The syntax of a kind's name: its end must not look like a count."""
FILE = "gpus.yml"


@dataclass(frozen=True)
class Gpu:
    """A manifest's name for a GPU, `p100`, and the architecture that its code is compiled for, `sm_60`."""

    kind: str
    architecture: str
    source: str


def _kind(value: str) -> str:
    if not re.fullmatch(KIND, value):
        raise ValueError(f"expected a kind of GPU in small letters and digits, without a count, found {value!r}")
    return value


class GpuSection(Section):
    """`kinds` are their names in manifests."""

    architecture: str
    kinds: list[Annotated[str, AfterValidator(_kind)]]


class GpusFile(Section):
    """The whole file; `source` says where all of it was read."""

    source: str
    gpus: list[GpuSection]


@cache
def read_gpus(images: Path) -> tuple[Gpu, ...]:
    """The GPUs in the folder `images`, read once; raises `ToolkitError` (S103) if the file is missing or invalid."""
    file = validate(read_source(images / FILE, Code.IMAGE, ours=True), GpusFile, Code.IMAGE)
    return tuple(Gpu(kind, row.architecture, file.source) for row in file.gpus for kind in row.kinds)


def gpu_kinds(images: Path) -> tuple[str, ...]:
    """Their kinds; raises as `read_gpus`."""
    return tuple(gpu.kind for gpu in read_gpus(images))
