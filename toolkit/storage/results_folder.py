"""Results in a folder of the hosts, or in an NFS server's export: served to the run as a bucket.

Each host serves the folder to itself, on its loopback. So a run stores, compares and reports as with any bucket, and a
learner never has the folder itself. The server runs as the folder's owner without capabilities: what it writes belongs
to the owner, also if an NFS server squashes root (root_squash).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from toolkit.agent.container_names import results_container
from toolkit.agent.paths import BEAT
from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.model import BucketReference, NfsReference, ResultsReference
from toolkit.manifest.results import ServedFolder, bucket_name
from toolkit.process import Result
from toolkit.runtimes.runtime import ContainerRuntime
from toolkit.runtimes.specs import Argv, Bind, NamedVolume
from toolkit.shell_files import shell_program
from toolkit.storage.client import Access
from toolkit.storage.store_server import (
    BUCKETS_FOLDER,
    TOUCHED,
    StoreServer,
    new_keys,
    store_argv,
    store_container,
    with_heartbeat,
)

_AGENT = "/run/agent"
_HEARTBEAT = f"{_AGENT}/{Path(BEAT).name}"
_MARK = shell_program("toolkit.storage", "mark.sh")
_REMOVE_MARK = shell_program("toolkit.storage", "remove_mark.sh")
_MARKS = ".toolkit-hosts"
"""A temporary marker in the folder, to test whether all hosts see the same one."""


def folder_mount(reference: ServedFolder, volume: str) -> Bind | NamedVolume:
    """The folder in its server's container; `volume` is used for an export."""
    target = f"{BUCKETS_FOLDER}/{bucket_name(reference)}"
    if isinstance(reference, NfsReference):
        return NamedVolume(volume, target, read_only=False)
    return Bind(reference.path, target)


def agent_mount(volume: str) -> Bind:
    """The heartbeat of a run's agent, for its server; `volume` is the folder of the run's volume."""
    return Bind(f"{volume}/agent", _AGENT, read_only=True)


def planned_commands(
    runtime: ContainerRuntime, reference: ServedFolder, run: str, image: str, volume: str
) -> list[Argv]:
    """The command lines of `start_for_run`: OWNER is the folder's, SCRIPT the server's."""
    name = results_container(run)
    folder = folder_mount(reference, _export_volume(name))
    mounts = [folder, agent_mount(volume)]
    return [
        *_export_commands(runtime, reference, name, run),
        runtime.owner_of_folder(folder, run, image),
        store_argv(runtime, name, run, image, mounts, "OWNER", watched=_HEARTBEAT, script="SCRIPT"),
    ]


def _export_volume(name: str) -> str:
    """The volume of the server `name` for an export."""
    return f"{name}-export"


def _export_commands(runtime: ContainerRuntime, reference: ServedFolder, name: str, run: str) -> list[Argv]:
    """What makes that volume; nothing for a folder."""
    if not isinstance(reference, NfsReference):
        return []
    export = (reference.server, reference.path)
    return [runtime.create_export_volume(_export_volume(name), run, *export, read_only=False)]


class FolderServer:
    """Serves `reference` on the host of `engine`, by a container `name` with the label of `run`."""

    def __init__(self, engine: Engine, reference: ServedFolder, name: str, run: str, image: str) -> None:
        self._engine, self._reference, self._run, self._image = engine, reference, run, image
        self._volume = _export_volume(name)
        self.server = StoreServer(engine, name, run, image)

    def start(self, watched: str = TOUCHED, mounts: Sequence[Bind] = ()) -> Access:
        """Start it, as the folder's owner; returns how it is reached on its host. `watched` and `mounts` as in
        `StoreServer.start`.

        Raises `ToolkitError` (S303) if the host has no such folder, its owner may not write there, or an export cannot
        be mounted.
        """
        for argv in _export_commands(self._engine.runtime, self._reference, self.server.name, self._run):
            self._engine.run(argv)
        keys, folder = new_keys(), folder_mount(self._reference, self._volume)
        owner = self._owner(folder)
        url = self.server.start(keys, [folder, *mounts], owner, watched=watched)
        if not self._execute("test", "-w", folder.target).ok:
            self.server.remove()
            raise self._unusable(f"is not writable for its owner (uid {owner.partition(':')[0]})")
        return Access(url, keys.access_key_id, keys.secret_access_key, direct=True)

    def start_for_run(self, volume: str, like: Access) -> Access:
        """The same, for a run whose agent's heartbeat keeps it alive; `volume` is the folder of the run's volume. The
        properties of such a server are those of `like`."""
        own = self.start(_HEARTBEAT, [agent_mount(volume)])
        id_, key = own.access_key_id, own.secret_access_key
        return replace(like, endpoint_url=own.endpoint_url, access_key_id=id_, secret_access_key=key)

    def mark(self) -> None:
        """Leave a mark of the run in the folder, for `sees_mark` on another host."""
        if not self._execute("sh", "-c", _MARK, "sh", self._mark).ok:
            raise self._unusable("takes no files")

    def sees_mark(self) -> bool:
        """Whether the marker is also in the folder of this host."""
        return self._execute("test", "-e", self._mark).ok

    def remove_mark(self) -> None:
        """Take it away again."""
        self._execute("sh", "-c", _REMOVE_MARK, "sh", self._mark)

    def not_shared(self, first: str) -> ToolkitError:
        """This host's folder is not the same as host `first`'s."""
        return self._unusable(
            f"is not the same as on {first}", "results in a folder need a file system that all hosts of the run share"
        )

    def remove(self) -> None:
        """Stop it, and unmount an export."""
        self.server.remove()
        if isinstance(self._reference, NfsReference):
            self._engine.remove("volume", self._volume)

    @property
    def _mark(self) -> str:
        return f"{BUCKETS_FOLDER}/{bucket_name(self._reference)}/{_MARKS}/{self._run}"

    def _owner(self, folder: Bind | NamedVolume) -> str:
        done = self._engine.run(self._engine.runtime.owner_of_folder(folder, self._run, self._image), check=False)
        if done.ok:
            return done.output.strip()
        if "does not exist" in done.errors or "no such file" in done.errors.lower():
            raise self._unusable("is not there", "every host of the run needs the folder for the results at this path")
        raise self._engine.failed(done)

    def _execute(self, *command: str) -> Result:
        return self._engine.run(self._engine.runtime.execute(self.server.name, command), check=False)

    def _unusable(self, why: str, hint: str = "") -> ToolkitError:
        return ToolkitError(
            Code.STORING_RESULTS,
            f"{self._engine.host}: {self._reference.place}, where the results go, {why}",
            hint=hint or "let its owner write there (chmod u+w): the run writes with the rights of the folder's owner",
        )


def results_server(engine: Engine, results: ResultsReference | None, run: str, image: str) -> FolderServer | None:
    """The server of a run's results on the host of `engine`, if they are a folder; None if they go to a bucket."""
    if results is None or isinstance(results, BucketReference):
        return None
    return FolderServer(engine, results, results_container(run), run, image)


@contextmanager
def served(engine: Engine, reference: ServedFolder, run: str, image: str) -> Iterator[Access]:
    """Access from this machine to the folder of the host of `engine`, while the context lasts."""
    server = FolderServer(engine, reference, f"{store_container(run)}-results", run, image)
    try:
        access = server.start()
        port = urlsplit(access.endpoint_url).port or 0
        with with_heartbeat(server.server.heartbeat), engine.shell.forward(port) as here:
            yield replace(access, endpoint_url=f"http://127.0.0.1:{here}")
    finally:
        server.remove()
