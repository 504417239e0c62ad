"""What groups share: a folder, a home of the toolkit's own in it, and timed commands."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.launched import own_home, run

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
    def variables(self) -> dict[str, str]:
        """For all commands, ours and the peers'."""
        return own_home(self.folder / "home")

    def run(self, argv: Sequence[object], **more: str) -> str:
        """A command's output; ends the benchmark with what it printed where it fails. `more` are variables."""
        return run(argv, **self.variables, **more)

    def timed(self, *argv: object, **more: str) -> Callable[[], float]:
        """A measurement: the seconds that the command takes."""

        def measure() -> float:
            start = time.perf_counter()
            self.run(argv, **more)
            return time.perf_counter() - start

        return measure


def until_line(argv: Sequence[object], line: str, variables: Mapping[str, str]) -> float:
    """Seconds until a command prints the line `line`; the command then runs to its end."""
    start = time.perf_counter()
    with subprocess.Popen(
        [str(word) for word in argv],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        seconds, printed = 0.0, []
        for text in process.stdout:
            printed.append(text)
            if text.rstrip() == line and not seconds:
                seconds = time.perf_counter() - start
    if process.returncode != 0 or not seconds:
        words = " ".join(map(str, argv))[:500]
        sys.exit(f"{words}: status {process.returncode}\n{''.join(printed)[-3000:]}")
    return seconds
