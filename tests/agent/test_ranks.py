"""What ranks left in a folder that their program can write, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.agent.ranks import NO_GPU, read_ranks
from toolkit.agent.untrusted import Replacements


def test_a_status_has_the_times_of_its_start_and_end(tmp_path: Path) -> None:
    (tmp_path / "1.0").write_text("  0 1700000000.250000000 1700000012.500000000\n")
    (tmp_path / "2.17").write_text("137 1700000000.0 1700000001.0\n")
    found = read_ranks(tmp_path, Replacements())
    assert found.statuses == {"1.0": 0, "2.17": 137}
    assert found.times["1.0"] == (1700000000.25, 1700000012.5)


def test_a_rank_that_found_no_gpu_was_not_started(tmp_path: Path) -> None:
    (tmp_path / "1.0").write_text(f" {NO_GPU} gpu\n".ljust(46))
    (tmp_path / "1.1").write_text(f" {NO_GPU} 1700000000.0 1700000001.0\n")
    found = read_ranks(tmp_path, Replacements())
    assert found.statuses == {"1.0": NO_GPU, "1.1": NO_GPU}
    assert found.without_gpu == ("1.0",), "a program may end with the same status by itself"


def test_a_rank_says_that_its_learner_has_met_its_limit_of_processes(tmp_path: Path) -> None:
    (tmp_path / "1.0").write_text("  1 processes 4096\n".ljust(46))
    (tmp_path / "1.1").write_text("  1 processes many\n")
    found = read_ranks(tmp_path, Replacements())
    assert (found.statuses, found.crowded) == ({"1.0": 1, "1.1": 1}, {"1.0": 4096})


@pytest.mark.parametrize("content", [b"", b"x", b"\xff", b"-1", b"256", b"9" * 500, b"\x00", b"0x7"])
def test_a_file_that_has_no_status_is_left_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.0").write_bytes(content)
    assert read_ranks(tmp_path, Replacements()).statuses == {}


@pytest.mark.parametrize("times", ["nan inf", "x y", "1", "-1 5", "1e300 1"])
def test_times_that_are_none_leave_the_status(tmp_path: Path, times: str) -> None:
    (tmp_path / "1.0").write_text(f"  3 {times}\n")
    assert (read_ranks(tmp_path, Replacements()).statuses, read_ranks(tmp_path, Replacements()).times) == (
        {"1.0": 3},
        {},
    )


def test_no_link_is_followed_no_pipe_waited_for_and_no_other_name_read(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("0\n")
    (tmp_path / "1.0").symlink_to("status")
    os.mkfifo(tmp_path / "1.1")
    (tmp_path / "1.2").mkdir()
    (tmp_path / "1.x").write_text("0\n")
    assert read_ranks(tmp_path, Replacements()).statuses == {}
    assert read_ranks(tmp_path / "none", Replacements()).statuses == {}
