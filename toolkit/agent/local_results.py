"""Results that programs write to a folder on the host's disk (`write: local`): they are uploaded meanwhile.

A mount passes each file through FUSE and rclone's cache, which takes milliseconds for each; here a program writes to
the host's own file system. A thread of the container with the keys looks at the folder again and again, links what is
new where no learner reaches it (`toolkit.agent.local_folder`), and uploads the links. They are where a mount would have
its cached files, so results are compared with the bucket as those of a mount are (`toolkit.agent.compare`).
"""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from toolkit.agent.local_files import (
    UNKNOWN,
    Scan,
    Stamp,
    at_rest,
    first_of,
    next_upload,
    to_link,
    to_remove,
    to_unlink,
    to_upload,
)
from toolkit.agent.local_folder import Journal, Links, scan
from toolkit.agent.local_uploads import Store, Work
from toolkit.agent.paths import CACHE, CONTROL, RESULTS, UPLOAD_ERROR
from toolkit.agent.untrusted import NotRegular
from toolkit.agent.upload_progress import Waiting
from toolkit.agent.uploads import root_of

_TICK_SECONDS, _SCAN_SECONDS, _PAUSE_SECONDS = 0.05, 0.5, 2.0
_SCAN_SHARE = 5
"""A scan of a million files takes seconds: the time between two is at least this many times what one takes."""
_TOLD = 1000
"""Maximum number of waiting files that are named, those that have waited longest: a response has a maximum size."""
_NAMED, _LONGEST = 20, 200


class Uploader(Protocol):
    """What uploads and removes; see `toolkit.agent.local_uploads.Store`."""

    def upload(self, names: Iterable[str]) -> Work:
        """Begin to upload files."""

    def remove(self, names: Iterable[str]) -> Work:
        """Begin to remove objects."""


