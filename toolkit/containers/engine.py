"""One host's container engine, driven by its own command line over the host's shell; decides nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from toolkit.containers import docker_commands
from toolkit.containers.docker_commands import Argv
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.local import LocalShell
from toolkit.hosts.shell import Shell
from toolkit.process import Result

_UNREACHABLE = (
    *("Cannot connect to the Docker daemon", "permission denied while trying to connect", "no such command"),
    *("error during connect", "unknown server OS: ."),  # what a client says whose engine is just being stopped
)
_CONTAINER_GONE = ("No such container", "is not running")
_TIMEOUT = 120
"""Seconds for a command that is short by its nature: an engine that takes longer does not answer."""
_REMOVALS = {
    "container": docker_commands.remove_container,
    "network": docker_commands.remove_network,
    "volume": docker_commands.remove_volume,
}
_ROUNDS = 4
_PAUSE_SECONDS = 0.5


class Engine:
    """The engine of the machine that `shell` leads to. `program` is its command: `docker`, or podman, which takes the
    same words."""

    def __init__(self, shell: Shell, program: str = "docker") -> None:
        self.shell, self._program = shell, program

    @property
    def host(self) -> str:
        """The host's name."""
        return self.shell.name

    def run(
        self, argv: Sequence[str], *, data: bytes | None = None, check: bool = True, timeout: float | None = _TIMEOUT
    ) -> Result:
        """Run `argv`, which begins with `docker`; `data` is what it reads.

        Raises `ToolkitError` (S100) with the engine's own words where `check` is set and it failed.
        """
        result = self.shell.run(self._own(argv), data=data, timeout=timeout)
        if check and not result.ok:
            raise self.failed(result)
        return result

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        """Run `argv` and write `pieces` to it; raises as `run` does."""
        result = self.shell.feed(self._own(argv), pieces)
        if not result.ok:
            raise self.failed(result)
        return result

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        """Run `argv`, each line of its output to `on_line`; the status."""
        return self.shell.stream(self._own(argv), on_line)

    @property
    def makes_bound_folders(self) -> bool:
        """Whether `--volume` makes a folder of the host that is not there. Docker does; podman refuses it."""
        return self._program != "podman"

    def volumes_folder(self) -> str:
        """The host's folder below which the engine keeps all volumes."""
        return self.run(docker_commands.volumes_folder(self._program)).output.strip()

    def socket(self) -> str:
        """The engine's socket on its host; raises `ToolkitError` (S100) where it is none of that machine."""
        address = self.run(docker_commands.engine_socket(self._program)).output.strip()
        path = address.removeprefix("unix://")
        if not path.startswith("/"):
            raise ToolkitError(
                Code.RESOURCES,
                f"the engine of {self.host} listens at {address}: a run's agent needs a socket of its own machine",
                hint="unset DOCKER_HOST, or reach that machine as a host of a cluster",
            )
        return path

    def failed(self, result: Result) -> ToolkitError:
        """What the engine said, as an error that tells a stopped engine from a refused command."""
        said = (result.errors or result.output).strip()
        if any(words in said for words in _UNREACHABLE):
            return engine_unreachable(said, self.host)
        what = f"`{' '.join(result.argv[:3])}` failed on {self.host}" + ("" if said else ", without a word")
        # An engine that is being stopped leaves its client without one; a container that others killed is no more.
        gone = any(words in said for words in _CONTAINER_GONE)
        reason = "engine away" if not said else "container gone" if gone else ""
        return ToolkitError(Code.RESOURCES, what, evidence=said[-2000:], context={"host": self.host, "reason": reason})

    def remove_run(self, run_id: str) -> list[str]:
        """Remove every container, network and volume with the run's label; what could not be removed, by name.

        It looks more than once: a client that was interrupted may leave the engine finishing what it asked for.
        """
        left: list[str] = []
        for _ in range(_ROUNDS):
            found = [(noun, name) for noun in _REMOVALS for name in self.names(noun, run_id)]
            if not found:
                return []
            left = [f"{noun} {name}" for noun, name in found if not self.remove(noun, name)]
            if left:
                time.sleep(_PAUSE_SECONDS)
        return left

    def remove(self, noun: str, name: str) -> bool:
        """Remove a container (killing it), volume or network (`noun`); whether it is gone."""
        return self.run(_REMOVALS[noun](name), check=False).ok

    def names(self, noun: str, run_id: str) -> list[str]:
        """The run's containers, volumes or networks (`noun`); none where the engine does not answer."""
        return self.run(docker_commands.list_of_run(noun, run_id), check=False).output.split()

    def _own(self, argv: Sequence[str]) -> Argv:
        return [self._program, *argv[1:]]


LOCAL = Engine(LocalShell())
"""This machine's."""


def engine_unreachable(evidence: str, host: str = LOCAL.host) -> ToolkitError:
    """No engine answers on `host`: the one error for it, whoever meets it."""
    return ToolkitError(
        Code.RESOURCES,
        f"no container engine answers on {host}",
        evidence=evidence[:500],
        hint="start it (sudo systemctl start docker; without an init system: sudo dockerd &), "
        "and be in the group `docker` or root",
        context={"host": host, "reason": "engine away"},
    )
