"""A model in the image that trained it, behind pipes: a program there answers requests for it.

Code and weights come from a bucket. So the program has no network, no capability and nothing to write to, and what it
sends is bounded and believed to be an answer at most. The time that a request may take is kept here.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections import deque
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from toolkit import process
from toolkit.errors import Code, ToolkitError
from toolkit.run.in_container.serving.answers import error
from toolkit.run.in_container.serving.frames import (
    AT_ONCE,
    MOST_ANSWER,
    READY,
    Frame,
    frame_bytes,
    read_frame,
)
from toolkit.run.serving.signatures import Signatures, read_signatures
from toolkit.runtimes.specs import Argv

_LAST_LINES, _LONGEST_LINE = 20, 2000
_END_SECONDS = 5
_ENDED = 500, "the model's process has ended"


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the body, which is JSON if the program is honest."""

    status: int
    body: bytes


class ModelProcess:
    """The program that `argv` starts. `seconds` limit each request, waiting for its turn included."""

    def __init__(self, argv: Argv, seconds: float) -> None:
        self._seconds = seconds
        self._process = process.start(argv)
        self._ready: Future[Answer] = Future()
        self._waiting: dict[int, Future[Answer]] = {0: self._ready}
        self._last, self._over = 0, False
        self._lock, self._writing, self._turn = threading.Lock(), threading.Lock(), threading.Semaphore(AT_ONCE)
        self._said: deque[str] = deque(maxlen=_LAST_LINES)
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._read, self._listen)]
        for thread in self._threads:
            thread.start()

    def signatures(self) -> Signatures:
        """The model's signatures, once it is loaded. Raises `ToolkitError` (C202) with what the program said."""
        while not self._ready.done() and self.runs():
            with suppress(Late):
                self._ready.result(0.2)  # an interrupt is heeded in between
        with suppress(ValueError):
            if self._ready.done() and self._ready.result().status == 200:
                return read_signatures(self._ready.result().body)
        self.close()
        raise ToolkitError(
            Code.MODEL_CHECK,
            f"the model could not be loaded (status {self._process.returncode})",
            evidence="\n".join(self._said),
        )

    def ask(self, method: str, path: str, body: bytes) -> Answer:
        """The program's answer, or one that says why there is none."""
        until = time.monotonic() + self._seconds
        if not self._turn.acquire(timeout=self._seconds):
            return _answer(503, f"no answer: {AT_ONCE} requests are being computed")
        with self._lock:  # a turn ends with the answer, also where nobody waits for that any more
            if self._over:
                return _answer(*_ENDED)
            self._last += 1
            number, future = self._last, Future[Answer]()
            self._waiting[number] = future
        try:
            self._write(frame_bytes(Frame(number, f"{method} {path}", body)))
            return future.result(max(0.0, until - time.monotonic()))
        except Late:
            return _answer(504, f"no answer within {self._seconds:g} s")
        except (OSError, ValueError):
            return _answer(*_ENDED)

    def runs(self) -> bool:
        """Whether the program has not ended."""
        return self._process.poll() is None

    def failure(self) -> ToolkitError:
        """Why it ended by itself."""
        status = self._process.wait()
        killed = status == 137
        return ToolkitError(
            Code.MODEL_CHECK,
            f"the model's process ended (status {status})",
            evidence="\n".join(self._said),
            hint="it was killed: most likely a request or its answer needed more memory than there is"
            if killed
            else "",
        )

    def close(self) -> None:
        """End the program, and what waits for it."""
        if self._writing.acquire(timeout=1):  # else the program does not read what is being written
            with suppress(OSError):
                self._stdin.close()
            self._writing.release()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
        if self.runs():
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(_END_SECONDS)

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _write(self, data: bytes) -> None:
        with self._writing:
            self._stdin.write(data)
            self._stdin.flush()

    def _read(self) -> None:
        """Give each answer to whoever waits for it, until there are no more."""
        assert self._process.stdout is not None
        try:
            while True:
                frame = read_frame(self._process.stdout, MOST_ANSWER)
                answer = Answer(_status(frame), frame.body)
                with self._lock:
                    future = self._waiting.pop(frame.number, None)
                if future is None:
                    raise ValueError("an answer to no question")
                future.set_result(answer)
                if frame.number:
                    self._turn.release()
        except (EOFError, OSError, ValueError):
            self._process.kill()  # what it sends next could be anything
            with self._lock:
                self._over, left = True, list(self._waiting.values())
            for future in left:
                future.set_result(_answer(*_ENDED))
                self._turn.release()

    def _listen(self) -> None:
        """Keep the last lines that the program wrote to standard error."""
        assert self._process.stderr is not None
        while line := self._process.stderr.readline(_LONGEST_LINE):
            self._said.append(line.decode("utf-8", "replace").rstrip())


def _status(frame: Frame) -> int:
    """The status of an answer: 200, or an error's. Raises `ValueError`."""
    if frame.head == READY and frame.number == 0:
        return 200
    status = int(frame.head)
    if status != 200 and not 400 <= status <= 599:
        raise ValueError("no status")
    return status


def _answer(status: int, message: str) -> Answer:
    return Answer(status, error(message).encode())
