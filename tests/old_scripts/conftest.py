"""A training of 2018 as IBM's document prints it: cut out of the document when the tests run, and run as it is.

Manifest and scripts are IBM's, so none of them lies here. Where the document is not, every test that needs it is
skipped, and says so.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.paths import assets, cache

DOCUMENT = Path(
    os.environ.get("OLD_SCRIPTS_DOCUMENT") or assets().parent / "shared" / "seed" / "ibm-wml-ddl-example.md"
)
MANIFEST = "manifest.yml"
SCRIPTS = ("mnist-train-ddl.py", "transform.py", "ddl.py")
ROUNDS = 5
"""How often the few digits are put into the training set: of the first 5,000 the old tutorial makes another set."""


@dataclass(frozen=True)
class Bench:
    """The `toolkit` command with a home of its own."""

    home: Path

    def toolkit(self, *words: object, timeout: float = 600) -> str:
        """One command that must succeed; what it prints on standard output."""
        environment = {**os.environ, "TOOLKIT_HOME": str(self.home), "TOOLKIT_CACHE": str(cache())}
        argv = [sys.executable, "-m", "toolkit", *map(str, words)]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def built(self, name: str) -> str:
        """The catalogue's image `name`, built."""
        said: dict[str, Any] = json.loads(self.toolkit("build", "--json", "--image", name, timeout=1800))
        return str(said["image"]["reference"])


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def document() -> Mapping[str, str]:
    """The four files that the document prints, in its order, by name."""
    if not DOCUMENT.is_file():
        pytest.skip(f"NOT RUN: IBM's document is not at {DOCUMENT} (OLD_SCRIPTS_DOCUMENT names another place)")
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    return dict(zip((MANIFEST, *SCRIPTS), blocks, strict=True))


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MNIST's four files with scikit-learn's digits, as many as the old tutorial needs."""
    folder = tmp_path_factory.mktemp("digits")
    example = assets() / "examples" / "mnist"
    subprocess.run([sys.executable, example / "make_digits.py", folder], check=True, capture_output=True)
    for name, dimensions in (("train-images-idx3-ubyte.gz", 3), ("train-labels-idx1-ubyte.gz", 1)):
        data = gzip.decompress((folder / name).read_bytes())
        start = 4 + 4 * dimensions
        count, *rest = struct.unpack_from(f">{dimensions}I", data, 4)
        many = np.tile(np.frombuffer(data, np.uint8, offset=start), ROUNDS)
        header = data[:4] + struct.pack(f">{dimensions}I", count * ROUNDS, *rest)
        (folder / name).write_bytes(gzip.compress(header + many.tobytes(), mtime=0))
    return folder
