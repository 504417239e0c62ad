"""Giving back what a run has leased of this host while it got ready.

A running container of the run holds its lease by a label, so nothing need be done for that. The volumes, which held it
before, are its launch's to remove; one that was killed has not (`toolkit.leases.host_script`).
"""

from __future__ import annotations

from toolkit.agent.docker_api import DockerApi, EngineRefused

LEASE_LABEL = "toolkit.lease"
_PREFIX = "toolkit-lease."
_RUN = 4
"""The word of a record that names its run."""


def give_back_lease(engine: DockerApi, run: str) -> None:
    """Remove the volumes that hold a lease of `run` here; where the engine does not answer, they go by themselves."""
    try:
        for name, record in engine.labelled_volumes(LEASE_LABEL).items():
            if name.startswith(_PREFIX) and record.split()[_RUN : _RUN + 1] == [run]:
                engine.remove_volume(name)
    except EngineRefused:
        return
