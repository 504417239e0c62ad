"""Who launches a run: that very process, and never one that has its number now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from toolkit.run.launch.launcher_process import interrupt, lives, this_process


def started(*argv: str) -> tuple[subprocess.Popen[bytes], tuple[int, int]]:
    """A process, and how it names itself."""
    program = "from toolkit.run.launch.launcher_process import this_process; print(*this_process(), flush=True); "
    process = subprocess.Popen(
        [sys.executable, "-c", program + " ".join(argv)], stdout=subprocess.PIPE, preexec_fn=heed_ctrl_c
    )
    assert process.stdout is not None
    number, at = process.stdout.readline().split()
    return process, (int(number), int(at))


def heed_ctrl_c() -> None:
    """A shell's background job ignores it, and ignoring is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_this_process_lives() -> None:
    assert this_process()[0] == os.getpid()
    assert lives(this_process())


def test_nobody_is_no_process() -> None:
    assert not lives(None)


def test_another_process_with_the_same_number_is_not_meant() -> None:
    number, at = this_process()
    assert not lives((number, at - 1))
    interrupt((number, at - 1))  # and no signal comes


def test_a_launcher_is_interrupted_as_by_ctrl_c_and_is_then_gone() -> None:
    process, launcher = started("import time; time.sleep(60)")
    assert lives(launcher)
    interrupt(launcher)
    assert process.wait(timeout=30) == -signal.SIGINT
    assert not lives(launcher)
    interrupt(launcher)


def test_one_that_has_ended_and_was_not_waited_for_is_gone() -> None:
    process, launcher = started("pass")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not lives(launcher)
    process.wait()
