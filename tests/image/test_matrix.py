"""Many builds at once: each a process, one failure stops no other."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from toolkit.image.matrix import Matrix, workers


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_one_that_fails_does_not_stop_the_others() -> None:
    reported: list[tuple[str, str]] = []
    commands = {
        "bad": python("import sys; print('first', file=sys.stderr); sys.exit('toolkit: error S103 no disk')"),
        "good": python("print('{}')"),
    }
    bad, good = Matrix(commands, 1, lambda name, line: reported.append((name, line))).run()
    assert (bad.name, bad.status, bad.last) == ("bad", 1, "first\ntoolkit: error S103 no disk")
    assert (good.name, good.status, good.output) == ("good", 0, "{}\n")
    assert reported == [("bad", "first"), ("bad", "toolkit: error S103 no disk")]


def test_an_interrupt_ends_every_build_and_begins_no_other() -> None:
    begun = threading.Event()

    def on_line(name: str, line: str) -> None:
        begun.set()

    wait = "import sys, time; print('begun', file=sys.stderr, flush=True); time.sleep(60)"
    matrix = Matrix({"one": python(wait), "two": python("raise SystemExit('was begun')")}, 1, on_line)

    def interrupt() -> None:
        begun.wait(20)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            matrix.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert matrix.running == ()


@pytest.mark.parametrize(
    ("processors", "gigabytes", "at_once"), [(1, 64, 1), (2, 64, 1), (4, 64, 2), (16, 64, 8), (16, 7, 2), (16, 1, 1)]
)
def test_a_machine_bears_what_processors_and_memory_allow(processors: int, gigabytes: int, at_once: int) -> None:
    assert workers(processors, gigabytes << 30) == at_once
