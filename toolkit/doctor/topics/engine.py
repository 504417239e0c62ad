"""The container engine: it answers, is not too old, and the account may use it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from packaging.version import Version

from toolkit.compatibility.model import version_of
from toolkit.doctor.facts import EngineFacts, HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped
from toolkit.doctor.printed import Printed, number
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.runtimes.registry import RUNTIMES
from toolkit.shell_files import shell_program

_LONGEST = 500


def read(printed: Printed) -> dict[str, object]:
    """The account, and the engine as this account sees it."""
    user, uid, groups = (*printed.lines("user"), "", "", "")[:3]
    engine = engine_facts(printed.lines("engine"))
    return {"user": user, "uid": number(uid), "groups": tuple(groups.split()), "engine": engine}


def engine_facts(lines: Sequence[str]) -> EngineFacts:
    """The engine of a host, from the lines of that section; it counts as answering only with a version."""
    if not lines:
        return EngineFacts(said="no information")
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
    return EngineFacts(said=" ".join([*errors, *said])[:_LONGEST] or "it does not report its version")


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


def account(facts: HostFacts, asked: Asked) -> Finding:
    """The account may use the engine without sudo."""
    program = asked.cluster.container_engine
    if "permission denied" in facts.engine.said.lower():
        hint = f"on the host, as root: usermod -aG docker {facts.user or 'USER'}; effective at the next login"
        return fail(facts.name, "account", f"{facts.user} may not use {program}: {facts.engine.said}", hint)
    if not facts.engine.version:
        return skipped(facts.name, "account", f"{program} does not answer, so access is unknown")
    return ok(facts.name, "account", f"{facts.user} (uid {facts.uid}) uses {program} without sudo")


def engine(facts: HostFacts, asked: Asked) -> Finding:
    """The engine answers and is not too old."""
    program, found = asked.cluster.container_engine, facts.engine
    if found.missing:
        what = f"command `{program}` not found"
        return fail(
            facts.name, "engine", what, f"install it, or set `container_engine` to the installed one ({program})"
        )
    if not found.version:
        hint = f"start it: systemctl start {program} (without an init system: dockerd &)"
        if "permission denied" in found.said.lower():
            hint = f"let {facts.user or 'the account'} use it: see `account`"
        return fail(facts.name, "engine", f"{program} does not answer: {found.said}", hint)
    version, oldest = version_of(found.version.partition("+")[0]), Version(RUNTIMES[program].oldest)
    if version and version < oldest:
        return fail(facts.name, "engine", f"{program} {found.version}", f"{program} {oldest} or newer is needed")
    return ok(facts.name, "engine", f"{program} {found.version}, {found.driver}, images in {found.root}")


TOPIC = Topic(
    script=shell_program("toolkit.doctor.topics", "engine.sh"),
    read=read,
    before_launch={"account": account, "engine": engine},
)
