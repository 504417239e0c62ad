"""What groups share: a folder, a home of the toolkit's own in it, and timed commands."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PEERS", "peers")) / "bin"
"""The virtual environment that requirements/peers.txt describes; `tox -e bench` makes it."""
TOOLKIT = str(Path(sys.executable).parent / "toolkit")


@dataclass(frozen=True)
class Workspace:
    """A folder of one group; `home` is the toolkit's there, so that what a person has is not touched."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """Of all commands, ours and the peers'."""
        cache = os.environ.get("TOOLKIT_CACHE") or str(Path.home() / ".toolkit" / "cache")
        return {**os.environ, "TOOLKIT_HOME": str(self.folder / "home"), "TOOLKIT_CACHE": cache}

    def run(self, argv: Sequence[object], *, cwd: Path | None = None, data: str | None = None) -> str:
        """A command's output; ends the benchmark with what it printed where it fails."""
        done = subprocess.run(
            [str(word) for word in argv],
            env=self.environment,
            cwd=cwd,
            input=data,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            sys.exit(_failure(argv, done.returncode, done.stdout[-2000:] + done.stderr[-2000:]))
        return done.stdout

    def timed(self, *argv: object) -> Callable[[], float]:
        """A measurement: the seconds that the command takes."""

        def measure() -> float:
            start = time.perf_counter()
            self.run(argv)
            return time.perf_counter() - start

        return measure


def until_line(argv: Sequence[object], line: str, environment: Mapping[str, str]) -> float:
    """Seconds until a line that has `line` in it comes from a command, which then runs to its end."""
    start = time.perf_counter()
    with subprocess.Popen(
        [str(word) for word in argv], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        seconds, heard = 0.0, []
        for text in process.stdout:
            heard.append(text)
            if line in text and not seconds:
                seconds = time.perf_counter() - start
    if process.returncode != 0 or not seconds:
        sys.exit(_failure(argv, process.returncode, "".join(heard)[-3000:]))
    return seconds


def _failure(argv: Sequence[object], status: int, printed: str) -> str:
    return f"{' '.join(map(str, argv))[:500]}: status {status}\n{printed}"
