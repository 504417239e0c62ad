"""The embedded S3 server: `rclone serve s3` over a folder of this machine, for people without a store.

It listens on one address alone: this machine's loopback, unless hosts of a cluster must reach it; at a port that the
kernel picks, with keys that were made here and never leave. It lives as long as the command that needs it, and where
that command was killed, for half a minute more; or, once it was told so, as long as a run.
"""

from __future__ import annotations

import os
import re
import secrets as randomness
import shlex
import stat
import string
import time
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.engines import docker_argv
from toolkit.engines.engine import LOCAL
from toolkit.errors import Code, ToolkitError
from toolkit.keeper.places import BEGAN
from toolkit.places import private_folder
from toolkit.secrets import Secret
from toolkit.whole_file import write_once

_READY = re.compile(r"Starting s3 server on \[(http://[0-9a-f.:\[\]]+:\d+)/\]")
LOOPBACK = "127.0.0.1"
_ALPHABET = string.ascii_letters + string.digits
_PRIVATE = "/run/private"
LEASH_SECONDS = 30
# A server reads RCLONE_AUTH_KEY as CSV, hence the quotes; it comes through a file in memory, so that neither
# the command line nor `docker inspect` shows it. Seconds are counted, not read from a clock: that may be set meanwhile.
SERVER_SCRIPT = f"""
silent=0 last=
watch() {{
  if [ -e {_PRIVATE}/outlive ]; then
    run="/buckets/$(cat {_PRIVATE}/outlive)"
    if [ -e "$run/record.json" ]; then over=yes; fi
    if [ -e "$run/{BEGAN}" ]; then return; fi
  fi
  now=$(stat -c %y {_PRIVATE}/leash 2>/dev/null)
  if [ "$now" = "$last" ]; then silent=$((silent + 1)); else silent=0 last=$now; fi
  [ $silent -lt {LEASH_SECONDS} ] || over=yes
}}
over=
waited=0
until [ -s {_PRIVATE}/auth ]; do
  sleep 0.1
  waited=$((waited + 1))
  [ $waited -lt 300 ] || exit 1
done
RCLONE_AUTH_KEY="$(cat {_PRIVATE}/auth)" RCLONE_CONFIG=/dev/null rclone serve s3 \\
  --addr "$0:0" --dir-cache-time 1s --cache-dir /tmp /buckets &
server=$!
trap 'kill $server' TERM
while [ -z "$over" ] && kill -0 $server 2>/dev/null; do sleep 1 & wait $!; watch; done
sleep 3
kill $server
"""
RECEIVE_AUTH = ("sh", "-c", f"umask 077; cat > {_PRIVATE}/new && mv {_PRIVATE}/new {_PRIVATE}/auth")
_RECEIVE_OUTLIVE = ("sh", "-c", f"cat > {_PRIVATE}/folder && mv {_PRIVATE}/folder {_PRIVATE}/outlive")
_START_SECONDS = 15.0
_LARGEST = 4096


def embedded_folder(home: Path) -> Path:
    """Where the embedded store's buckets lie as folders."""
    return private_folder(home / "buckets")


def embedded_keys(home: Path) -> dict[str, Secret]:
    """The embedded store's two keys, made at their first use: a file for its owner alone."""
    file = private_folder(home) / "embedded-keys.json"
    if not os.path.lexists(file):
        new = _Keys(access_key_id=_random(20), secret_access_key=_random(40))
        write_once(file, new.model_dump_json().encode(), mode=0o600)  # of several commands at once, one is first
    try:
        keys = _Keys.model_validate_json(_read_own(file))
    except (OSError, ValueError) as error:
        raise ToolkitError(
            Code.CREDENTIALS,
            f"{file} does not hold the keys of the embedded store: {_why(error)}",
            mend=f"no other program knows these keys; new ones are made after: rm {shlex.quote(str(file))}",
        ) from None
    return {name: Secret(value) for name, value in keys.model_dump().items()}


class _Keys(BaseModel):
    """The file's content."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    access_key_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{16,64}$")]
    secret_access_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{32,64}$")]


def _read_own(file: Path) -> bytes:
    """A small file for us alone. Raises `ValueError` where it is something else, `OSError` where there is none."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is no file")
        if found.st_mode & 0o077:
            raise ValueError(f"others may read it (mode {stat.S_IMODE(found.st_mode):04o})")
        return stream.read(_LARGEST)


def _why(error: OSError | ValueError) -> str:
    """In a few words, none of them a key."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is damaged" if isinstance(error, ValidationError) else str(error)


class EmbeddedStore:
    """The server of one run or command, on this machine."""

    def __init__(self, home: Path, image: str, run: str, address: str = LOOPBACK) -> None:
        self._home, self._image, self._run, self._address = home, image, run, address
        self._name = store_container(run)

    def start(self) -> str:
        """Start it; its URL once it answers. Raises `ToolkitError` (S302) if it does not."""
        keys, folder = embedded_keys(self._home), str(embedded_folder(self._home))
        owner = f"{os.getuid()}:{os.getgid()}"
        command = ("sh", "-c", SERVER_SCRIPT, self._address)
        LOCAL.run(docker_argv.start_store(self._name, self._run, self._image, folder, owner, command))
        auth = f'"{keys["access_key_id"].reveal()},{keys["secret_access_key"].reveal()}"'
        LOCAL.run(docker_argv.execute(self._name, RECEIVE_AUTH, stdin=True), data=auth.encode())
        return self._wait_until_ready()

    def leash(self) -> None:
        """Say that who needs it lives; without that it ends in half a minute."""
        LOCAL.run(docker_argv.execute(self._name, ("touch", f"{_PRIVATE}/leash")), check=False)

    def outlive(self, folder: str) -> None:
        """It belongs to a run now: once that has begun, it lives until the run's record is in `folder` (`bucket/key`).
        Where the run does not begin, it stays on its leash."""
        LOCAL.run(docker_argv.execute(self._name, _RECEIVE_OUTLIVE, stdin=True), data=folder.encode())

    def remove(self) -> None:
        """End it; it is no error if it is gone."""
        remove_store(self._run)

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + _START_SECONDS
        said = ""
        while time.monotonic() < deadline:
            result = LOCAL.run(docker_argv.logs(self._name))
            said = result.output + result.errors
            if match := _READY.search(said):
                return match[1]
            time.sleep(0.1)
        raise ToolkitError(Code.LOADING_DATA, "the embedded S3 server did not start", evidence=said[-2000:])


def remove_store(run: str) -> None:
    """Remove the server of a run that is over; by itself it goes some seconds later."""
    LOCAL.run(docker_argv.remove_container(store_container(run)), check=False)


def store_container(run: str) -> str:
    """The name of its container."""
    return f"toolkit-store-{run}"


def _random(length: int) -> str:
    return "".join(randomness.choice(_ALPHABET) for _ in range(length))
