"""The GPUs of this host's learners, as nvidia-smi prints them in a learner's container, which has it and them.

One process per learner prints a line per GPU every few seconds: to start one each time would take a core's tenth of a
second. It runs as nobody, so that the program cannot stop or trace it; still, what it prints is not trusted.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from toolkit.agent.docker_api import DockerApi, EngineRefused

_FIELDS = ("uuid", "utilization.gpu", "memory.used", "power.draw", "temperature.gpu")
NAMES = (("utilisation", 1.0), ("memory", float(1 << 20)), ("power", 1.0), ("temperature", 1.0))
"""Of what follows the UUID in a line, with the factor to percent, bytes, watts and degrees Celsius."""
_NOBODY = "65534:65534"
_UUID = re.compile(r"(GPU|MIG)-[0-9a-f-]{1,60}")
_MOST_GPUS = 64
_LONGEST = 1 << 10
_SILENT_SECONDS = 60.0
_FRESH_SECONDS = 20.0
_TRIES, _AGAIN_SECONDS = 10, 30.0


def argv_every(seconds: int) -> list[str]:
    """nvidia-smi, at the only place where the container toolkit puts it: PATH is the program's."""
    query = f"--query-gpu={','.join(_FIELDS)}"
    return ["/usr/bin/nvidia-smi", query, "--format=csv,noheader,nounits", f"--loop={seconds}"]


class GpuReadings:
    """The last readings of the GPUs of `containers`, in their order; none where a learner has no GPU."""

    def __init__(self, containers: Sequence[str], engine: DockerApi, every: int) -> None:
        self._containers, self._engine, self._every = containers, engine, every
        self._last: dict[str, tuple[float, dict[str, float]]] = {}

    def start(self) -> None:
        """Begin to read, in a thread per learner that ends with the learner."""
        for container in self._containers:
            threading.Thread(target=self._read, args=(container,), name="gpus", daemon=True).start()

    def now(self) -> dict[str, float]:
        """`gpu0.memory` and so on; empty if nothing is known or all is old."""
        oldest = time.monotonic() - _FRESH_SECONDS
        fresh = [(number, values) for number, (at, values) in enumerate(list(self._last.values())) if at > oldest]
        return {f"gpu{number}.{name}": value for number, values in fresh for name, value in values.items()}

    def _read(self, container: str) -> None:
        """Read until the container has ended; if the engine is restarted, again."""
        for _ in range(_TRIES):
            with suppress(EngineRefused, LookupError, ValueError):
                if not self._engine.has_gpus(container):
                    return
                self._read_once(container)
            time.sleep(_AGAIN_SECONDS)

    def _read_once(self, container: str) -> None:
        rest = b""
        for piece in self._engine.execute(container, argv_every(self._every), _NOBODY, _SILENT_SECONDS):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self.take(line.decode("ascii", "replace"))
            rest = rest[:_LONGEST]

    def take(self, line: str) -> None:
        """Take one line; one that is no reading is ignored."""
        found = read_gpu(line)
        if found and (found[0] in self._last or len(self._last) < _MOST_GPUS):
            self._last[found[0]] = time.monotonic(), found[1]


def read_gpu(line: str) -> tuple[str, dict[str, float]] | None:
    """A line of nvidia-smi: the GPU's UUID, and the values that it has (`[N/A]` is left out); None if it is no such
    line."""
    uuid, *words = (word.strip() for word in line[:_LONGEST].split(","))
    if not _UUID.fullmatch(uuid) or len(words) != len(NAMES):
        return None
    values = {}
    for word, (name, factor) in zip(words, NAMES, strict=True):
        with suppress(ValueError):
            value = float(word) * factor
            if math.isfinite(value):
                values[name] = value
    return uuid, values