class LocalResults:
    """The results folder of `run` on this host.

    `folder` is where learners write, `links` where no learner reaches; `control` is the tool's own folder in the same
    file system, `said` a file that gets the last failure.
    """

    def __init__(self, run: str, store: Uploader, folder: Path, links: Path, control: Path, said: Path) -> None:
        self._run, self._store, self._folder, self._said = run, store, folder, said
        self._lock = threading.RLock()
        self._links = Links(folder, links, control / "link")
        self._journal = Journal(control / "uploaded")
        self._stored = self._journal.read()
        self._seen, self._before = Scan(), dict[str, Stamp]()
        self._wanted, self._waiting, self._removed = dict[str, Stamp](), dict[str, Stamp](), dict[str, None]()
        self._numbers, self._number = dict[str, int](), itertools.count()
        self._tries = dict[str, int]()
        self._work: Work | None = None
        self._under_way, self._removing = dict[str, Stamp](), False
        self._next_scan = self._next_work = 0.0

    def upload_forever(self) -> None:
        """Look and upload until the process ends."""
        while True:
            try:
                self.step(time.monotonic())
                time.sleep(_TICK_SECONDS)
            except Exception:  # nothing counts as uploaded that is not: the run's end shows what is missing
                print(traceback.format_exc(), file=sys.stderr, flush=True)
                time.sleep(_PAUSE_SECONDS)

    def step(self, now: float) -> None:
        """Look at the folder, if it is time; take the outcome of the upload in progress; begin the next one."""
        with self._lock:
            if now >= self._next_scan:
                self._look()
            if self._work and (outcome := self._work.outcome()):
                self._work = None
                self._take(outcome.done, outcome.said, now)
            if not self._work and now >= self._next_work:
                self._begin()

    def waiting(self) -> Waiting:
        """What is still to be uploaded or removed, without files that a program is still writing."""
        with self._lock:
            # Not in the order of uploads, which failures change: a file that is named no more counts as progress.
            named = heapq.nsmallest(_TOLD, ((number, name) for name, number in self._numbers.items()))
            uploading = 0 if self._removing else len(self._under_way)
            return Waiting(
                queued=max(0, len(self._waiting) + len(self._removed) - uploading),
                uploading=uploading,
                errored=len(self._tries),
                files={number: f"{self._run}/{name}" for number, name in named},
                sent=self._work.sent() if self._work else {},
                sparse=tuple(f"{self._run}/{name} ({hole:,} bytes never written)" for name, hole in self._sparse()),
            )

    def settled(self) -> bool:
        """Whether the folder, as it is now, is in the bucket."""
        with self._lock:
            self._look()
            return not (self._wanted or self._removed or self._work)

    def unstorable(self) -> tuple[str, ...]:
        """What is in the folder and cannot be in a bucket: `run/latest is a symbolic link`; the first of many."""
        with self._lock:
            others = heapq.nsmallest(_NAMED, self._seen.others.items())
            return tuple(f"{self._run}/{name[:_LONGEST]} is {kind}" for name, kind in others)

    def _look(self) -> None:
        """Scan the folder, and link what is new. Links are removed first: a file may be where a folder was."""
        began = time.monotonic()
        seen = scan(self._folder)
        for name in to_unlink(seen.files, self._links.by_name):
            self._links.remove(name)
        for name in to_link(seen.files, self._links.by_name):
            try:
                seen.files[name] = self._links.add(name)
            except (FileNotFoundError, NotRegular):  # removed or replaced since: the next scan sees by what
                del seen.files[name]
                self._links.remove(name)
            except OSError as error:  # it waits, and so is not lost
                self._failed(name, f"{self._run}/{name}: {error.strerror}")
        self._before, self._seen = self._seen.files, seen
        self._sort()
        self._next_scan = began + max(_SCAN_SECONDS, (time.monotonic() - began) * _SCAN_SHARE)

    def _sort(self) -> None:
        """Find what waits; each file keeps its number until it is done, or changes."""
        files = self._seen.files
        self._wanted = to_upload(files, self._stored, self._wanted)
        self._removed = dict.fromkeys(to_remove(files, self._stored))
        self._waiting = at_rest(self._wanted, self._before)
        waiting = (*self._waiting, *self._removed)
        self._numbers = {name: self._numbers[name] if name in self._numbers else next(self._number) for name in waiting}
        self._tries = {name: tries for name, tries in self._tries.items() if name in self._numbers}

    def _sparse(self) -> list[tuple[str, int]]:
        return [(name, hole) for name, hole in self._seen.sparse.items() if name in self._waiting]

    def _begin(self) -> None:
        """Begin a removal, or else an upload: an object may be where a folder must be."""
        gone = dict(first_of((name, self._stored[name]) for name in self._removed))
        new = next_upload(self._waiting, self._links.by_name, self._seen.sparse)
        self._under_way, self._removing = gone or new, bool(gone)
        if new and not gone:
            begun = [(name, UNKNOWN) for name in new if name not in self._stored]
            self._stored |= begun
            self._journal.stored(begun)
        if self._under_way:
            self._work = (self._store.remove if gone else self._store.upload)(self._under_way)

    def _take(self, done: frozenset[str], said: str, now: float) -> None:
        """Note what is done. What is not goes behind the others; if it is still there, it has failed."""
        ended = {name: stamp for name, stamp in self._under_way.items() if name in done}
        if self._removing:
            for name in ended:
                self._stored.pop(name)
            self._journal.removed(ended)
        else:
            self._stored |= ended
            self._journal.stored(ended.items())
        for name in ended:
            self._numbers.pop(name, None)
            self._tries.pop(name, None)
        for name, stamp in self._under_way.items():
            if name not in done and (self._removing or self._seen.files.get(name) == stamp):
                self._failed(name, said)
                self._next_work = now + _PAUSE_SECONDS
                if name in self._wanted:
                    self._wanted[name] = self._wanted.pop(name)
        self._under_way = {}
        self._sort()

    def _failed(self, name: str, said: str) -> None:
        self._tries[name] = self._tries.get(name, 0) + 1
        with suppress(OSError):
            self._said.write_text(said or f"{self._run}/{name} was not uploaded", "utf-8", "replace")


def local_results(run: str, filesystem: str) -> LocalResults:
    """Those of a run in the container with the keys; `filesystem` is the results' name in rclone."""
    Path(CACHE).mkdir(mode=0o700, exist_ok=True)
    links = root_of(filesystem, Path(CACHE)) / run
    store = Store(f"{filesystem}/{run}", links)
    return LocalResults(run, store, Path(RESULTS), links, Path(CONTROL), Path(UPLOAD_ERROR))
