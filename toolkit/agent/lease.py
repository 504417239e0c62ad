"""Removes a run's lease of this host from the time before its containers ran.

A running container of the run holds its lease by a label, so nothing has to be done for that. The volumes, which held
it before, are removed by the launch, unless it was killed (`toolkit.leases.host_script`).
"""

from __future__ import annotations

from toolkit.agent.docker_api import DockerApi, EngineRefused

LEASE_LABEL = "toolkit.lease"
_PREFIX = "toolkit-lease."
_RUN = 4
"""The key of a lease's record that names its run."""


def give_back_lease(engine: DockerApi, run: str) -> None:
    """Remove the volumes with a lease of `run` here; if the engine does not answer, they expire."""
    try:
        for name, record in engine.labelled_volumes(LEASE_LABEL).items():
            if name.startswith(_PREFIX) and record.split()[_RUN : _RUN + 1] == [run]:
                engine.remove_volume(name)
    except EngineRefused:
        return
