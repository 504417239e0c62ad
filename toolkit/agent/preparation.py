"""One message of an operator to the container with the keys: the keys, what to mount, and the run's folders."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.agent import rc
from toolkit.agent.paths import CONFIG

_START_SECONDS = 15.0
_POLL_SECONDS = 0.02


def prepare(request: Mapping[str, Any]) -> None:
    """Hand rclone its keys, mount buckets, create folders. Each part of `request` may be missing.

    Args:
        request: `config` is rclone's configuration; `mounts` as in `rc.mount`; `folders` are to belong to `owner`.

    Raises `OSError` with rclone's message.
    """
    if config := request.get("config"):
        _give(config)
    _wait_for_daemon()
    rc.mount(request.get("mounts", ()))
    for folder in request.get("folders", ()):
        Path(folder).mkdir(parents=True, exist_ok=True)
        os.chown(folder, request["owner"], request["owner"])


def _give(config: str) -> None:
    """Its file is in memory, and whole from the moment it exists: rclone's start waits for it."""
    new = Path(f"{CONFIG}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(config)
    new.rename(CONFIG)


def _wait_for_daemon() -> None:
    until = time.monotonic() + _START_SECONDS
    while not rc.ask("core/pid", {}):
        if time.monotonic() > until:
            raise OSError("rclone's mount process did not start")
        time.sleep(_POLL_SECONDS)
