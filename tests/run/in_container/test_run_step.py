"""One step by itself: its lines, its folder, its variables."""

from __future__ import annotations

import sys
from pathlib import Path

from .supervising import run_step, say


def test_tagged_output_goes_to_each_learners_own_log(tmp_path: Path) -> None:
    tagged = "[1,0]<stdout>:zero\n[1,1]<stderr>:one\nmpirun: noticed\n"
    assert run_step(tmp_path, say(tagged), parallel=True) == (b"[0] zero\n[mpirun] mpirun: noticed\n", b"[1] one\n")


def test_a_very_long_line_and_bytes_that_are_no_text_arrive_whole(tmp_path: Path) -> None:
    program = r"import sys; sys.stdout.buffer.write(b'\xff' * 3_000_000 + b'\r\nlast')"
    first, _ = run_step(tmp_path, [sys.executable, "-c", program])
    assert first == b"[0] " + b"\xff" * 3_000_000 + b"\n[0] last\n"


def test_a_progress_bar_that_never_ends_its_line_is_its_last_state(tmp_path: Path) -> None:
    program = r"for n in range(100_000): print(f'\r{n} of 100000', end='')"
    assert run_step(tmp_path, [sys.executable, "-c", program])[0] == b"[0] 99999 of 100000\n"


def test_long_bars_of_two_ranks_take_no_word_from_each_other(tmp_path: Path) -> None:
    program = (
        "import sys; out = sys.stdout.write; out('[1,1]<stdout>:begun, ')\n"
        r"for n in range(10_000): out(f'[1,0]<stdout>:\b\b\b\r{n} of 10000')" + "\n"
        r"out('[1,1]<stdout>:ended[1,0]<stdout>:\n')"
    )
    assert run_step(tmp_path, [sys.executable, "-c", program], parallel=True) == (
        b"[0] 9999 of 10000\n",
        b"[1] begun, ended\n",
    )


def test_a_command_reads_nothing_from_the_terminal(tmp_path: Path) -> None:
    assert run_step(tmp_path, [sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"])[0] == b"[0] ''\n"


def test_errors_and_output_are_one_log_in_their_order(tmp_path: Path) -> None:
    program = "import os; os.write(1, b'a\\n'); os.write(2, b'b\\n'); os.write(1, b'c\\n')"
    assert run_step(tmp_path, [sys.executable, "-c", program])[0] == b"[0] a\n[0] b\n[0] c\n"


def test_a_step_has_its_folder_and_its_variables(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import os; print(os.getcwd(), os.environ['OWN'])"]
    first, _ = run_step(tmp_path, argv, more={"folder": str(tmp_path), "environment": {"OWN": "a b"}})
    assert first.decode() == f"[0] {tmp_path} a b\n"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    first, _ = run_step(tmp_path, ["true"], expect=127, more={"folder": str(tmp_path / "none")})
    assert b"none: No such file" in first
