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
    *("sh", str(Path(__file__).with_name("start_when_there.sh")), CONFIG, "rclone", "rcd"),
    *("--rc-addr", f"unix://{SOCKET}", "--rc-no-auth", "--config", CONFIG, "--cache-dir", f"{HOST}/cache"),
    *("--use-server-modtime", *LOG_OPTIONS, "--low-level-retries", str(_RETRIES), "--contimeout", "10s"),
)


def hold_buckets(run: str, filesystem: str, folder: str, *, local: bool = False) -> None:
    """Hold the mounts and answer the agent. Without its heartbeat nobody would end this, which holds keys: it ends.

    `local`: the run's own results are in a folder on the host's disk, and are uploaded from here.
    """
    rc.unmount("--force", "--lazy")  # what one that was killed has left: it would keep it from being mounted again
    daemon = subprocess.Popen(_MOUNT_DAEMON, stderr=subprocess.PIPE, umask=0o077)
    from toolkit.agent.heartbeat import Silence
    from toolkit.agent.results_bucket import Bucket
    from toolkit.agent.service import Service, serve
    from toolkit.agent.uploads import watch

    results = None
    if local:
        from toolkit.agent.local_results import local_results

        results = local_results(run, filesystem)
        threading.Thread(target=results.upload_forever, daemon=True).start()
    bucket = Bucket(run, filesystem, folder, results)
    threading.Thread(target=watch, args=(daemon.stderr,), daemon=True).start()
    server = serve(Service(run, bucket))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    silence = Silence(Path(BEAT))
    while silence.seconds() < _SILENT_SECONDS:
        time.sleep(_LOOK_SECONDS)
    bucket.unmount()
    daemon.kill()
