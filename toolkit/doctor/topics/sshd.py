"""The host's sshd: how many connections and sessions it allows."""

from __future__ import annotations

import re

from toolkit.cluster.jump import parse_hop
from toolkit.cluster.model import Cluster
from toolkit.doctor.facts import HostFacts, SshdLimits
from toolkit.doctor.finding import Finding, ok, skipped, warn
from toolkit.doctor.printed import Printed, number
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.shell_files import shell_program

_STARTUPS = re.compile(r"[0-9]{1,9}(:[0-9]{1,9}:[0-9]{1,9})?")
_SESSIONS = 8
"""The tool opens up to this many on one connection; if sshd allows fewer, it opens more connections."""


def read(printed: Printed) -> dict[str, object]:
    """Its limits."""
    return {"sshd": _limits(printed.lines("sshd")) if "sshd" in printed.sections else None}


def _limits(lines: list[str]) -> SshdLimits:
    """The first value of a setting counts, up to the first Match."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.replace("\t", " ").partition(" ")
        if name.lower() == "match":
            break
        found.setdefault(name.lower(), value.strip())
    known = SshdLimits()
    startups = found.get("maxstartups", "")
    sessions = number(found.get("maxsessions", ""))
    return SshdLimits(
        startups if _STARTUPS.fullmatch(startups) else known.max_startups,
        known.max_sessions if sessions is None else sessions,
        effective=bool(lines) and "configured" not in lines,
    )


def sshd(facts: HostFacts, asked: Asked) -> Finding:
    """How many connections and sessions it allows; a jump host needs those for the hosts behind it."""
    limits = facts.sshd
    if asked.cluster.engine != "ssh":
        return ok(facts.name, "sshd", "no host uses ssh")
    if limits is None:
        return skipped(facts.name, "sshd", "could not be determined")
    source = "" if limits.effective else ", from its configuration or OpenSSH's default"
    found = f"MaxStartups {limits.max_startups}, MaxSessions {limits.max_sessions}{source}"
    behind = hosts_behind(facts, asked.cluster)
    if limits.startups < behind:
        hint = f"sshd_config: MaxStartups {behind * 2}:30:{behind * 4}; optional: this tool opens only a few at a time"
        return warn(facts.name, "sshd", f"{found}, and it is the jump host of {behind} hosts", hint)
    if limits.max_sessions < _SESSIONS:
        hint = "sshd_config: MaxSessions 10; with fewer the tool needs more connections"
        return warn(facts.name, "sshd", found, hint)
    return ok(facts.name, "sshd", found)


def hosts_behind(facts: HostFacts, cluster: Cluster) -> int:
    """How many hosts are reached through this one, if the cluster file names it as the jump host."""
    if not cluster.access.jump:
        return 0
    jump = parse_hop(cluster.access.jump).name
    own = {facts.name, facts.hostname, *(host.address for host in cluster.hosts if host.name == facts.name)}
    return len(cluster.hosts) - 1 if jump in own - {""} else 0


TOPIC = Topic(script=shell_program("toolkit.doctor.topics", "sshd.sh"), read=read, checks={"sshd": sshd})
