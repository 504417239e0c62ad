"""A run's agent on a host, as a launch starts it: with the engine's socket, the run's volume and lease, and no keys."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from toolkit.agent.container_names import own_container
from toolkit.agent.paths import ENGINE, HOST
from toolkit.containers.engine import Engine
from toolkit.process import Result
from toolkit.runtimes.runtime import ContainerRuntime
from toolkit.runtimes.specs import AgentContainerSpec, Argv, Bind
from toolkit.storage.sidecar import AGENT_PROGRAM
from toolkit.tar.write import Entry, tar_stream


def agent_argv(
    runtime: ContainerRuntime,
    run: str,
    image: str,
    volume: str,
    volumes: str,
    socket: str,
    lease: str = "",
    cpus: str = "",
    *,
    rescue: bool = False,
) -> Argv:
    """The command line that starts a run's agent on a host.

    Args:
        volume: the run's volume, which the agent creates.
        volumes, socket: where the host's engine keeps its volumes, and where it listens.
        lease: the label that records the run's lease on the host; empty if there is none. The lease is held as long as
            a container with it runs, so it need not be released.
        cpus: those that the run's ranks on this host are bound to; empty if they are not bound.
        rescue: the volume holds results that are in no bucket; without a start signal it stays.
    """
    folder = Bind(folder_of(volumes, volume), HOST)
    command = (*AGENT_PROGRAM, "rescue" if rescue else "keep", run, volume)
    binds = [Bind(socket, ENGINE)]
    return runtime.start_agent(AgentContainerSpec(own_container(run), run, image, folder, binds, command, cpus, lease))


def folder_of(volumes: str, volume: str) -> str:
    """The folder of a volume on its host, below the engine's folder of all volumes."""
    return f"{volumes}/{volume}/_data"


class AgentContainer:
    """The agent of `run` on the host of `engine`, with the run's `volume`."""

    def __init__(self, engine: Engine, run: str, image: str, volume: str) -> None:
        self._engine, self._run, self._image, self._volume = engine, run, image, volume

    def start(self, lease: str = "", cpus: str = "", *, rescue: bool = False) -> str:
        """Start it; returns the volume's folder on the host. It creates the volume itself, so that whatever a run has
        is removed by its agent. The parameters are those of `agent_argv`."""
        with ThreadPoolExecutor(2) as pool:
            volumes, socket = pool.map(lambda ask: ask(), (self._engine.volumes_folder, self._engine.socket))
        runtime = self._engine.runtime
        if not runtime.makes_bound_folders:
            self._engine.run(runtime.create_volume(self._volume, self._run))
        names = (self._run, self._image, self._volume)
        self._engine.run(agent_argv(runtime, *names, volumes, socket, lease, cpus, rescue=rescue))
        return folder_of(volumes, self._volume)

    def say(self, *words: str, data: bytes | None = None) -> Result:
        """Run one of the agent's commands in its container."""
        return self._engine.run(self._execute(*words, stdin=data is not None), data=data, timeout=60)

    def make_folders(self) -> None:
        """Create those of its folders that others bind, as it does itself: it may still be starting."""
        self.put(())

    def put(self, entries: Iterable[Entry]) -> None:
        """Unpack files into the volume, with their modes and owners."""
        self._engine.feed(self._execute("unpack", stdin=True), tar_stream(entries))

    def _execute(self, *words: str, stdin: bool) -> Argv:
        return self._engine.runtime.execute(own_container(self._run), (*AGENT_PROGRAM, *words), stdin=stdin)
