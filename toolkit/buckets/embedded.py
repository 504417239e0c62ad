"""The embedded S3 server: `rclone serve s3` over a folder of this machine, for people without a store.

It listens on one address alone: this machine's loopback, unless hosts of a cluster must reach it; at a port that the
kernel picks, with keys that were made here and never leave. It lives as long as the command that needs it.
"""

from __future__ import annotations

import json
import os
import re
import secrets as randomness
import string
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.engines import docker_argv
from toolkit.engines.engine import LOCAL
from toolkit.errors import Code, ToolkitError
from toolkit.places import private_folder
from toolkit.secrets import Secret

_READY = re.compile(r"Starting s3 server on \[(http://[0-9a-f.:\[\]]+:\d+)/\]")
LOOPBACK = "127.0.0.1"
_ALPHABET = string.ascii_letters + string.digits
# A server reads RCLONE_AUTH_KEY as CSV, hence the quotes; it comes through a file in memory, so that neither
# the command line nor `docker inspect` shows it.
_COMMAND = (
    "until [ -s /run/private/auth ]; do sleep 0.05; done; "
    'RCLONE_AUTH_KEY="$(cat /run/private/auth)" RCLONE_CONFIG=/dev/null exec rclone serve s3 '
    '--addr "$0:0" --dir-cache-time 1s --cache-dir /tmp /buckets'
)
RECEIVE_AUTH = ("sh", "-c", "umask 077; cat > /run/private/new && mv /run/private/new /run/private/auth")
_START_SECONDS = 15.0


def embedded_folder(home: Path) -> Path:
    """Where the embedded store's buckets lie as folders."""
    return private_folder(home / "buckets")


def embedded_keys(home: Path) -> dict[str, Secret]:
    """The embedded store's two keys, made at their first use: a file for its owner alone."""
    file = private_folder(home) / "embedded-keys.json"
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        values: dict[str, str] = json.loads(file.read_text())
    else:
        values = {"access_key_id": _random(20), "secret_access_key": _random(40)}
        with os.fdopen(handle, "w") as stream:
            json.dump(values, stream)
    return {name: Secret(value) for name, value in values.items()}


@contextmanager
def embedded_store(home: Path, image: str, run: str, address: str = LOOPBACK) -> Iterator[str]:
    """Run the server while the context lasts; gives its URL. Raises `ToolkitError` (S302) if it does not start."""
    name = f"toolkit-store-{run}"
    keys = embedded_keys(home)
    owner = f"{os.getuid()}:{os.getgid()}"
    folder = str(embedded_folder(home))
    try:
        LOCAL.run(docker_argv.start_store(name, run, image, folder, owner, ("sh", "-c", _COMMAND, address)))
        auth = f'"{keys["access_key_id"].reveal()},{keys["secret_access_key"].reveal()}"'
        LOCAL.run(docker_argv.execute(name, RECEIVE_AUTH, stdin=True), data=auth.encode())
        yield _wait_until_ready(name)
    finally:
        LOCAL.run(docker_argv.remove_container(name), check=False)


def _wait_until_ready(name: str) -> str:
    deadline = time.monotonic() + _START_SECONDS
    said = ""
    while time.monotonic() < deadline:
        result = LOCAL.run(docker_argv.logs(name))
        said = result.output + result.errors
        if match := _READY.search(said):
            return match[1]
        time.sleep(0.1)
    raise ToolkitError(Code.LOADING_DATA, "the embedded S3 server did not start", evidence=said[-2000:])


def _random(length: int) -> str:
    return "".join(randomness.choice(_ALPHABET) for _ in range(length))
