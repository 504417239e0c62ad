"""`rclone serve s3` over folders, in a container of its own: for the embedded store, and for results in a folder.

It listens on one address only, on a port chosen by the kernel, and lives as long as a file keeps changing: one that its
user touches, or the heartbeat of a run's agent.
"""

from __future__ import annotations

import re
import secrets as randomness
import string
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

from toolkit.agent.heartbeat import repeating
from toolkit.agent.paths import BEGAN
from toolkit.containers.engine import Engine
from toolkit.containers.programs import receive_file
from toolkit.errors import Code, ToolkitError
from toolkit.runtimes.runtime import ContainerRuntime
from toolkit.runtimes.specs import Argv, Bind, NamedVolume
from toolkit.secrets import Secret
from toolkit.shell_files import shell_program

LOOPBACK = "127.0.0.1"
BUCKETS_FOLDER = "/buckets"
"""Each folder in it is a bucket."""
_READY = re.compile(r"Starting s3 server on \[(http://[0-9a-f.:\[\]]+:\d+)/\]")
_ALPHABET = string.ascii_letters + string.digits
_PRIVATE = "/run/private"
TOUCHED = f"{_PRIVATE}/heartbeat"
HEARTBEAT_SECONDS = 30
SERVER_SCRIPT = shell_program("toolkit.storage", "store_server.sh")
RECEIVE_AUTH = receive_file(f"{_PRIVATE}/auth")
_START_SECONDS = 15.0
_POLL_SECONDS = 0.02
_EVERY_SECONDS = 5.0


@dataclass(frozen=True)
class StoreKeys:
    """The two keys of a server."""

    access_key_id: Secret
    secret_access_key: Secret


def new_keys() -> StoreKeys:
    """New keys for one server."""
    return StoreKeys(Secret(random_text(20)), Secret(random_text(40)))


def random_text(length: int) -> str:
    """Letters and digits."""
    return "".join(randomness.choice(_ALPHABET) for _ in range(length))


class StoreServer:
    """The container `name` on the host of `engine`, with the label of `run`.

    With `run_folder` (`bucket/key`) it is a run's: once the run has begun, it lives until the run's record is there.
    """

    def __init__(self, engine: Engine, name: str, run: str, image: str, run_folder: str = "") -> None:
        self.engine, self.name = engine, name
        self._run, self._image, self._run_folder = run, image, run_folder

    def start(
        self,
        keys: StoreKeys,
        mounts: Sequence[Bind | NamedVolume],
        owner: str,
        address: str = LOOPBACK,
        watched: str = TOUCHED,
    ) -> str:
        """Start it; returns its URL once it answers. Raises `ToolkitError` (S302) if it does not.

        Args:
            mounts: folders at or below `BUCKETS_FOLDER`, and whatever else it must see.
            owner: `uid:gid` that it runs as.
            watched: the file in the container whose changes keep it alive; by default that of `heartbeat`.
        """
        names = (self.name, self._run, self._image)
        self.engine.run(store_argv(self.engine.runtime, *names, mounts, owner, address, watched, self._run_folder))
        # As CSV, hence the quotes.
        auth = f'"{keys.access_key_id.reveal()},{keys.secret_access_key.reveal()}"'
        self.engine.run(self.engine.runtime.execute(self.name, RECEIVE_AUTH, stdin=True), data=auth.encode())
        return self._wait_until_ready()

    def heartbeat(self) -> None:
        """Say that who needs it lives; without that it ends in half a minute."""
        self.engine.run(self.engine.runtime.execute(self.name, ("touch", TOUCHED)), check=False)

    def remove(self) -> None:
        """End it; it is no error if it is gone."""
        self.engine.run(self.engine.runtime.remove("container", self.name), check=False)

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + _START_SECONDS
        said = ""
        while time.monotonic() < deadline:
            result = self.engine.run(self.engine.runtime.logs(self.name))
            said = result.output + result.errors
            if match := _READY.search(said):
                return match[1]
            time.sleep(_POLL_SECONDS)
        raise ToolkitError(
            Code.LOADING_DATA, f"the S3 server {self.name} did not start on {self.engine.host}", evidence=said[-2000:]
        )


def store_argv(
    runtime: ContainerRuntime,
    name: str,
    run: str,
    image: str,
    mounts: Sequence[Bind | NamedVolume],
    owner: str,
    address: str = LOOPBACK,
    watched: str = TOUCHED,
    run_folder: str = "",
    script: str = SERVER_SCRIPT,
) -> Argv:
    """The command line that starts a server; see `StoreServer.start`. A dry run shows it without the `script`."""
    places = (_PRIVATE, BUCKETS_FOLDER, BEGAN, str(HEARTBEAT_SECONDS), run_folder)
    command = ("sh", "-c", script, "store", address, watched, *places)
    return runtime.start_store(name, run, image, mounts, owner, command)


def store_container(run: str) -> str:
    """The name of the container of a server for one command, or for a run on the machine that launched it."""
    return f"toolkit-store-{run}"


def with_heartbeat(act: Callable[[], object], every: float = _EVERY_SECONDS) -> AbstractContextManager[None]:
    """Call `act` at once and every `every` seconds, in a thread of its own; its exceptions are ignored."""

    def act_quietly() -> None:
        with suppress(ToolkitError):
            act()

    return repeating("heartbeat", act_quietly, every)
