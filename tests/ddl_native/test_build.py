"""The compiled bytes depend on sources and compiler alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from .conftest import NATIVE


def test_the_same_bytes_come_out_wherever_the_sources_lie(tmp_path: Path, libraries: Path) -> None:
    elsewhere = tmp_path / "a folder" / "native"
    shutil.copytree(NATIVE, elsewhere)
    program = "import build, sys; build.build_engine(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=elsewhere, check=True, timeout=600)
    assert (tmp_path / "libddl_engine.so").read_bytes() == (libraries / "libddl_engine.so").read_bytes()


def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path) -> None:
    words = [sys.executable, str(NATIVE / "build.py"), str(tmp_path / "out"), str(tmp_path)]
    done = subprocess.run(words, env={"PATH": ""}, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 1
    assert "g++ cannot be started" in done.stderr
    assert "apt-get install g++ libopenmpi-dev" in done.stderr
    assert "Traceback" not in done.stderr
