"""Downloads many or large objects with rclone, several at the same time.

It runs in a container of the bucket image, as the operator's user, with the keys and one folder, and nothing else. What
it leaves in that folder proves nothing: whoever uses it compares each file with a checksum, and fetches what differs or
is missing in another way. So it does not matter here why something did not arrive.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from toolkit.agent.paths import CONFIG, PRIVATE
from toolkit.containers.engine import Engine
from toolkit.containers.programs import receive_file
from toolkit.runtimes.specs import Argv, Bind
from toolkit.shell_files import shell_program
from toolkit.storage.client import Access
from toolkit.storage.rclone_log import STATS, read_stats
from toolkit.storage.sidecar import rclone_config
from toolkit.storage.store_server import HEARTBEAT_SECONDS, TOUCHED, with_heartbeat

FOLDER = "/downloads"
_FIRST = ("sh", "-c", shell_program("toolkit.storage", "while_touched.sh"), "wait", TOUCHED, str(HEARTBEAT_SECONDS))
_WANTED = f"{PRIVATE}/wanted"
"""The list of what is downloaded: the rest of the folder is not, and what arrived before is not again."""
_ROOM = 64 << 20
"""Bytes by which objects may have grown since they were listed, before rclone stops: the disk is not endless."""
_SMALL_AT_ONCE = 16
_AT_ONCE = 4
_SMALL = 1 << 20
OnBytes = Callable[[int], None]


class BulkDownload:
    """A container on the machine of `engine`, which downloads from `prefix` of a bucket into `folder`."""

    def __init__(self, engine: Engine, name: str, bucket: str, prefix: str, folder: Path) -> None:
        self.folder = folder
        self._engine, self._name, self._bucket, self._prefix = engine, name, bucket, prefix
        self._place = ""

    @contextmanager
    def started(self, run: str, image: str, access: Access) -> Iterator[BulkDownload]:
        """Start it with the keys, labelled with `run`; remove it at the end. Raises `ToolkitError` (S100)."""
        engine, owner = self._engine, f"{os.getuid()}:{os.getgid()}"
        self._place = "/".join(filter(None, (self._bucket, access.prefix, self._prefix)))
        self.folder.mkdir()
        binds = [Bind(str(self.folder), FOLDER)]
        try:
            engine.run(engine.runtime.start_store(self._name, run, image, binds, owner, _FIRST))
            keys = rclone_config({"results": access}).encode()
            engine.run(engine.runtime.execute(self._name, receive_file(CONFIG), stdin=True), data=keys)
            touch = engine.runtime.execute(self._name, ("touch", TOUCHED))
            with with_heartbeat(lambda: engine.run(touch, check=False)):
                yield self
        finally:
            engine.run(engine.runtime.remove("container", self._name), check=False)

    def name_of(self, key: str) -> str:
        """An object's name below the prefix."""
        return key.removeprefix(f"{self._prefix}/")

    def file_of(self, key: str) -> Path:
        """Where an object arrives."""
        return self.folder / self.name_of(key)

    def fetch(self, names: Sequence[str], sizes: Sequence[int], on_bytes: OnBytes) -> None:
        """Download objects; `names`, without line ends, are relative to the prefix, `sizes` are theirs in bytes."""
        done, list_of_names = 0, "".join(f"{name}\n" for name in names).encode()

        def on_line(line: str) -> None:
            nonlocal done
            if stats := read_stats(line):
                on_bytes(stats[0] - done)
                done = stats[0]

        runtime = self._engine.runtime
        self._engine.run(runtime.execute(self._name, receive_file(_WANTED), stdin=True), data=list_of_names)
        self._engine.stream(runtime.execute(self._name, copy_argv(self._place, sizes)), on_line)


def copy_argv(place: str, sizes: Sequence[int]) -> Argv:
    """rclone's command line, for the objects in its list.

    Keys are taken literally. No checksum is computed, and no object's own time of change requested: callers compare
    with the SHA-256 that they know. Many small objects are requested at the same time, large ones in parallel parts.
    """
    total = sum(sizes)
    at_once = _SMALL_AT_ONCE if total < _SMALL * len(sizes) else _AT_ONCE
    return [
        *("rclone", "--config", CONFIG, "--cache-dir", f"{PRIVATE}/cache"),
        *("copy", "--inplace", "--ignore-checksum", "--use-server-modtime", "--no-update-modtime", "--retries", "1"),
        *("--transfers", str(at_once), "--checkers", str(at_once)),
        *("--max-transfer", f"{total + _ROOM}B", "--cutoff-mode", "HARD", *STATS, "--files-from-raw", _WANTED),
        *(f"results,encoding=Raw:{place}", FOLDER),
    ]
