"""The host's container engine over its socket: the few calls that an agent needs, over the engine's HTTP API.

API version 1.40 is supported by Docker Engine 19.03 to 28, and by podman's compatible service. An engine that no longer
supports it names the oldest version that it does support, and gets that.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from toolkit.agent.paths import ENGINE
from toolkit.agent.unix_http import UnixConnection

RUN_LABEL = "toolkit.run"
_API = "1.40"
_TOO_OLD = re.compile(rb"Minimum supported API version is ([0-9]+\.[0-9]+)")
"""From the answer to a request of an older version (`server/middleware/version.go` of moby)."""
_TIMEOUT = 120
_HEADER = 8
"""Bytes before each piece of a container's output; the last four are the piece's length."""
_PIECE = 1 << 16
_MOST_SAID = 500


class EngineRefused(Exception):
    """The engine does not answer, or refuses; with its message."""


@dataclass(frozen=True)
class ContainerState:
    """A container's state. `there` is false if it does not exist; `oom` is true if it reached its memory limit."""

    there: bool
    running: bool = False
    exit_status: int | None = None
    oom: bool = False


@dataclass(frozen=True)
class Usage:
    """What a container uses.

    Attributes:
        processes, limit: its current number and limit of processes and threads (0: unknown).
        cpu: processor seconds so far.
        memory: bytes, without files that the kernel may forget.
        at: when this was read: seconds of this process's clock (`time.monotonic`).
    """

    processes: int = 0
    limit: int = 0
    cpu: float = 0.0
    memory: int = 0
    at: float = 0.0


