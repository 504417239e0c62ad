"""Builds many images: each in a process of its own, several in parallel; a failure does not stop the others."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

_LAST_LINES = 12
_MEMORY_OF_A_BUILD = 3 << 30
"""Bytes: pip with a wheel of some hundred MB, four compilers, the engine's own buffers."""

OnLine = Callable[[str, str], None]


@dataclass(frozen=True)
class Outcome:
    """The result of one image's build: exit status, seconds, its output and its last lines of progress or error."""

    name: str
    status: int
    seconds: float
    output: str
    last: str


def workers(processors: int, memory: int) -> int:
    """The number of parallel builds for this machine: one for every two processors, limited by memory (bytes)."""
    return max(1, min((processors + 1) // 2, memory // _MEMORY_OF_A_BUILD))


def this_machines_workers() -> int:
    """`workers` for the processors and the memory that this process may use."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    return workers(len(os.sched_getaffinity(0)), memory)


class Matrix:
    """Many builds. `commands` are argv lists by image name; each prints its result on standard output."""

    def __init__(self, commands: dict[str, Sequence[str]], at_once: int, on_line: OnLine) -> None:
        self._commands, self._at_once, self._on_line = commands, at_once, on_line
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._stopped = False

    @property
    def running(self) -> tuple[str, ...]:
        """The images being built now."""
        return tuple(self._running)

    def run(self) -> tuple[Outcome, ...]:
        """Run them all; on a Ctrl-C all are asked to exit and waited for, then the interrupt is raised."""
        with ThreadPoolExecutor(self._at_once) as pool:
            futures = [pool.submit(self._run_one, name) for name in self._commands]
            try:
                return tuple(future.result() for future in futures)
            except BaseException:
                self._stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list(self._running.values()):
                    process.send_signal(signal.SIGTERM)
                raise

    def _run_one(self, name: str) -> Outcome:
        start, last = time.monotonic(), deque[str](maxlen=_LAST_LINES)
        if self._stopped:
            return Outcome(name, 130, 0.0, "", "")
        process = subprocess.Popen(
            self._commands[name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._running[name] = process
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            last.append(line.rstrip())
            self._on_line(name, line.rstrip())
        output = process.stdout.read()
        status = process.wait()
        del self._running[name]
        return Outcome(name, status, time.monotonic() - start, output, "\n".join(last))
