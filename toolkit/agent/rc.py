"""Requests to rclone's mount process over its socket, in the container that has the keys."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.agent.paths import HOST, SOCKET
from toolkit.agent.unix_http import UnixConnection

_DAEMON_SECONDS = 60.0


def ask(call: str, parameters: Mapping[str, Any], seconds: float = _DAEMON_SECONDS) -> dict[str, Any]:
    """The daemon's response; empty if it does not answer. If it refuses, `error` has its message."""
    connection = UnixConnection(SOCKET, seconds)
    try:
        connection.request("POST", f"/{call}", json.dumps(parameters), {"Content-Type": "application/json"})
        found = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return found if isinstance(found, dict) else {}


def mount(requests: Sequence[Mapping[str, Any]]) -> None:
    """Mount buckets, each given as for `mount/mount` in rclone's manual. Raises `OSError` with rclone's message."""
    for request in requests:
        Path(request["mountPoint"]).mkdir(parents=True, exist_ok=True)
    for request in requests:
        ask("mount/mount", request)
    there = {one.get("MountPoint") for one in ask("mount/listmounts", {}).get("mountPoints") or ()}
    for request in requests:
        if request["mountPoint"] not in there:
            said = ask("mount/mount", request).get("error", "rclone does not answer")
            raise OSError(f"{request['fs']} could not be mounted: {said}")


def unmount(*how: str) -> None:
    """Unmount everything that rclone has mounted in the run's volume."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind = line.split()[:3]
        if kind == "fuse.rclone" and folder.startswith(f"{HOST}/"):
            subprocess.run(("umount", *how, folder), capture_output=True, check=False)
