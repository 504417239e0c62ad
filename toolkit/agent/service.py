"""The narrow interface between a run's two side containers: the one with the keys answers, the agent asks.

They communicate over a socket in the run's volume, in a directory that no learner mounts. The permitted requests are
listed in `_CALLS`: none of them reads a key, runs a command, or names a file of the container.

A request is a line of JSON, `{"call": name, "with": [arguments], "bytes": n}`, and n bytes; so is a response,
`{"value": ..., "bytes": n}` or `{"fault": {...}}`.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import time
from collections.abc import Callable
from dataclasses import asdict
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from toolkit.agent.end_reasons import Reason
from toolkit.agent.flush import NotStored
from toolkit.agent.paths import BUCKETS, CHECKPOINTS, CONTROL_FOLDER
from toolkit.agent.results_bucket import Bucket
from toolkit.agent.traffic import Traffic, traffic
from toolkit.agent.upload_progress import Waiting

_MAX_LINE = 1 << 24
_MAX_BYTES = 1 << 28
_SECONDS = 600.0
"""For a response: longer than the other side waits for rclone's own process, or for a small object."""
_SHORT, _SHORT_SECONDS = ("traffic",), 4.0
_LONG_SECONDS = 24 * 3600.0
_LONG = ("differences", "put_logs", "put_checksums")
"""These take long with terabytes; each of their steps has its own deadline (`toolkit.agent.rclone`)."""
_START_SECONDS, _POLL_SECONDS = 10.0, 0.05
_AT_ONCE = ("traffic", "unmount", "abort", "discard_code")
"""Calls that do not wait for the other side to start: it may be gone already."""


class Refused(Exception):
    """The request is not permitted."""


