"""A `toolkit` command in a shell of its own, each of its lines with the time at which it came."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from ..real.bench import Bench

_POLL_SECONDS = 0.02
_STATES = ("PENDING", "DOWNLOADING", "PROCESSING", "STORING")


class Shell:
    """One command, begun and read by a thread; `said` is what it has printed up to now."""

    def __init__(self, bench: Bench, *words: object) -> None:
        self._lines: list[tuple[float, str]] = []
        self.process = bench.start(*words)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """All of it."""
        return "".join(line for _, line in self._lines)

    @property
    def run(self) -> str:
        """The run's id, as the plan on the screen has it."""
        match = re.search(r"training-[a-z0-9]+", self.said)
        assert match, self.said
        return match[0]

    def until(self, words: str, timeout: float = 180) -> float:
        """Wait for a line with `words`; when it came, by the monotonic clock."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for at, line in self._lines:
                # Folders are named after states, too.
                if line.startswith(words) if words in _STATES else words in line:
                    return at
            if self.process.poll() is not None and not self._reader.is_alive():
                break
            time.sleep(_POLL_SECONDS)
        raise AssertionError(f"{words!r} never came:\n{self.said}")

    def when(self, pattern: str, since: float) -> float:
        """Seconds from `since` to the first line that `pattern` finds, of those that came later."""
        for at, line in self._lines:
            if at >= since and re.search(pattern, line):
                return at - since
        raise AssertionError(f"no line after the fault has {pattern!r}:\n{self.said}")

    def end(self, timeout: float = 240) -> int:
        """Wait for its end; its status."""
        status = self.process.wait(timeout)
        self._reader.join(10)
        return status

    def kill(self) -> None:
        """As no one can heed: with -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append((time.monotonic(), line))


def docker(*words: str, check: bool = True) -> str:
    """This machine's engine."""
    done = subprocess.run(["docker", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0 or not check, f"{words}\n{done.stderr}"
    return done.stdout.strip()


def processes_of(run: str) -> list[str]:
    """Command lines on this machine that name the run."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if run in words and int(file.parent.name) != os.getpid():
            found.append(words)
    return found


def record_of(bench: Bench, run: str) -> dict[str, Any]:
    """The run as `toolkit show` tells it in another shell."""
    import json

    record: dict[str, Any] = json.loads(bench.ok("show", run, "--json").stdout)
    return record


def wait_for_end(bench: Bench, run: str, timeout: float = 180) -> dict[str, Any]:
    """Ask `toolkit show` now and then until the run has ended."""
    deadline = time.monotonic() + timeout
    while (record := record_of(bench, run))["state"] not in ("COMPLETED", "FAILED", "HALTED"):
        assert time.monotonic() < deadline, record
        time.sleep(1)
    return record
