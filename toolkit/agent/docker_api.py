"""The host's container engine over its socket: the few calls that an agent needs, over the engine's HTTP API.

API version 1.40 is supported by Docker Engine 19.03 and later, and by podman's compatible service.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from toolkit.agent.paths import ENGINE
from toolkit.agent.unix_http import UnixConnection

RUN_LABEL = "toolkit.run"
_API = "/v1.40"
_TIMEOUT = 120


class EngineRefused(Exception):
    """The engine does not answer, or refuses; with its message."""


@dataclass(frozen=True)
class ContainerState:
    """A container's state. `there` is false if it does not exist; `oom` is true if it reached its memory limit."""

    there: bool
    running: bool = False
    exit_status: int | None = None
    oom: bool = False


class DockerApi:
    """The engine of the agent's host, which listens at `place`."""

    def __init__(self, place: str = ENGINE) -> None:
        self._place = place

    def state(self, container: str) -> ContainerState:
        """A container's state; raises `EngineRefused` if the engine does not answer."""
        status, data = self._call("GET", f"/containers/{quote(container)}/json")
        if status == http.client.NOT_FOUND:
            return ContainerState(there=False)
        state = self._object(status, data).get("State", {})
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

    def processes(self, container: str) -> tuple[int, int]:
        """A container's current number and limit of processes and threads (0: unknown)."""
        status, data = self._call("GET", f"/containers/{quote(container)}/stats?stream=false")
        found = self._object(status, data).get("pids_stats") or {}
        return int(found.get("current") or 0), int(found.get("limit") or 0)

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
        body = {"Name": name, "Labels": {RUN_LABEL: run}}
        status, data = self._call("POST", "/volumes/create", body)
        self._object(status, data)

    def settings(self, container: str) -> dict[str, Any]:
        """How a container was created, for `run_like`; empty if it does not exist."""
        status, data = self._call("GET", f"/containers/{quote(container)}/json")
        if status == http.client.NOT_FOUND:
            return {}
        found = self._object(status, data)
        return {
            "Image": found["Image"],
            "Labels": found["Config"].get("Labels") or {},
            "HostConfig": found["HostConfig"] | {"AutoRemove": False},
        }

    def run_like(self, settings: Mapping[str, Any], name: str, command: Sequence[str], seconds: int) -> None:
        """Run a command in a new container with the settings of another, and remove it."""
        body = dict(settings) | {"Cmd": list(command)}
        status, data = self._call("POST", f"/containers/create?name={quote(name)}", body)
        self._object(status, data)
        try:
            self._object(*self._call("POST", f"/containers/{quote(name)}/start"), empty=True)
            self._call("POST", f"/containers/{quote(name)}/wait", timeout=seconds)
        finally:
            self.remove_container(name)

    def labelled_volumes(self, label: str) -> dict[str, str]:
        """The names of all volumes with `label`, with its value."""
        status, data = self._call("GET", f"/volumes?{urlencode({'filters': json.dumps({'label': [label]})})}")
        found = self._object(status, data).get("Volumes") or []
        return {str(one["Name"]): str((one.get("Labels") or {}).get(label, "")) for one in found}

    def volumes(self, run: str) -> list[str]:
        """The names of the run's volumes."""
        return [name for name, label in self.labelled_volumes(RUN_LABEL).items() if label == run]

    def remove_container(self, name: str) -> bool:
        """Kill and remove; true if it is gone."""
        status, _ = self._call("DELETE", f"/containers/{quote(name)}?force=1&v=1")
        return status in (http.client.NO_CONTENT, http.client.NOT_FOUND)

    def remove_network(self, name: str) -> bool:
        """True if it is gone."""
        status, _ = self._call("DELETE", f"/networks/{quote(name)}")
        return status in (http.client.NO_CONTENT, http.client.NOT_FOUND)

    def remove_volume(self, name: str) -> bool:
        """True if it is gone."""
        status, _ = self._call("DELETE", f"/volumes/{quote(name)}?force=1")
        return status in (http.client.NO_CONTENT, http.client.NOT_FOUND)

    def containers(self, run: str) -> list[str]:
        """The names of the run's containers, running or not."""
        query = urlencode({"all": 1, "filters": json.dumps({"label": [f"{RUN_LABEL}={run}"]})})
        status, data = self._call("GET", f"/containers/json?{query}")
        return [one["Names"][0].lstrip("/") for one in self._list(status, data)]

    def networks(self, run: str) -> list[str]:
        """The names of the run's networks."""
        query = urlencode({"filters": json.dumps({"label": [f"{RUN_LABEL}={run}"]})})
        status, data = self._call("GET", f"/networks?{query}")
        return [str(one["Name"]) for one in self._list(status, data)]

    def _call(
        self, verb: str, path: str, body: Mapping[str, Any] | None = None, timeout: float = _TIMEOUT
    ) -> tuple[int, bytes]:
        connection = UnixConnection(self._place, timeout)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(verb, _API + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineRefused(f"{verb} {path.partition('?')[0]}: {error}") from None
        finally:
            connection.close()

    @staticmethod
    def _object(status: int, data: bytes, *, empty: bool = False) -> dict[str, Any]:
        if status >= http.client.BAD_REQUEST:
            raise EngineRefused(data.decode("utf-8", "replace")[:500])
        if empty:
            return {}
        found = json.loads(data)
        return found if isinstance(found, dict) else {}

    @staticmethod
    def _list(status: int, data: bytes) -> list[dict[str, Any]]:
        if status >= http.client.BAD_REQUEST:
            raise EngineRefused(data.decode("utf-8", "replace")[:500])
        return json.loads(data) or []


def _unframed(data: bytes) -> str:
    """The text of a container's output, which the engine sends in frames: an 8-byte header, whose last 4 bytes are the
    length."""
    text, position = b"", 0
    while position + 8 <= len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "big")
        text += data[position + 8 : position + 8 + length]
        position += 8 + length
    return text.decode("utf-8", "replace")