class Service:
    """Answers requests about one run's bucket. Names of objects and directories must be that run's."""

    def __init__(self, run: str, bucket: Bucket) -> None:
        self._run, self._bucket = run, bucket
        self._calls: dict[str, Callable[..., Any]] = {
            "waiting": lambda: asdict(bucket.waiting()),
            "whole": bucket.whole,
            "unstorable": lambda: list(bucket.unstorable()),
            "refusal": lambda: [*map(str, bucket.refusal())],
            "probe": bucket.probe,
            "differences": lambda folder, shared: bucket.differences(self._directory(folder), shared=bool(shared)),
            "put_checksums": lambda name: bucket.put_checksums(self._object(name)),
            "put_logs": lambda: list(bucket.put_logs()),
            "size": lambda: list(bucket.size()),
            "traffic": traffic,
            "discard_code": bucket.discard_code,
            "abort": bucket.abort,
            "unmount": bucket.unmount,
        }

    def answer(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """The response to a request, and the bytes that go with it."""
        call, words = str(request.get("call")), request.get("with", [])
        try:
            if call == "put":
                name, short = words
                return {"value": self._bucket.put(self._object(name), data, short=bool(short))}, b""
            if call == "get":
                name, most = words
                found = self._bucket.get(self._object(name), min(int(most), _MAX_BYTES))
                return {"value": found is not None}, found or b""
            if call not in self._calls:
                raise Refused(f"{call!r} is not a request")
            return {"value": self._calls[call](*words)}, b""
        except NotStored as error:
            said = {"reason": error.reason.value, "what": error.what, "evidence": error.evidence, "final": error.final}
            return {"fault": said}, b""
        except (Refused, TypeError, ValueError) as error:
            return {"fault": {"reason": Reason.SYSTEM.value, "what": f"{call}: {error}"}}, b""

    def _object(self, name: str) -> str:
        """A name of an object of this run. Raises `Refused`."""
        parts = str(name).split("/")
        own = parts[:1] == [self._run] or parts[:2] == [CONTROL_FOLDER, self._run]
        if not own or any(part in ("", ".", "..") for part in parts):
            raise Refused(f"{name!r} is not an object of {self._run}")
        return "/".join(parts)

    def _directory(self, name: str) -> str:
        if name not in (self._run, CHECKPOINTS):
            raise Refused(f"{name!r} is not a directory that {self._run} writes to")
        return str(name)


def serve(service: Service, place: str = BUCKETS) -> socketserver.BaseServer:
    """A server that listens at `place`, which only root can access; `serve_forever` runs it."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            request, data = read_message(self.rfile)
            write_message(self.wfile, *service.answer(request, data))

    Path(place).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    Path(place).unlink(missing_ok=True)
    before = os.umask(0o077)
    try:
        server = socketserver.ThreadingUnixStreamServer(place, Handler)
    finally:
        os.umask(before)
    server.daemon_threads = True
    return server


class BucketClient:
    """The bucket as the agent sees it: each method asks the container with the keys; `Bucket` documents them."""

    def __init__(self, place: str = BUCKETS) -> None:
        self._place, self._answered = place, False

    def waiting(self) -> Waiting:
        found = self._ask("waiting")
        files = {int(number): str(name) for number, name in found.pop("files").items()}
        return Waiting(**{**found, "files": files, "sparse": tuple(found["sparse"])})

    def whole(self) -> bool:
        return self._ask("whole") is True

    def unstorable(self) -> tuple[str, ...]:
        return tuple(map(str, self._ask("unstorable")))

    def refusal(self) -> tuple[Reason, str]:
        reason, said = self._ask("refusal")
        return Reason(reason), str(said)

    def probe(self) -> str:
        return str(self._ask("probe"))

    def differences(self, folder: str, *, shared: bool = True) -> str:
        return str(self._ask("differences", folder, shared))

    def put_checksums(self, name: str) -> str:
        return str(self._ask("put_checksums", name))

    def put(self, name: str, data: bytes, *, short: bool = True) -> bool:
        """See `Bucket`; also false if nobody answers."""
        try:
            return self._ask("put", name, short, data=data) is True
        except NotStored:
            return False

    def get(self, name: str, most: int = 1 << 20) -> bytes | None:
        """See `Bucket`; also None if nobody answers."""
        try:
            value, data = self._exchange({"call": "get", "with": [name, most]}, b"")
        except NotStored:
            return None
        return data if value else None

    def put_logs(self) -> tuple[str, ...]:
        return tuple(map(str, self._ask("put_logs")))

    def size(self) -> tuple[int, int]:
        """Objects and bytes of the run's folder."""
        count, size = self._ask("size")
        return int(count), int(size)

    def traffic(self) -> Traffic | None:
        """See `traffic`; also None if nobody answers."""
        try:
            found = self._ask("traffic")
            return {"received": int(found["received"]), "sent": int(found["sent"]), "mounts": int(found["mounts"])}
        except (NotStored, LookupError, TypeError, ValueError):
            return None

    def discard_code(self) -> None:
        self._ask("discard_code")

    def abort(self) -> None:
        self._ask("abort")

    def unmount(self) -> None:
        """See `Bucket`. Raises `NotStored` if nobody answers."""
        self._ask("unmount")

    def _ask(self, call: str, *words: Any, data: bytes = b"") -> Any:
        return self._exchange({"call": call, "with": list(words)}, data)[0]

    def _exchange(self, request: dict[str, Any], data: bytes) -> tuple[Any, bytes]:
        """Raises `NotStored`: with the other side's message, or because it does not answer."""
        try:
            with self._connected(request["call"]) as connection:
                self._answered = True
                with connection.makefile("rwb") as stream:
                    write_message(stream, request, data)
                    answer, found = read_message(stream)
        except (OSError, ValueError, RecursionError) as error:
            what = "the container that mounts the buckets does not answer"
            raise NotStored(Reason.SYSTEM, what, str(error)) from None
        if fault := answer.get("fault"):
            final = fault.get("final") is True
            raise NotStored(Reason(fault["reason"]), str(fault["what"]), str(fault.get("evidence", "")), final=final)
        return answer.get("value"), found

    def _connected(self, call: str) -> socket.socket:
        """A connection. The first one waits until the other side listens: in a rescue, the volume has the socket of the
        container before. Raises `OSError`."""
        until = time.monotonic() + (0 if self._answered or call in _AT_ONCE else _START_SECONDS)
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(_deadline(call))
            try:
                connection.connect(self._place)
                return connection
            except OSError as error:
                connection.close()
                if time.monotonic() >= until or not isinstance(error, ConnectionRefusedError | FileNotFoundError):
                    raise
            time.sleep(_POLL_SECONDS)


def _deadline(call: str) -> float:
    if call in _SHORT:
        return _SHORT_SECONDS
    return _LONG_SECONDS if call in _LONG else _SECONDS


def read_message(stream: BufferedIOBase) -> tuple[dict[str, Any], bytes]:
    """A message and its bytes. Raises `ValueError` if it is invalid, or too large."""
    line = stream.readline(_MAX_LINE)
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("no message")
    size = message.get("bytes", 0)
    if type(size) is not int or not 0 <= size <= _MAX_BYTES:
        raise ValueError("too many bytes")
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("cut short")
    return message, data


def write_message(stream: BufferedIOBase, message: dict[str, Any], data: bytes) -> None:
    """Write a message and its bytes."""
    stream.write(json.dumps(message | {"bytes": len(data)}).encode() + b"\n" + data)
    stream.flush()
