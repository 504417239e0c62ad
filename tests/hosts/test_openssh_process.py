"""What the tool keeps of an `ssh` that it runs for a few seconds, and what is left of one that hangs."""

from __future__ import annotations

import time
from pathlib import Path

from toolkit.hosts.openssh.master import last_words
from toolkit.hosts.openssh.process import finish, quiet, start

FLOOD = "yes 0123456789abcde | head -c 5000000 >&2; echo the end >&2; exit 3"


def test_of_a_flood_of_errors_the_end_is_kept() -> None:
    process = start(["sh", "-c", FLOOD])
    said = finish(process, 30)
    assert said is not None
    assert (len(said), said.endswith("the end\n"), process.returncode) == (1 << 14, True, 3)


def test_one_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    process = start(["sh", "-c", f"(sleep 60; touch {tmp_path}/lived) & echo $! > {tmp_path}/pid; sleep 60"])
    assert finish(process, 0.5) is None
    child = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 5
    while Path(f"/proc/{child}/status").exists() and "zombie" not in Path(f"/proc/{child}/status").read_text():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_quiet_one_reports_its_status_alone() -> None:
    assert quiet(["sh", "-c", "yes | head -c 5000000; exit 0"], 30) is True
    assert quiet(["sh", "-c", "exit 1"], 30) is False
    assert quiet(["sleep", "60"], 0.2) is False


def test_of_a_log_of_any_size_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 5_000_000 + b"\r\nPermission denied\r\n")
    assert (len(last_words(log)), last_words(log).endswith("x\nPermission denied\n")) == ((1 << 14) - 2, True)
    assert last_words(tmp_path / "none") == ""