class DockerApi:
    """The engine of the agent's host, which listens at `place`."""

    def __init__(self, place: str = ENGINE) -> None:
        self._place, self._api = place, _API

    def state(self, container: str) -> ContainerState:
        """A container's state; raises `EngineRefused` if the engine does not answer."""
        found = self._inspect(container)
        if found is None:
            return ContainerState(there=False)
        state = found.get("State", {})
        running = bool(state.get("Running"))
        return ContainerState(
            there=True,
            running=running,
            exit_status=None if running else int(state.get("ExitCode", -1)),
            oom=bool(state.get("OOMKilled")),
        )

    def oom_since(self, container: str, since: float, until: float) -> bool:
        """Whether a process of the container was OOM-killed between two times (seconds since 1970).

        On some versions, `State.OOMKilled` covers only the first process; the events cover any.
        """
        filters = json.dumps({"container": [container], "event": ["oom"]})
        query = urlencode({"since": f"{since:.3f}", "until": f"{until:.3f}", "filters": filters})
        status, data = self._call("GET", f"/events?{query}")
        return status == http.client.OK and bool(data.strip())

    def usage(self, container: str) -> Usage:
        """What a container uses. The engine takes a second or two to answer."""
        found = self._ask("GET", f"/containers/{quote(container)}/stats?stream=false")
        processes, memory = found.get("pids_stats") or {}, found.get("memory_stats") or {}
        cpu = (found.get("cpu_stats") or {}).get("cpu_usage") or {}
        kept = memory.get("stats") or {}
        files = kept.get("inactive_file") or kept.get("total_inactive_file") or 0  # cgroup 2, cgroup 1
        return Usage(
            processes=int(processes.get("current") or 0),
            limit=int(processes.get("limit") or 0),
            cpu=int(cpu.get("total_usage") or 0) / 1e9,
            memory=max(0, int(memory.get("usage") or 0) - int(files)),
            at=time.monotonic(),
        )

    def has_gpus(self, container: str) -> bool:
        """Whether the container was given GPUs."""
        return bool(((self._inspect(container) or {}).get("HostConfig") or {}).get("DeviceRequests"))

    def execute(self, container: str, argv: Sequence[str], user: str, seconds: float) -> Iterator[bytes]:
        """Run a program in the container, without input; its output (not its errors) as it arrives.

        The output is the container's: not to be trusted. Raises `EngineRefused`, also if nothing arrives for `seconds`.
        """
        body = {"AttachStdout": True, "AttachStderr": False, "User": user, "Cmd": list(argv)}
        number = str(self._ask("POST", f"/containers/{quote(container)}/exec", body)["Id"])
        connection = UnixConnection(self._place, seconds)
        try:
            path, headers = f"/v{self._api}/exec/{quote(number)}/start", {"Content-Type": "application/json"}
            connection.request("POST", path, '{"Detach":false,"Tty":false}', headers)
            answer = connection.getresponse()
            if answer.status >= http.client.BAD_REQUEST:
                raise EngineRefused(answer.read(_MOST_SAID).decode("utf-8", "replace"))
            while len(header := answer.read(_HEADER)) == _HEADER:
                left = int.from_bytes(header[4:], "big")
                while left > 0 and (piece := answer.read1(min(left, _PIECE))):
                    left -= len(piece)
                    yield piece
        except (OSError, http.client.HTTPException) as error:
            raise EngineRefused(f"exec in {container}: {error}") from None
        finally:
            connection.close()

    def stop(self, container: str, seconds: int) -> None:
        """Ask the container to exit, kill it after `seconds`; returns once it has exited."""
        self._call("POST", f"/containers/{quote(container)}/stop?t={seconds}", timeout=seconds + _TIMEOUT)

    def output(self, container: str, lines: int = 20) -> str:
        """The last lines of the container's output."""
        query = urlencode({"stdout": 1, "stderr": 1, "tail": lines})
        status, data = self._call("GET", f"/containers/{quote(container)}/logs?{query}")
        return _unframed(data) if status == http.client.OK else ""

    def create_volume(self, name: str, run: str) -> None:
        """Create a volume with the run's label."""
        self._ask("POST", "/volumes/create", {"Name": name, "Labels": {RUN_LABEL: run}})

    def settings(self, container: str) -> dict[str, Any]:
        """How a container was created, for `run_like`; empty if it does not exist."""
        found = self._inspect(container)
        if found is None:
            return {}
        return {
            "Image": found["Image"],
            "Labels": found["Config"].get("Labels") or {},
            "HostConfig": found["HostConfig"] | {"AutoRemove": False},
        }

    def run_like(self, settings: Mapping[str, Any], name: str, command: Sequence[str], seconds: int) -> None:
        """Run a command in a new container with the settings of another, and remove it."""
        self._ask("POST", f"/containers/create?name={quote(name)}", dict(settings) | {"Cmd": list(command)})
        try:
            _checked(*self._call("POST", f"/containers/{quote(name)}/start"))
            self._call("POST", f"/containers/{quote(name)}/wait", timeout=seconds)
        finally:
            self.remove_container(name)

    def labelled_volumes(self, label: str) -> dict[str, str]:
        """The names of all volumes with `label`, with its value."""
        found = self._ask("GET", f"/volumes?{_with_label(label)}").get("Volumes") or []
        return {str(one["Name"]): str((one.get("Labels") or {}).get(label, "")) for one in found}

    def volumes(self, run: str) -> list[str]:
        """The names of the run's volumes."""
        return [name for name, label in self.labelled_volumes(RUN_LABEL).items() if label == run]

    def remove_container(self, name: str) -> bool:
        """Kill and remove; true if it is gone."""
        return self._remove(f"/containers/{quote(name)}?force=1&v=1")

    def remove_network(self, name: str) -> bool:
        """True if it is gone."""
        return self._remove(f"/networks/{quote(name)}")

    def remove_volume(self, name: str) -> bool:
        """True if it is gone."""
        return self._remove(f"/volumes/{quote(name)}?force=1")

    def containers(self, run: str) -> list[str]:
        """The names of the run's containers, running or not."""
        found = self._ask("GET", f"/containers/json?all=1&{_with_label(f'{RUN_LABEL}={run}')}") or []
        return [one["Names"][0].lstrip("/") for one in found]

    def networks(self, run: str) -> list[str]:
        """The names of the run's networks."""
        return [str(one["Name"]) for one in self._ask("GET", f"/networks?{_with_label(f'{RUN_LABEL}={run}')}") or []]

    def _inspect(self, container: str) -> dict[str, Any] | None:
        status, data = self._call("GET", f"/containers/{quote(container)}/json")
        return None if status == http.client.NOT_FOUND else json.loads(_checked(status, data))

    def _remove(self, path: str) -> bool:
        return self._call("DELETE", path)[0] in (http.client.NO_CONTENT, http.client.NOT_FOUND)

    def _ask(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The response's JSON; raises `EngineRefused` if it is an error."""
        return json.loads(_checked(*self._call(verb, path, body)))

    def _call(
        self, verb: str, path: str, body: Mapping[str, Any] | None = None, timeout: float = _TIMEOUT
    ) -> tuple[int, bytes]:
        status, data = self._call_once(verb, path, body, timeout)
        if status == http.client.BAD_REQUEST and (oldest := _TOO_OLD.search(data)):
            self._api = oldest[1].decode()
            return self._call_once(verb, path, body, timeout)
        return status, data

    def _call_once(self, verb: str, path: str, body: Mapping[str, Any] | None, timeout: float) -> tuple[int, bytes]:
        connection = UnixConnection(self._place, timeout)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(verb, f"/v{self._api}{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineRefused(f"{verb} {path.partition('?')[0]}: {error}") from None
        finally:
            connection.close()


def _checked(status: int, data: bytes) -> bytes:
    if status >= http.client.BAD_REQUEST:
        raise EngineRefused(data.decode("utf-8", "replace")[:_MOST_SAID])
    return data


def _with_label(label: str) -> str:
    return urlencode({"filters": json.dumps({"label": [label]})})


def _unframed(data: bytes) -> str:
    """The text of a container's output, sent in pieces with a header each."""
    text, position = b"", 0
    while position + _HEADER <= len(data):
        length = int.from_bytes(data[position + 4 : position + _HEADER], "big")
        text += data[position + _HEADER : position + _HEADER + length]
        position += _HEADER + length
    return text.decode("utf-8", "replace")
