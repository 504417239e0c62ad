"""The main process of the container with the keys: holds the mounts, and answers the agent.

A launch waits for rclone's own process, so that is started before this module's other imports.
"""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

from toolkit.agent import rc
from toolkit.agent.paths import BEAT, CONFIG, HOST, LOG_OPTIONS, SOCKET

_RETRIES = 60
"""Retries of each request to the store, up to 2 s apart: a program waits while a store is unavailable for a minute or
two, and sees no error. The agent decides when that has lasted too long (`toolkit.agent.learners`)."""
_SILENT_SECONDS, _LOOK_SECONDS = 30.0, 1.0
_MOUNT_DAEMON = (
    f"umask 077; until [ -s {CONFIG} ]; do sleep 0.05; done; exec rclone rcd --rc-addr unix://{SOCKET} --rc-no-auth "
    f"--config {CONFIG} --cache-dir {HOST}/cache --use-server-modtime {LOG_OPTIONS} "
    f"--low-level-retries {_RETRIES} --contimeout 10s"
)


def hold_buckets(run: str, filesystem: str, folder: str) -> None:
    """Hold the mounts and answer the agent. Exits without its heartbeat: nobody else would end a container with
    keys."""
    rc.unmount("--force", "--lazy")  # leftovers of a killed one would prevent mounting
    daemon = subprocess.Popen(("sh", "-c", _MOUNT_DAEMON), stderr=subprocess.PIPE)
    from toolkit.agent.heartbeat import Silence
    from toolkit.agent.results_bucket import Bucket
    from toolkit.agent.service import Service, serve
    from toolkit.agent.uploads import watch

    bucket = Bucket(run, filesystem, folder)
    threading.Thread(target=watch, args=(daemon.stderr,), daemon=True).start()
    server = serve(Service(run, bucket))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    silence = Silence(Path(BEAT))
    while silence.seconds() < _SILENT_SECONDS:
        time.sleep(_LOOK_SECONDS)
    bucket.unmount()
    daemon.kill()
