"""`rclone serve s3` over folders, in a container of its own: for the embedded store, and for results in a folder.

It listens on one address only, on a port chosen by the kernel, and lives as long as a file keeps changing: one that its
user touches, or the heartbeat of a run's agent.
"""

from __future__ import annotations

import re
import secrets as randomness
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.agent.paths import BEGAN
from toolkit.containers import docker_commands
from toolkit.containers.docker_commands import Argv, Bind, NamedVolume
from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.secrets import Secret

LOOPBACK = "127.0.0.1"
BUCKETS_FOLDER = "/buckets"
"""Each folder in it is a bucket."""
_READY = re.compile(r"Starting s3 server on \[(http://[0-9a-f.:\[\]]+:\d+)/\]")
_ALPHABET = string.ascii_letters + string.digits
_PRIVATE = "/run/private"
TOUCHED = f"{_PRIVATE}/heartbeat"
HEARTBEAT_SECONDS = 30
# The server reads RCLONE_AUTH_KEY as CSV, hence the quotes; it comes from a file in memory, so that neither
# command line nor `docker inspect` shows it. Seconds are counted, not read from a clock, which may be adjusted.
SERVER_SCRIPT = f"""
silent=0 last=
watch() {{
  if [ -e {_PRIVATE}/outlive ]; then
    run="{BUCKETS_FOLDER}/$(cat {_PRIVATE}/outlive)"
    if [ -e "$run/record.json" ]; then over=yes; fi
    if [ -e "$run/{BEGAN}" ]; then return; fi
  fi
  now=$(stat -c %y "$watched" 2>/dev/null)
  if [ "$now" = "$last" ]; then silent=$((silent + 1)); else silent=0 last=$now; fi
  [ $silent -lt {HEARTBEAT_SECONDS} ] || over=yes
}}
watched=$1
over=
waited=0
until [ -s {_PRIVATE}/auth ]; do
  sleep 0.1
  waited=$((waited + 1))
  [ $waited -lt 300 ] || exit 1
done
RCLONE_AUTH_KEY="$(cat {_PRIVATE}/auth)" RCLONE_CONFIG=/dev/null rclone serve s3 \\
  --addr "$0:0" --dir-cache-time 1s --cache-dir /tmp {BUCKETS_FOLDER} &
server=$!
trap 'kill $server' TERM
while [ -z "$over" ] && kill -0 $server 2>/dev/null; do sleep 1 & wait $!; watch; done
sleep 3
kill $server
"""
RECEIVE_AUTH = ("sh", "-c", f"umask 077; cat > {_PRIVATE}/new && mv {_PRIVATE}/new {_PRIVATE}/auth")
_RECEIVE_OUTLIVE = ("sh", "-c", f"cat > {_PRIVATE}/folder && mv {_PRIVATE}/folder {_PRIVATE}/outlive")
_START_SECONDS = 15.0


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
    """The container `name` on the host of `engine`, with the label of `run`."""

    def __init__(self, engine: Engine, name: str, run: str, image: str) -> None:
        self.engine, self.name = engine, name
        self._run, self._image = run, image

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
        self.engine.run(store_argv(self.name, self._run, self._image, mounts, owner, address, watched))
        auth = f'"{keys.access_key_id.reveal()},{keys.secret_access_key.reveal()}"'
        self._execute(RECEIVE_AUTH, auth)
        return self._wait_until_ready()

    def heartbeat(self) -> None:
        """Its user is alive; without this it exits in half a minute."""
        self.engine.run(docker_commands.execute(self.name, ("touch", TOUCHED)), check=False)

    def outlive(self, folder: str) -> None:
        """It belongs to a run now: once the run has started, it lives until the run's record is in `folder`
        (`bucket/key`). If the run does not start, it continues to depend on its heartbeat."""
        self._execute(_RECEIVE_OUTLIVE, folder)

    def remove(self) -> None:
        """Stop it; no error if it is gone."""
        self.engine.run(docker_commands.remove_container(self.name), check=False)

    def _execute(self, command: Sequence[str], data: str) -> None:
        self.engine.run(docker_commands.execute(self.name, command, stdin=True), data=data.encode())

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + _START_SECONDS
        said = ""
        while time.monotonic() < deadline:
            result = self.engine.run(docker_commands.logs(self.name))
            said = result.output + result.errors
            if match := _READY.search(said):
                return match[1]
            time.sleep(0.1)
        raise ToolkitError(
            Code.LOADING_DATA, f"the S3 server {self.name} did not start on {self.engine.host}", evidence=said[-2000:]
        )


def store_argv(
    name: str,
    run: str,
    image: str,
    mounts: Sequence[Bind | NamedVolume],
    owner: str,
    address: str = LOOPBACK,
    watched: str = TOUCHED,
    script: str = SERVER_SCRIPT,
) -> Argv:
    """The command line that starts a server; see `StoreServer.start`. A dry run shows it without the `script`."""
    command = ("sh", "-c", script, address, watched)
    return docker_commands.start_store(name, run, image, mounts, owner, command)


def store_container(run: str) -> str:
    """The name of the container of a server for one command, or for a run on the machine that launched it."""
    return f"toolkit-store-{run}"
