"""Runs on this machine: a fault is done to one, and this is how it must end."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..real.bench import NOTHING, Bench, ours
from .page import Page, Row
from .program import WRITER, closed, stored
from .shell import Shell, processes_of, record_of

STOP = 5
"""Seconds, of the cluster file below."""
STORE = 15
CLUSTER = """
name: local
engine: local
gpu: none
deadlines: {{start: 60, stop: {stop}, store: {store}}}
"""


@dataclass(frozen=True)
class Expected:
    """How the run must end. `names` is found in its reason, and on the screen first in a line of `reported`."""

    number: str
    fault: str
    state: str
    end: str
    names: str
    reported: str = ""
    lost: bool = False


class LocalRun:
    """A run of two learners on this machine, launched in a shell of its own and watched there."""

    def __init__(
        self,
        bench: Bench,
        folder: Path,
        command: str = "python program.py 300 0.2 20000",
        program: str = WRITER,
        *,
        nodes: int = 2,
        results: Path | None = None,
        store: int = STORE,
    ) -> None:
        self.bench, self.folder = bench, folder
        self.manifest = bench.manifest(folder, command, program, nodes)
        self.cluster = folder.with_name(f"{folder.name}.cluster.yml")
        self.cluster.write_text(CLUSTER.format(stop=STOP, store=store))
        self._results = results
        self.at = 0.0

    def launch(self, *words: str) -> Shell:
        """Begin."""
        self.shell = Shell(self.bench, "launch", self.manifest, "--cluster", self.cluster, *words)
        return self.shell

    def until_files(self) -> None:
        """Wait until both ranks have closed some."""
        for rank in (0, 1):
            self.shell.until(f"part-{rank}-3")

    def fault(self) -> None:
        """Now something is done to it."""
        self.at = time.monotonic()

    def learner(self, number: int) -> str:
        """A learner's container."""
        return f"toolkit-{self.shell.run}-learner-{number}"

    @property
    def client(self) -> str:
        """The agent's container."""
        return f"toolkit-{self.shell.run}-agent"

    @property
    def results(self) -> Path:
        """The run's folder in its bucket."""
        return self._results / self.shell.run if self._results else self.bench.results(self.shell.run)

    def must_end(self, page: Page, expected: Expected, timeout: float = 240) -> dict[str, Any]:
        """It ends as expected, nothing is left of it, and every file that was closed is stored."""
        self.shell.end(timeout)
        record = record_of(self.bench, self.shell.run)
        said = f"{self.shell.said}\n{json.dumps(record, indent=1)}"
        assert (record["state"], record["end"]) == (expected.state, expected.end), said
        assert re.search(expected.names, record["reason"]), said
        assert "Traceback" not in self.shell.said, said
        reported = self.shell.when(expected.reported or expected.names, self.at)
        self.must_leave_nothing()
        over = time.monotonic() - self.at
        self.must_have_stored(self.shell.said)
        if expected.lost:
            page.lost(expected.fault, reported)
        page.add(Row(expected.number, expected.fault, f"{record['state']}, {record['end']}", reported, over))
        return record

    def must_leave_nothing(self, timeout: float = 60) -> None:
        """An embedded store ends some seconds after its run; everything else is gone then, too."""
        deadline = time.monotonic() + timeout
        while (left := self.left()) != {**NOTHING, "processes": []} and time.monotonic() < deadline:
            time.sleep(0.5)
        assert left == {**NOTHING, "processes": []}

    def left(self) -> dict[str, list[str]]:
        """What is there of the bench's runs now."""
        return {**ours(self.bench), "processes": processes_of(self.shell.run)}

    def must_have_stored(self, said: str) -> None:
        """Every file that the program says it has closed is in the bucket, as it was."""
        files = closed(said)
        assert stored(self.results, files) == files
