"""The last lines of ./check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.paths import assets

SUITE = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


def counted(folder: Path, status: int) -> tuple[int, list[str]]:
    argv = [sys.executable, assets() / "setup" / "count_tests.py", folder, str(status)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def test_counts_of_all_environments_are_added_up(tmp_path: Path) -> None:
    (tmp_path / "quick.xml").write_text(SUITE.format(10, 0, 0, 1))
    (tmp_path / "real.xml").write_text(SUITE.format(5, 0, 0, 0))
    assert counted(tmp_path, 0) == (
        0,
        [
            "quick: 9 passed, 0 failed, 1 skipped",
            "real: 5 passed, 0 failed, 0 skipped",
            "14 passed, 0 failed, 1 skipped",
        ],
    )


def test_toxs_status_is_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "quick.xml").write_text(SUITE.format(10, 1, 2, 0))
    assert counted(tmp_path, 3) == (
        3,
        ["quick: 7 passed, 3 failed, 0 skipped", "check: FAILED, see above", "7 passed, 3 failed, 0 skipped"],
    )


@pytest.mark.parametrize("status", [0, 1])
def test_no_test_at_all_is_a_failure(tmp_path: Path, status: int) -> None:
    assert counted(tmp_path, status)[0] == 1
