"""The results bucket, in the container that has its keys: pending uploads, listings, small objects.

rclone does all of it: the mount daemon (over its socket), and separate processes for what must bypass its cache. The
agent, which has no keys, uses it through `toolkit.agent.service`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from toolkit.agent import rc
from toolkit.agent.cache_recovery import read_recovered
from toolkit.agent.checksums import digest_of_open, sha256_of, write_list
from toolkit.agent.compare import NotRead, compare
from toolkit.agent.end_reasons import Reason
from toolkit.agent.flush import NotStored
from toolkit.agent.local_folder import MAX_HOLE
from toolkit.agent.local_results import LocalResults
from toolkit.agent.own_files import learners_in
from toolkit.agent.paths import CHECKPOINTS, HOST, LOGS, RUN_FOLDER
from toolkit.agent.rclone import LIST_SECONDS, rclone, seconds_for
from toolkit.agent.untrusted import NotRegular, Replacements, hole, opened
from toolkit.agent.upload_progress import Waiting, joined, meaning
from toolkit.agent.uploads import last_failure, root_of

_UNMOUNT_SECONDS = 10.0
_TRIES = 3
_SOME_RETRIES = ("--retries", "1", "--low-level-retries", "4")
_SHORT = ("--retries", "1", "--low-level-retries", "1", "--contimeout", "5s", "--timeout", "10s")


class Bucket:
    """The results bucket of `run`, or a prefix of it.

    `filesystem` is its name in rclone's configuration. `folder`, below the volume, has a mount for each directory that
    learners write to: the run's own, and the one for checkpoints. With `local`, the run's own has none: it is a folder
    on the host's disk.
    """

    def __init__(self, run: str, filesystem: str, folder: str, local: LocalResults | None = None) -> None:
        self._run, self._filesystem, self._folder, self._local = run, filesystem, folder, local
        self._mounted = (CHECKPOINTS,) if local else (run, CHECKPOINTS)
        self._sums: dict[str, str] = {}
        """SHA-256 by key, of what is known to be stored as it was written here."""
        self._size: tuple[int, int] | None = None
        """Of the run's folder, if only this host writes there."""

    def differences(self, folder: str, *, shared: bool = True) -> str:
        """Compare what programs wrote here in `folder` with the bucket, through an independent reader
        (`toolkit.agent.compare`).

        Returns what is missing or differs. `shared`: others write to it, too. Raises `NotStored` if it cannot be read.
        """
        try:
            compared = compare(self._filesystem, folder, shared=shared, mounted=folder in self._mounted)
        except NotRead as error:
            reason = meaning(str(error)) or Reason.BUCKET_READ
            raise NotStored(reason, f"the results in {folder} could not be read back", str(error)) from None
        self._sums |= compared.sums
        if folder == self._run and compared.sizes and not shared:
            sizes = [size for key, size in compared.sizes.items() if not key.startswith(f"{RUN_FOLDER}/")]
            self._size = len(sizes), sum(sizes)
        return compared.summary

    def put_checksums(self, name: str) -> str:
        """Store the SHA-256 of everything written here that matches the bucket, as object `name`: results, checkpoints,
        logs, and recovered files. Returns the list's own SHA-256; raises `NotStored`."""
        data = write_list(read_recovered() | self._sums)
        if not self._write(name, data, short=False):
            raise NotStored(Reason.BUCKET_WRITE, f"{name} could not be stored")
        return sha256_of(data)

    def put(self, name: str, data: bytes, *, short: bool = True) -> bool:
        """Write a small object; returns whether it is stored. One in the run's folder is listed with its checksum."""
        there = self._write(name, data, short=short)
        if there and name.startswith(f"{self._run}/"):
            self._sums[name] = sha256_of(data)
        return there

    def _write(self, name: str, data: bytes, *, short: bool) -> bool:
        words = ("rcat", *(_SHORT if short else ()), f"{self._filesystem}/{name}")
        return rclone(*words, data=data, seconds=seconds_for(len(data))).returncode == 0

    def get(self, name: str, most: int = 1 << 20) -> bytes | None:
        """A small object, or None if it does not exist or nobody answers."""
        words = ("cat", *_SHORT, "--count", str(most), f"{self._filesystem}/{name}")
        done = rclone(*words, seconds=seconds_for(most))
        return done.stdout if done.returncode == 0 and done.stdout else None

    def submit_code(self) -> None:
        """Store the run's code, before any of it runs. Raises `NotStored`."""
        name = f"{self._run}/_submitted_code"
        done = rclone("copy", f"{HOST}/code", f"{self._filesystem}/{name}", seconds=LIST_SECONDS)
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace")
            raise NotStored(meaning(said) or Reason.BUCKET_WRITE, f"{name} could not be stored", said)

    def discard_code(self) -> None:
        """Remove the code of a run that does not start."""
        rclone("purge", *_SHORT, f"{self._filesystem}/{self._run}/_submitted_code", seconds=seconds_for(0))

    def put_logs(self) -> tuple[str, ...]:
        """Store the log of each learner on this host, and the complete output.

        Returns what replaced such a file; that is not stored. Raises `NotStored`.
        """
        found = Replacements()
        for log in (f"{learner}/training-log.txt" for learner in learners_in(Path(LOGS), found)):
            with found.noting():
                self._put_file(log, f"{self._run}/{log}")
        with found.noting():
            self._put_file("output.log", f"{self._run}/{RUN_FOLDER}/output.log")
        return found.what

    def _put_file(self, name: str, key: str) -> None:
        """Store a log file, which its program could replace: it is passed on by its open descriptor."""
        with opened(Path(LOGS), name) as file:
            size = os.fstat(file).st_size
            argv = ("rcat", *_SOME_RETRIES, "--size", str(size), f"{self._filesystem}/{key}")
            above = key.rpartition("/")[0]
            for _ in range(_TRIES):
                os.lseek(file, 0, os.SEEK_SET)
                done = rclone(*argv, file=file, seconds=seconds_for(size))
                if done.returncode == 0:
                    self._sums[key] = digest_of_open(file, most=size).sha256
                    return
                if self._is_object(above):  # a store that keeps objects as files cannot have both
                    raise NotRegular(f"{above} in the bucket is a file of the program, in place of the run's own")
        said = done.stderr.decode("utf-8", "replace")
        raise NotStored(meaning(said) or Reason.BUCKET_WRITE, f"{key} could not be stored", said)

    def _is_object(self, name: str) -> bool:
        done = rclone("lsjson", "--stat", *_SHORT, f"{self._filesystem}/{name}", seconds=seconds_for(0))
        try:
            return done.returncode == 0 and json.loads(done.stdout).get("IsDir") is False
        except (ValueError, AttributeError):
            return False

    @staticmethod
    def abort() -> None:
        """Abandon mounts that do not answer: processes waiting for them get an error, and can be ended.

        What programs had written stays in the mount's cache, and the daemon continues to upload it. The mount point
        does not become an ordinary folder: nobody must write into it unnoticed.
        """
        rc.unmount("--force")

    def size(self) -> tuple[int, int]:
        """Objects and bytes of the run's folder, without what the agent itself writes there."""
        if self._size:
            return self._size
        words = ("size", "--json", "--exclude", f"/{RUN_FOLDER}/**", f"{self._filesystem}/{self._run}")
        done = rclone(*words, seconds=LIST_SECONDS)
        found = json.loads(done.stdout or b"{}")
        return int(found.get("count", 0)), int(found.get("bytes", 0))

    @staticmethod
    def unmount() -> None:
        """Unmount everything, even if its daemon hangs or is gone; no error if there is nothing."""
        rc.ask("mount/unmountall", {}, seconds=_UNMOUNT_SECONDS)
        rc.unmount("--force", "--lazy")

    def waiting(self) -> Waiting:
        """What is still to be uploaded; raises `NotStored` if the mount process does not answer.

        `vfs/stats` would report it, too, but blocks while the mount reads a folder from an unreachable store.
        """
        queue: list[dict[str, Any]] = []
        local = self._local and self._local.waiting()
        for number, name in enumerate(self._mounted):
            waits = rc.ask("vfs/queue", {"fs": f"{self._filesystem}/{name}"}).get("queue")
            if waits is None:
                raise NotStored(Reason.SYSTEM, "the mount's own process does not answer")
            queue += [one | {"id": one["id"] << 1 | number, "name": f"{name}/{one['name']}"} for one in waits]
        uploading = sum(one["uploading"] for one in queue)
        errored = sum(one["tries"] > one["uploading"] for one in queue)
        under_way = (rc.ask("core/stats", {}).get("transferring") or ()) if queue or local else ()
        sent = {str(one.get("name")): int(one.get("bytes", 0)) for one in under_way}
        files = {one["id"]: one["name"] for one in queue}
        sparse = tuple(self._sparse(name) for name in files.values() if self._sparse(name))
        mounted = Waiting(len(queue) - uploading, uploading, errored, files, sent, sparse)
        return joined(mounted, local) if local else mounted

    def _sparse(self, name: str) -> str:
        """The file and its hole, if no upload of it would ever finish; else empty."""
        try:
            missing = hole((root_of(self._filesystem) / name).lstat())
        except OSError:
            return ""
        return f"{name} ({missing:,} bytes never written)" if missing > MAX_HOLE else ""

    def whole(self) -> bool:
        """Whether no file in the mounts' caches has an error, and the local folder is stored as it is now; asked when
        nothing is waiting."""
        each = [rc.ask("vfs/stats", {"fs": f"{self._filesystem}/{name}"}) for name in self._mounted]
        mounts = all(not one.get("diskCache", {}).get("erroredFiles", 1) for one in each)
        return mounts and (self._local is None or self._local.settled())

    def unstorable(self) -> tuple[str, ...]:
        """What is in a local folder and can never be in the bucket, such as a symbolic link; a mount has no such."""
        return self._local.unstorable() if self._local else ()

    def refusal(self) -> tuple[Reason, str]:
        """Why the store accepts nothing now, from its own message."""
        said = "\n".join(filter(None, (self.probe(), last_failure())))
        return meaning(said) or Reason.BUCKET_WRITE, said

    def probe(self) -> str:
        """The store's message if it refuses an object, else empty. A nearly full store accepts a very small one."""
        size = str(len(_PROBE))
        words = ("rcat", *_SHORT, "--size", size, f"{self._filesystem}/{_PROBE_NAME}")
        done = rclone(*words, data=_PROBE, seconds=seconds_for(len(_PROBE)))
        if done.returncode != 0:
            return done.stderr.decode("utf-8", "replace")
        rclone("deletefile", *_SHORT, f"{self._filesystem}/{_PROBE_NAME}", seconds=seconds_for(0))
        return ""


_PROBE_NAME, _PROBE = ".toolkit-probe", bytes(1 << 20)
