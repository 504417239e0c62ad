"""Looking at this machine for a run on it: its cores, its engine, what other runs are bound to. Decides nothing."""

from __future__ import annotations

import platform

from toolkit.doctor.parse_cores import cores_of
from toolkit.doctor.parse_engine import engine_facts
from toolkit.doctor.question import CORES
from toolkit.engines import docker_argv
from toolkit.engines.engine import LOCAL, Engine
from toolkit.run.binding import Machine, machine_of


def look(engine: Engine = LOCAL) -> Machine:
    """This machine as it is now. Raises `ToolkitError` (S100) where no engine answers."""
    said = engine.run(docker_argv.describe_engine()).output.splitlines()
    used = engine.run(docker_argv.cpus_in_use()).output
    return machine_of(look_at_cores().cores, engine_facts(said), platform.release(), used)


def look_at_cores(engine: Engine = LOCAL) -> Machine:
    """Its cores alone: no engine is asked."""
    return Machine(cores_of(engine.shell.run(["sh", "-c", CORES]).output))
