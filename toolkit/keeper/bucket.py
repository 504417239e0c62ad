"""The results bucket from inside the side container: what waits to be uploaded, what is there, small objects of a run.

rclone does all of it: the daemon that mounts (over its socket), and fresh processes for what must not believe a cache.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from toolkit.keeper.checksums import sha256_of, write_list
from toolkit.keeper.compare import NotRead, compare
from toolkit.keeper.ends import Reason
from toolkit.keeper.places import CONFIG, HOST, RUN_FOLDER, SOCKET
from toolkit.keeper.progress import Progress, Waiting, meaning
from toolkit.keeper.uploads import last_failure

POLL_SECONDS = 0.25
_DAEMON_SECONDS = 60.0
_UNMOUNT_SECONDS = 10.0
_SHORT = ("--retries", "1", "--low-level-retries", "1", "--contimeout", "5s", "--timeout", "10s")


class NotStored(Exception):
    """Something that the run wrote is not in the bucket."""

    def __init__(self, reason: Reason, what: str, evidence: str = "") -> None:
        super().__init__(what)
        self.reason, self.what, self.evidence = reason, what, evidence[-2000:]


class Bucket:
    """The results, mounted at `folder` below the volume; `filesystem` is their name in rclone's configuration."""

    def __init__(self, filesystem: str, folder: str) -> None:
        self._filesystem, self._folder = filesystem, folder
        self._sums: dict[str, str] = {}

    def flush(self, patience: float, on_state: Callable[[Waiting], None]) -> None:
        """Wait until the mount has nothing left to upload.

        rclone writes back some seconds after a file is closed, so an unmount proves nothing. Raises `NotStored` once
        `patience` seconds pass in which nothing moved, or earlier where the store itself refuses for good.
        """
        watch = Progress(time.monotonic())
        while True:
            waiting = self.waiting()
            on_state(waiting)
            if not waiting.count and self._whole():
                return
            now = time.monotonic()
            if watch.moved(now, waiting):
                pass
            elif watch.refused(now, self.probe):
                what = f"the store refuses what is written ({watch.reason}), {waiting.count} files wait"
                raise NotStored(watch.reason, what, f"{watch.said}\n{waiting.named}")
            elif watch.silent(now) > patience:
                reason, said = self.refusal()
                what = f"{waiting.count} files could not be stored ({reason})"
                raise NotStored(reason, what, f"{said}\n{waiting.named}")
            time.sleep(POLL_SECONDS)

    def differences(self, folder: str, *, shared: bool = True) -> str:
        """Compare what programs wrote here in `folder` with the bucket, by a fresh reader (`toolkit.keeper.compare`).

        Returns what is missing or differs; empty where all is the same. `shared`: others write to it, too. Raises
        `NotStored` where the store does not tell.
        """
        try:
            compared = compare(self._filesystem, folder, shared=shared)
        except NotRead as error:
            reason = meaning(str(error)) or Reason.BUCKET_READ
            raise NotStored(reason, f"what is stored in {folder} could not be read again", str(error)) from None
        self._sums |= compared.sums
        return compared.told

    def put_checksums(self, name: str) -> str:
        """Store the SHA-256 of all that was compared and is the same, as object `name`; the list's own SHA-256.

        Raises `NotStored`.
        """
        data = write_list(self._sums)
        if not self.put(name, data, short=False):
            raise NotStored(Reason.BUCKET_WRITE, f"{name} could not be stored")
        return sha256_of(data)

    def put(self, name: str, data: bytes, *, short: bool = True) -> bool:
        """Write a small object; whether it is there."""
        return _rclone("rcat", *(_SHORT if short else ()), f"{self._filesystem}/{name}", data=data).returncode == 0

    def get(self, name: str, most: int = 1 << 20) -> bytes | None:
        """A small object, or None where it is not there or nobody answers."""
        done = _rclone("cat", *_SHORT, "--count", str(most), f"{self._filesystem}/{name}")
        return done.stdout if done.returncode == 0 and done.stdout else None

    def put_folder(self, folder: str, name: str) -> None:
        """Copy a folder of this container into the bucket. Raises `NotStored`."""
        done = _rclone("copy", folder, f"{self._filesystem}/{name}")
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace")
            raise NotStored(meaning(said) or Reason.BUCKET_WRITE, f"{name} could not be stored", said)

    def put_logs(self, logs: str, output: str, name: str) -> None:
        """Copy every learner's log, and the whole output, to where a run's own are, straight into the bucket.

        Raises `NotStored`.
        """
        for words in (
            ("copy", "--include", "/learner-*/training-log.txt", logs, f"{self._filesystem}/{name}"),
            ("copyto", output, f"{self._filesystem}/{name}/{RUN_FOLDER}/output.log"),
        ):
            done = _rclone(*words)
            if done.returncode != 0:
                said = done.stderr.decode("utf-8", "replace")
                raise NotStored(meaning(said) or Reason.BUCKET_WRITE, "the logs could not be stored", said)

    @staticmethod
    def abort() -> None:
        """Give up mounts that do not answer: whoever waits for them gets an error, and can be ended.

        What programs had written stays in the mount's cache, and the daemon goes on storing it. The folder does not
        become an ordinary one: nobody shall write into it unseen.
        """
        _unmount("--force")

    def size(self, folder: str) -> tuple[int, int]:
        """Objects and bytes of a run's folder, without what the keeper itself writes there."""
        done = _rclone("size", "--json", "--exclude", "/_run/**", f"{self._filesystem}/{folder}")
        found = json.loads(done.stdout or b"{}")
        return int(found.get("count", 0)), int(found.get("bytes", 0))

    def purge(self, folder: str) -> None:
        """Remove a run's folder, which no program has written to yet."""
        _rclone("purge", *_SHORT, f"{self._filesystem}/{folder}")

    @staticmethod
    def unmount() -> None:
        """Take down every mount, also one whose daemon does not answer or is gone; no error if there is none."""
        _rc("mount/unmountall", {}, seconds=_UNMOUNT_SECONDS)
        _unmount("--force", "--lazy")

    def waiting(self) -> Waiting:
        """What is still to be uploaded; raises `NotStored` where the mount's own process does not answer.

        `vfs/stats` would tell it, too, but waits itself while the mount reads a folder from a store that is away.
        """
        queue = _rc("vfs/queue", {"fs": self._filesystem}).get("queue")
        if queue is None:
            raise NotStored(Reason.SYSTEM, "the mount's own process does not answer")
        uploading = sum(one["uploading"] for one in queue)
        errored = sum(one["tries"] > one["uploading"] for one in queue)
        under_way = (_rc("core/stats", {}).get("transferring") or ()) if queue else ()
        sent = {str(one.get("name")): int(one.get("bytes", 0)) for one in under_way}
        return Waiting(len(queue) - uploading, uploading, errored, {one["id"]: one["name"] for one in queue}, sent)

    def _whole(self) -> bool:
        """Whether no file of the mount's cache is in error; asked when nothing waits."""
        cache = _rc("vfs/stats", {"fs": self._filesystem}).get("diskCache", {})
        return not cache.get("erroredFiles", 1)

    def refusal(self) -> tuple[Reason, str]:
        """Why the store takes nothing now, as it says itself."""
        said = "\n".join(filter(None, (self.probe(), last_failure())))
        return meaning(said) or Reason.BUCKET_WRITE, said

    def probe(self) -> str:
        """Write an object; what the store says against it, empty where it takes it. One that is nearly full takes a
        very small one."""
        size = str(len(_PROBE))
        done = _rclone("rcat", *_SHORT, "--size", size, f"{self._filesystem}/{_PROBE_NAME}", data=_PROBE)
        if done.returncode != 0:
            return done.stderr.decode("utf-8", "replace")
        _rclone("deletefile", *_SHORT, f"{self._filesystem}/{_PROBE_NAME}")
        return ""


_PROBE_NAME, _PROBE = ".toolkit-probe", bytes(1 << 20)


class _Connection(http.client.HTTPConnection):
    """HTTP over the daemon's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def _unmount(*how: str) -> None:
    """Unmount all that rclone has mounted below the engine's volumes for this run."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind = line.split()[:3]
        if kind == "fuse.rclone" and folder.startswith(f"{Path(HOST).readlink()}/"):
            subprocess.run(("umount", *how, folder), capture_output=True, check=False)


def _rc(call: str, parameters: Mapping[str, Any], seconds: float = _DAEMON_SECONDS) -> dict[str, Any]:
    """Ask the daemon; an empty object where it does not answer."""
    connection = _Connection("rclone", timeout=seconds)
    try:
        connection.request("POST", f"/{call}", json.dumps(parameters), {"Content-Type": "application/json"})
        found = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return found if isinstance(found, dict) else {}


def _rclone(*words: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(("rclone", "--config", CONFIG, *words), input=data, capture_output=True, check=False)
