"""The embedded S3 server: `rclone serve s3` over a folder of this machine, for people without a store.

It listens on one address only: this machine's loopback, unless hosts of a cluster must reach it; on a port chosen by
the kernel, with keys that were generated here and never leave. It lives as long as the command that needs it, and half
a minute longer if that command was killed; or, once it belongs to a run, as long as the run.
"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.atomic_file import write_once
from toolkit.containers.engine import LOCAL
from toolkit.errors import Code, ToolkitError
from toolkit.paths import private_folder
from toolkit.runtimes.specs import Bind
from toolkit.secrets import Secret
from toolkit.storage.store_server import BUCKETS_FOLDER, StoreKeys, StoreServer, random_text, store_container

_LARGEST = 4096


def embedded_keys(home: Path) -> dict[str, Secret]:
    """The embedded store's two keys, created at their first use: a file with mode 0600."""
    file = private_folder(home) / "embedded-keys.json"
    if not os.path.lexists(file):
        new = _Keys(access_key_id=random_text(20), secret_access_key=random_text(40))
        write_once(file, new.model_dump_json().encode(), mode=0o600)  # of several concurrent commands, one is first
    try:
        keys = _Keys.model_validate_json(_read_own(file))
    except (OSError, ValueError) as error:
        raise ToolkitError(
            Code.CREDENTIALS,
            f"{file} does not hold the keys of the embedded store: {_why(error)}",
            hint=f"no other program uses these keys; to generate new ones: rm {shlex.quote(str(file))}",
        ) from None
    return {name: Secret(value) for name, value in keys.model_dump().items()}


class _Keys(BaseModel):
    """The file's content."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    access_key_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{16,64}$")]
    secret_access_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{32,64}$")]


def _read_own(file: Path) -> bytes:
    """A small private file. Raises `ValueError` if it is something else, `OSError` if it does not exist."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is not a file")
        if found.st_mode & 0o077:
            raise ValueError(f"other users can read it (mode {stat.S_IMODE(found.st_mode):04o})")
        return stream.read(_LARGEST)


def _why(error: OSError | ValueError) -> str:
    """The error, briefly and without a key."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is damaged" if isinstance(error, ValidationError) else str(error)


def serve_buckets(server: StoreServer, home: Path, address: str) -> str:
    """Start `server`, on this machine, over this person's buckets; returns its URL. Raises as `StoreServer.start`."""
    folder = Bind(str(private_folder(home / "buckets")), BUCKETS_FOLDER)
    return server.start(StoreKeys(**embedded_keys(home)), [folder], f"{os.getuid()}:{os.getgid()}", address)


def remove_store(run: str) -> None:
    """Remove the server of a run that is over; by itself it goes some seconds later."""
    LOCAL.remove("container", store_container(run))
