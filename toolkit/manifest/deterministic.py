"""Variables that make a framework's operations deterministic. Pure.

They do not seed a program's random numbers: that is the program's own part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from toolkit.manifest.model import Manifest

_ANY = {"PYTHONHASHSEED": "0"}
_CUBLAS = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""https://docs.nvidia.com/cuda/cublas/#results-reproducibility"""
VARIABLES: Mapping[str, Mapping[str, str]] = {
    "tensorflow": {**_ANY, **_CUBLAS, "TF_DETERMINISTIC_OPS": "1", "TF_CUDNN_DETERMINISTIC": "1"},
    "pytorch": {**_ANY, **_CUBLAS},
}
"""By framework. `TF_CUDNN_DETERMINISTIC` is for TensorFlow 1.14 to 2.8; it is ignored by others. PyTorch has no
variable for the rest: the program calls `torch.use_deterministic_algorithms(True)`."""


def deterministic(manifest: Manifest) -> Manifest:
    """The manifest with its framework's variables for every command; those that it sets itself stay as they are."""
    framework = manifest.framework.name.partition("-")[0]  # tensorflow-ddl is tensorflow with a library on top
    given = dict(manifest.environment)
    return replace(manifest, environment=tuple({**VARIABLES.get(framework, _ANY), **given}.items()))
