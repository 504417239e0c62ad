"""What `docker info` or `podman info` printed as JSON on one line, among whatever else it said. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from toolkit.doctor.facts import EngineFacts

_LONGEST = 500


def engine_facts(lines: Sequence[str]) -> EngineFacts:
    """The engine of a host, from the lines of that section; a version alone says that it answers."""
    if not lines:
        return EngineFacts(said="nothing is known of it")
    if lines[0] == "missing":
        return EngineFacts(missing=True, said="no such command")
    info: dict[str, Any] = {}
    said: list[str] = []
    for line in lines:
        if line.startswith("{") and (read := _object(line)):
            info = read
        elif not line.startswith("status "):
            said.append(line)
    errors = [one for one in _list(info.get("ServerErrors")) if isinstance(one, str)]
    found = _podman(info) if "store" in info else _docker(info)
    if found.version and not errors:
        return found
    if "status 124" in lines:
        said.append("it does not answer")
    return EngineFacts(said=" ".join([*errors, *said])[:_LONGEST] or "it does not tell its version")


def _docker(info: dict[str, Any]) -> EngineFacts:
    runtimes = info.get("Runtimes")
    return EngineFacts(
        version=_text(info.get("ServerVersion")),
        root=_text(info.get("DockerRootDir")),
        driver=_text(info.get("Driver")),
        runtimes=tuple(sorted(runtimes)) if isinstance(runtimes, dict) else (),
        cpuset=info.get("CPUSet") is True,
        kernel=_text(info.get("KernelVersion")),
        own=any("name=rootless" in _text(one) for one in _list(info.get("SecurityOptions"))),
        pids=info["PidsLimit"] is True if "PidsLimit" in info else None,
    )


def _podman(info: dict[str, Any]) -> EngineFacts:
    store, host, version = (_dict(info.get(name)) for name in ("store", "host", "version"))
    runtime = _text(_dict(host.get("ociRuntime")).get("name"))
    return EngineFacts(
        version=_text(version.get("Version")),
        root=_text(store.get("graphRoot")),
        driver=_text(store.get("graphDriverName")),
        runtimes=(runtime,) if runtime else (),
        cpuset="cpuset" in _list(host.get("cgroupControllers")),
        kernel=_text(host.get("kernel")),
        own=_dict(host.get("security")).get("rootless") is True,
        pids="pids" in _list(host.get("cgroupControllers")),
    )


def _object(line: str) -> dict[str, Any]:
    try:
        return _dict(json.loads(line))
    except (ValueError, RecursionError):
        return {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
