"""Carrying out a docker command line on this machine; decides nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from toolkit.engines import docker_argv
from toolkit.errors import Code, ToolkitError
from toolkit.process import Result, run

_UNREACHABLE = ("Cannot connect to the Docker daemon", "permission denied while trying to connect", "no such command")

_ROUNDS = 4
_PAUSE_SECONDS = 0.5


def docker(
    argv: Sequence[str], *, data: bytes | None = None, check: bool = True, timeout: float | None = 120
) -> Result:
    """Run `argv`; raises `ToolkitError` (S100) with what docker said where `check` is set and it failed."""
    result = run(argv, data=data, check=False, timeout=timeout)
    if check and not result.ok:
        raise docker_failed(result)
    return result


def engine_unreachable(evidence: str) -> ToolkitError:
    """No engine answers: the one error for it, whoever meets it."""
    return ToolkitError(
        Code.RESOURCES,
        "no container engine answers on this machine",
        evidence=evidence[:500],
        mend="start it (sudo systemctl start docker; without an init system: sudo dockerd &), "
        "and be in the group `docker` or root",
    )


def docker_failed(result: Result) -> ToolkitError:
    """What docker said, as an error that tells a stopped engine from a refused command."""
    said = (result.errors or result.output).strip()
    if any(words in said for words in _UNREACHABLE):
        return engine_unreachable(said)
    return ToolkitError(Code.RESOURCES, f"`{' '.join(result.argv[:3])}` failed", evidence=said[-2000:])


def remove_run(run_id: str, *, keep_volume: bool = False) -> list[str]:
    """Remove every container, network and volume with the run's label; what could not be removed, by name.

    It looks more than once: a client that was interrupted may leave the engine finishing what it asked for.
    """
    removals = {"container": docker_argv.remove_container, "network": docker_argv.remove_network}
    if not keep_volume:
        removals["volume"] = docker_argv.remove_volume
    left: list[str] = []
    for _ in range(_ROUNDS):
        found = [(noun, name) for noun in removals for name in _names(noun, run_id)]
        if not found:
            return []
        left = [f"{noun} {name}" for noun, name in found if not docker(removals[noun](name), check=False).ok]
        if left:
            time.sleep(_PAUSE_SECONDS)
    return left


def _names(noun: str, run_id: str) -> list[str]:
    return docker(docker_argv.list_of_run(noun, run_id), check=False).output.split()
