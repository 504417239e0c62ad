"""Mounts whose process was killed: they stay in a run's volume, and keep it from being removed."""

from __future__ import annotations

import time

from toolkit.agent.paths import HOST
from toolkit.containers.engine import Engine
from toolkit.image.tool_images import BUCKETS
from toolkit.runtimes.specs import Bind
from toolkit.shipping.hosts.host_images import HostImages
from toolkit.storage.sidecar import AGENT_PROGRAM

_SECONDS, _POLL_SECONDS = 30.0, 0.2
_OF_PODMAN = "localhost/"


def unmount_stale(engine: Engine, run: str, volume: str) -> None:
    """Unmount what is mounted in a volume that no container uses any more; nothing if the host has no bucket image.

    Any version of that image will do. Nobody needs root on the host for it. Raises `ToolkitError`.
    """
    ours = (name for name in HostImages(engine).names() if name.removeprefix(_OF_PODMAN).startswith(f"{BUCKETS}:"))
    if not (image := next(ours, "")):
        return
    runtime, container = engine.runtime, f"{volume}-unmount"
    folder = engine.run(runtime.volume_folder(volume)).output.strip()
    binds, command = [Bind(folder, HOST, propagation="rshared")], (*AGENT_PROGRAM, "unmount")
    engine.run(runtime.start_side_container(container, run, image, binds, command))
    until = time.monotonic() + _SECONDS
    while engine.status(container) not in ("", "exited", "dead") and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
    engine.remove("container", container)
