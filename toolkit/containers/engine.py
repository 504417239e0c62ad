"""One host's container runtime, driven by its command lines over the host's shell; makes no decisions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from toolkit.errors import Code, ToolkitError
from toolkit.hosts.local import LocalShell
from toolkit.hosts.shell import Shell
from toolkit.process import Result
from toolkit.runtimes.registry import RUNTIMES
from toolkit.runtimes.specs import NOUNS, Argv, Noun

_TIMEOUT = 120
"""Seconds for a command that should be short: an engine that takes longer is unresponsive."""
_ROUNDS = 4
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Removed:
    """Things such as `volume NAME`: those that were removed, and for those that remain, the engine's message."""

    gone: tuple[str, ...]
    left: Mapping[str, str]


class Engine:
    """The container engine of the machine that `shell` is connected to.

    Attributes:
        runtime: its command lines; `name` is its name in `toolkit.runtimes.registry`. Default `docker`.
    """

    def __init__(self, shell: Shell, name: str = "docker") -> None:
        self.shell, self.runtime = shell, RUNTIMES[name]

    @property
    def host(self) -> str:
        """The host's name."""
        return self.shell.name

    def run(
        self, argv: Sequence[str], *, data: bytes | None = None, check: bool = True, timeout: float | None = _TIMEOUT
    ) -> Result:
        """Run `argv`, one of the runtime's; `data` is its input. Its first word may be `docker` for any runtime
        whose program has Docker's command line.

        Raises `ToolkitError` (S100) with the engine's message if `check` is set and it failed.
        """
        result = self.shell.run(self._own(argv), data=data, timeout=timeout)
        if check and not result.ok:
            raise self.failed(result)
        return result

    def feed(self, argv: Sequence[str], pieces: Iterable[bytes]) -> Result:
        """Run `argv` and write `pieces` to its input; raises as `run` does."""
        result = self.shell.feed(self._own(argv), pieces)
        if not result.ok:
            raise self.failed(result)
        return result

    def stream(self, argv: Sequence[str], on_line: Callable[[str], None]) -> int:
        """Run `argv`, passing each line of its output to `on_line`; returns the status."""
        return self.shell.stream(self._own(argv), on_line)

    def volumes_folder(self) -> str:
        """The host's folder with all of the engine's volumes."""
        return self.run(self.runtime.volumes_folder()).output.strip()

    def socket(self) -> str:
        """The engine's socket on its host; raises `ToolkitError` (S100) if it is not on that machine."""
        address = self.run(self.runtime.socket()).output.strip()
        path = address.removeprefix("unix://")
        if not path.startswith("/"):
            raise ToolkitError(
                Code.RESOURCES,
                f"the engine of {self.host} listens at {address}: a run's agent needs a socket of its own machine",
                hint="unset DOCKER_HOST, or reach that machine as a host of a cluster",
            )
        return path

    def failed(self, result: Result) -> ToolkitError:
        """The engine's message as an error that distinguishes a stopped engine from a refused command."""
        said = result.said
        failure = self.runtime.failure(result)
        if failure == "away":
            return engine_unreachable(said, self.host)
        what = f"`{' '.join(result.argv[:3])}` failed on {self.host}" + ("" if said else " (no output)")
        if failure == "container gone":
            what = f"a container of the tool on {self.host} is gone: it was killed, or the engine was stopped"
        reason = {"silent": "engine away", "container gone": "container gone"}.get(failure, "")
        return ToolkitError(Code.RESOURCES, what, evidence=said[-2000:], context={"host": self.host, "reason": reason})

    def status(self, container: str, *, timeout: float | None = _TIMEOUT) -> str:
        """`running`, `exited` and the like; empty if there is no such container.

        Raises `ToolkitError` (S100) if the engine does not respond within `timeout` seconds.
        """
        result = self.run(self.runtime.status_of(container), check=False, timeout=timeout)
        if result.ok:
            return result.output.strip()
        if self.runtime.is_absent(result.errors):
            return ""
        raise self.failed(result)

    def remove_run(self, run_id: str) -> list[str]:
        """Remove every container, network and volume with the run's label; returns what could not be removed, by name.

        It looks several times: after an interrupted client, the engine may still complete its request.
        """
        return list(self.remove_all(lambda noun: self.names(noun, run_id)).left)

    def remove_all(self, names: Callable[[Noun], Sequence[str]]) -> Removed:
        """Remove the containers, networks and volumes that `names` finds; returns what was removed and what remains."""
        gone: list[str] = []
        left: dict[str, str] = {}
        for _ in range(_ROUNDS):
            found = [(noun, name) for noun in NOUNS for name in names(noun)]
            results = {f"{noun} {name}": self.run(self.runtime.remove(noun, name), check=False) for noun, name in found}
            gone += [thing for thing, result in results.items() if result.ok]
            left = {thing: result.errors.strip() for thing, result in results.items() if not result.ok}
            if not found:
                break
            if left:
                time.sleep(_PAUSE_SECONDS)
        return Removed(tuple(gone), left)

    def remove(self, noun: Noun, name: str) -> bool:
        """Remove a container (killing it), volume or network (`noun`); returns whether it is gone."""
        return self.run(self.runtime.remove(noun, name), check=False).ok

    def names(self, noun: Noun, run_id: str, *, check: bool = False) -> list[str]:
        """The run's containers, volumes or networks (`noun`). If the engine does not respond: none, or with `check`
        a `ToolkitError` (S100)."""
        return self.run(self.runtime.list_of_run(noun, run_id), check=check).output.split()

    def _own(self, argv: Sequence[str]) -> Argv:
        return [self.runtime.program, *argv[1:]] if argv[0] == "docker" else list(argv)


LOCAL = Engine(LocalShell())
"""This machine's."""


def engine_unreachable(evidence: str, host: str = LOCAL.host) -> ToolkitError:
    """No engine responds on `host`: the one error for it, whoever encounters it."""
    return ToolkitError(
        Code.RESOURCES,
        f"no container engine answers on {host}",
        evidence=evidence[:500],
        hint="start it (sudo systemctl start docker; without an init system: sudo dockerd &), "
        "and be in the group `docker` or root",
        context={"host": host, "reason": "engine away"},
    )
