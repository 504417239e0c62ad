"""A stand-in for a site's CUDA 9.0 and cuDNN 7, which are NVIDIA's and on no index: a tar to be given as its bundle.

    python stand_in_bundle.py WHEEL TARGET.tar

The libraries have the true names and every symbol that the wheel's own library asks for, and nothing behind them: the
driver's says that there is no GPU. They show that the bundle's place, its paths and the proof are right; they compute
nothing, and have no GPU code.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

_PREFIXES = {
    "libcublas.so.9.0": "cublas",
    "libcudart.so.9.0": "cuda|__cuda",
    "libcudnn.so.7": "cudnn",
    "libcufft.so.9.0": "cufft",
    "libcurand.so.9.0": "curand",
    "libcusolver.so.9.0": "cusolver",
    "libcuda.so.1": "cu[A-Z]",
}
_NO_DEVICE = 100
"""CUDA_ERROR_NO_DEVICE and cudaErrorNoDevice (CUDA Driver API, "CUresult")."""


def main(wheel: Path, target: Path) -> None:
    """Make the tar."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".so")]
            archive.extractall(folder, names)
        undefined = {symbol for name in names for symbol in _undefined(Path(folder) / name)}
        libraries = Path(folder) / "cuda" / "lib64"
        (libraries / "stubs").mkdir(parents=True)
        for soname, prefix in _PREFIXES.items():
            own = sorted(symbol for symbol in undefined if re.match(prefix, symbol))
            stub = soname == "libcuda.so.1"
            _library(libraries / ("stubs/libcuda.so" if stub else soname), soname, own)
        subprocess.run(["tar", "-C", libraries.parent, "-cf", target, "."], check=True)


def _undefined(library: Path) -> set[str]:
    said = subprocess.run(
        ["nm", "--dynamic", "--undefined-only", library], check=True, capture_output=True, text=True
    ).stdout
    return {line.split()[-1].partition("@")[0] for line in said.splitlines()}


def _library(file: Path, soname: str, symbols: list[str]) -> None:
    source = "".join(f"int {symbol}(void) {{ return {_NO_DEVICE}; }}\n" for symbol in symbols)
    version = f"{soname} {{ global: *; }};\n"  # the wheel asks for symbols of that version, as NVIDIA's have
    with tempfile.NamedTemporaryFile("w", suffix=".map") as script:
        script.write(version)
        script.flush()
        argv: list[str | Path] = ["gcc", "-shared", "-fPIC", "-w", "-xc", "-", "-o", file, f"-Wl,-soname,{soname}"]
        subprocess.run([*argv, f"-Wl,--version-script,{script.name}"], input=source, text=True, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
