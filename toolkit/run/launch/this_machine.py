"""Looking at this machine for a run on it: its cores, its engine, what other runs are bound to. Decides nothing."""

from __future__ import annotations

import errno
import platform
import socket
import time
from types import TracebackType
from typing import Self

from toolkit.containers import docker_commands
from toolkit.containers.engine import LOCAL, Engine
from toolkit.doctor.topics.cores import cores_of
from toolkit.doctor.topics.engine import engine_facts
from toolkit.doctor.topics.machine import CORES
from toolkit.run.plan.binding import Machine, machine_of

_NAME = "\0toolkit-launch-cpus"
"""In Linux's abstract namespace: no file, whoever is killed leaves nothing, and all users share it."""
_PATIENCE_SECONDS = 15.0
_PAUSE_SECONDS = 0.05


class Turn:
    """One launch at a time looks for free CPUs here, until its run has a container that says which it took.

    Who waits for 15 s goes on without: then two runs may get the same CPUs, which is no reason not to begin.
    """

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def look(self, engine: Engine = LOCAL) -> Machine:
        """This machine, once it is our turn. Raises `ToolkitError` (S100) where no engine answers."""
        self._wait()
        said = engine.run(docker_commands.describe_engine()).output.splitlines()
        used = engine.run(docker_commands.cpus_in_use()).output
        return machine_of(look_at_cores(engine).cores, engine_facts(said), platform.release(), used)

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                self._socket.bind(_NAME)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    return
            time.sleep(_PAUSE_SECONDS)

    def end(self) -> None:
        """Let the next one look."""
        self._socket.close()


def look_at_cores(engine: Engine = LOCAL) -> Machine:
    """Its cores alone: no engine is asked."""
    return Machine(cores_of(engine.shell.run(["sh", "-c", CORES]).output))
