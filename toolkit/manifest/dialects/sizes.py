"""Machines by size, as in Watson ML in 2017 and, under `compute_configuration`, for some time in 2018."""

from __future__ import annotations

from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.model import Compute
from toolkit.yaml.source import Path_

SIZES = {"small": 1, "medium": 2, "large": 4}
_KIND = "k80"


def compute_of(size: str, nodes: int = 1, memory: int = 0, cpus: float = 0) -> Compute:
    """`medium` is `k80x2`."""
    gpus = SIZES[size]
    return Compute(_KIND if gpus == 1 else f"{_KIND}x{gpus}", nodes, memory, cpus)


def warn_of_size(size: str, compute: Compute, diagnostics: Diagnostics, path: Path_) -> None:
    """No document says which GPUs these machines had."""
    gpus = "1 GPU" if SIZES[size] == 1 else f"{SIZES[size]} GPUs"
    here = ("compute_configuration:", f"  name: {compute.name}", f"  nodes: {compute.nodes}")
    diagnostics.warn(path, f"`{size}` is {gpus} of no named kind; read as {_KIND}", *here)
