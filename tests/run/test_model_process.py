"""A model behind pipes: what its program may send, how long it may take, and how it ends."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from toolkit.errors import ToolkitError
from toolkit.run.serving.model_process import ModelProcess

READY = """
import os, struct, sys, time
def send(number, head, body):
    sys.stdout.buffer.write(struct.pack(">III", number, len(head), len(body)) + head + body)
    sys.stdout.buffer.flush()
def receive():
    data = sys.stdin.buffer.read(12)
    if not data:
        sys.exit()
    number, head, body = struct.unpack(">III", data)
    return number, sys.stdin.buffer.read(head), sys.stdin.buffer.read(body)
send(0, b"ready", b'{"serving_default": {"inputs": {"x": {"dtype": "float32", "shape": [-1]}}}}')
"""
ECHO = READY + "while True:\n    number, head, body = receive()\n    send(number, b'200', head + b'|' + body)\n"


@contextmanager
def running(program: str, seconds: float = 10) -> Iterator[ModelProcess]:
    process = ModelProcess([sys.executable, "-c", program], seconds)
    try:
        yield process
    finally:
        process.close()
        assert not process.runs()


def test_a_model_tells_its_signatures_and_answers() -> None:
    with running(ECHO) as process:
        assert [str(one) for one in process.signatures()["serving_default"].inputs.values()] == ["float32 [n]"]
        assert process.ask("POST", "/v1/models/m:predict", b"{}").body == b"POST /v1/models/m:predict|{}"
        assert process.ask("GET", "/x", b"").status == 200


def test_answers_reach_whoever_asked_in_any_order() -> None:
    program = (
        READY + "asked = [receive() for _ in range(4)]\nfor one in asked[::-1]:\n    send(one[0], b'200', one[2])\n"
    )
    with running(program) as process:
        found: dict[int, bytes] = {}

        def ask(number: int) -> None:
            found[number] = process.ask("POST", "/", b"%d" % number).body

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {number: b"%d" % number for number in range(4)}


def test_a_model_that_cannot_be_loaded_is_an_error_with_its_last_lines() -> None:
    with pytest.raises(ToolkitError, match=r"could not be loaded \(status 3\)") as caught:
        ModelProcess(
            [sys.executable, "-c", "import sys\nprint('no variables', file=sys.stderr)\nsys.exit(3)"], 5
        ).signatures()
    assert (caught.value.code.label, caught.value.evidence) == ("C202", "no variables")


@pytest.mark.parametrize(
    "first",
    [
        "send(0, b'ready', b'[')",
        "send(0, b'ready', b'{\"a\": 3}')",
        "send(0, b'200', b'[[[[' * 100000)",
        "send(1, b'200', b'')",
        "print('\\0\\0\\0\\0\\0\\0\\0\\5\\x7f\\x7f\\x7f\\x7fready', flush=True); time.sleep(60)",
        "print('hello, this is no frame', flush=True); time.sleep(60)",
    ],
)
def test_a_first_frame_that_is_none_is_not_believed(first: str) -> None:
    program = READY.rpartition("send(0")[0] + first
    start = time.monotonic()
    with pytest.raises(ToolkitError, match="could not be loaded"):
        ModelProcess([sys.executable, "-c", program], 5).signatures()
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    "answer", ["send(9, b'200', b'')", "send(1, b'302', b'')", "send(1, b'x', b'')", "sys.exit(4)"]
)
def test_a_program_that_answers_wrongly_or_ends_answers_no_more(answer: str) -> None:
    with running(READY + f"receive()\n{answer}\ntime.sleep(60)\n") as process:
        process.signatures()
        for _ in range(3):
            assert process.ask("GET", "/", b"").status == 500
        assert "ended (status " in process.failure().what


def test_a_request_may_take_so_long_and_keeps_its_place_until_it_is_answered() -> None:
    program = READY + "asked = [receive() for _ in range(4)]\ntime.sleep(3)\nsend(asked[0][0], b'200', b'late')\n"
    program += "while True:\n    send(receive()[0], b'200', b'fine')\n"
    with running(program, seconds=0.5) as process:
        process.signatures()
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(process.ask("GET", "/", b"").status)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [504] * 4
        busy = process.ask("GET", "/", b"")
        assert (busy.status, list(json.loads(busy.body))) == (503, ["error"])
        while (answer := process.ask("GET", "/", b"")).status in (503, 504):  # 504: this machine is busy
            time.sleep(0.05)
        assert answer.body == b"fine"  # one of the four places is free


def test_a_program_that_does_not_read_is_ended() -> None:
    with running(READY + "time.sleep(600)\n", seconds=0.5) as process:
        process.signatures()
        stuck = threading.Thread(target=process.ask, args=("POST", "/", b"x" * 1_000_000), daemon=True)
        stuck.start()
        stuck.join(1)
        assert stuck.is_alive()
    stuck.join(10)
    assert not stuck.is_alive()
