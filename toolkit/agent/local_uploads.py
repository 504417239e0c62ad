"""Uploads of linked files, and removals of objects, by rclone's daemon: its statistics show how far a large file is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Protocol

from toolkit.agent import rc
from toolkit.agent.checksums import key_of
from toolkit.agent.compare import path_of, raw
from toolkit.agent.local_files import is_odd
from toolkit.agent.paths import PRIVATE
from toolkit.agent.rclone import rclone, seconds_for

_TRANSFERS = 8
_GROUP = "toolkit"
"""Of all jobs: their bytes would be gone from rclone's total with a group of their own (`toolkit.agent.traffic`)."""
_LONGEST = 2000
Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What an upload or a removal did: the names that are done, and rclone's message for the others."""

    done: frozenset[str]
    said: str = ""


class Work(Protocol):
    """An upload or a removal in progress."""

    def outcome(self) -> Outcome | None:
        """Its outcome; None while it is in progress."""

    def sent(self) -> Mapping[str, int]:
        """Bytes of each file in progress that `core/stats` does not include."""


class Store:
    """A folder of the bucket, `filesystem` ("results:bucket/prefix/run"), for the files linked below `links`."""

    def __init__(
        self, filesystem: str, links: Path, ask: Ask = rc.ask, list_of_names: Path = Path(PRIVATE) / "names"
    ) -> None:
        self._filesystem, self._links, self._ask, self._list = filesystem, links, ask, list_of_names
        self._pool = ThreadPoolExecutor(1)

    def upload(self, names: Iterable[str]) -> Work:
        """Begin to upload files: one with an odd name, or several others."""
        names = tuple(names)
        if is_odd(names[0]):
            return OddUpload(self._pool, self._links / names[0], names[0], self._object(names[0]))
        # The destination is not listed: what is there is older, and listing a folder that grows takes ever longer.
        about = {"srcFs": str(self._links), "dstFs": self._filesystem}
        return self._job("sync/copy", about, names, {"NoCheckDest": True, "Transfers": _TRANSFERS})

    def remove(self, names: Iterable[str]) -> Work:
        """Begin to remove objects; one that does not exist is no error."""
        names = tuple(names)
        if is_odd(names[0]):
            return OddRemoval(self._pool, names[0], self._object(names[0]))
        return self._job("operations/delete", {"fs": self._filesystem}, names, {})

    def _object(self, name: str) -> str:
        return f"{raw(self._filesystem)}/{path_of(key_of(name))}"

    def _job(self, call: str, about: Mapping[str, Any], names: tuple[str, ...], config: Mapping[str, Any]) -> Work:
        self._list.write_text("".join(f"{name}\n" for name in names), "utf-8")
        how = {"_async": True, "_group": _GROUP, "_config": config, "_filter": {"FilesFromRaw": [str(self._list)]}}
        begun = self._ask(call, {**about, **how})
        return Job(self._ask, begun, frozenset(names), names_done=call == "sync/copy")


class Job:
    """A job of rclone's daemon, which has answered `begun`; with `names_done` only what it names is done."""

    def __init__(self, ask: Ask, begun: Mapping[str, Any], names: frozenset[str], *, names_done: bool) -> None:
        self._ask, self._begun, self._names, self._names_done = ask, begun, names, names_done

    def outcome(self) -> Outcome | None:
        """See `Work`. While the daemon does not answer, its job may go on."""
        if "jobid" not in self._begun:
            return Outcome(frozenset(), str(self._begun.get("error", "rclone does not answer"))[:_LONGEST])
        status = self._ask("job/status", {"jobid": self._begun["jobid"]})
        if not status or status.get("finished") is False:
            return None
        said = str(status.get("error", ""))
        if not self._names_done:
            return Outcome(self._names if status.get("success") else frozenset(), said[:_LONGEST])
        every = self._ask("core/transferred", {"group": _GROUP}).get("transferred") or ()
        since = _moment(status.get("startTime"))
        ended = [one for one in every if _moment(one.get("started_at")) >= since]
        errors = [f"{one.get('name')}: {one['error']}" for one in ended if one.get("error")]
        done = {one.get("name") for one in ended if not one.get("error") and not one.get("checked")}
        return Outcome(self._names & done, (errors[0] if errors else said)[:_LONGEST])

    def sent(self) -> Mapping[str, int]:
        """See `Work`."""
        return {}


def _moment(text: object) -> datetime:
    """A time in rclone's format; the first of all if it is none."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


class OddRemoval:
    """Removes the object of a file whose name no list can have."""

    def __init__(self, pool: ThreadPoolExecutor, name: str, place: str) -> None:
        self._name = name
        self._future = pool.submit(rclone, "deletefile", place, seconds=seconds_for(0))

    def outcome(self) -> Outcome | None:
        """See `Work`."""
        if not self._future.done():
            return None
        done = self._future.result()
        said = done.stderr.decode("utf-8", "replace")[-_LONGEST:]
        gone = done.returncode == 0 or "object not found" in said
        return Outcome(frozenset({self._name} if gone else ()), said)

    def sent(self) -> Mapping[str, int]:
        """See `Work`."""
        return {}


class OddUpload:
    """Uploads a file with such a name, through rclone's standard input."""

    def __init__(self, pool: ThreadPoolExecutor, link: Path, name: str, place: str) -> None:
        self._name, self._file = name, -1
        self._future: Future[CompletedProcess[bytes]] = pool.submit(self._upload, link, place)

    def _upload(self, link: Path, place: str) -> CompletedProcess[bytes]:
        with link.open("rb", buffering=0) as file:
            self._file = file.fileno()
            size = os.fstat(self._file).st_size
            try:
                return rclone("rcat", "--size", str(size), place, file=self._file, seconds=seconds_for(size))
            finally:
                self._file = -1

    def outcome(self) -> Outcome | None:
        """See `Work`."""
        if not self._future.done():
            return None
        if error := self._future.exception():
            return Outcome(frozenset(), str(error)[:_LONGEST])
        done = self._future.result()
        uploaded = frozenset({self._name} if done.returncode == 0 else ())
        return Outcome(uploaded, done.stderr.decode("utf-8", "replace")[-_LONGEST:])

    def sent(self) -> Mapping[str, int]:
        """See `Work`. rclone reads by the same open file, so its position is how far it is."""
        try:
            return {self._name: os.lseek(self._file, 0, os.SEEK_CUR)}
        except OSError:
            return {}
