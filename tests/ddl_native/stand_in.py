"""A stand-in for a GPU, for machines without one: CUDA's runtime and NCCL over the host's memory and MPI.

The sources are in programs/stand_in; they tell what it does as the real ones do. What runs on it did not run on a GPU.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

SOURCES = Path(__file__).parent / "programs" / "stand_in"
CUDA, NCCL = "libcudart.so.12", "libnccl.so.2"


def compile_stand_in(build: ModuleType, headers: Sequence[str], folder: Path, flags: Sequence[str] = ()) -> None:
    """Both libraries into `folder`, under the real ones' names, against the real ones' `headers`."""
    words = ["-std=c++11", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-pthread", *flags]
    # As ddl does: nccl.h's own headers want one that TensorFlow does not bring.
    words += [f"-D__CUDA_{kind}_H__" for kind in ("FP16", "BF16", "FP8")]
    words += [*build.cuda_flags(headers), *build.mpi_flags("incdirs"), "-DOMPI_SKIP_MPICXX"]
    for file, name, link in (
        ("cudart.cc", CUDA, []),
        ("nccl.cc", NCCL, ["-L", str(folder), f"-l:{CUDA}", *build.mpi_flags("libdirs"), "-lmpi"]),
    ):
        target = ["-o", str(folder / name), f"-Wl,-soname,{name}", "-Wl,-rpath,$ORIGIN"]
        subprocess.run(["g++", str(SOURCES / file), *words, *target, *link], check=True)


def variables(folder: Path, **others: str) -> dict[str, str]:
    """The environment of a rank that finds the libraries of `folder` first."""
    before = os.environ.get("LD_LIBRARY_PATH", "")
    return {"LD_LIBRARY_PATH": f"{folder}:{before}".rstrip(":"), **others}
