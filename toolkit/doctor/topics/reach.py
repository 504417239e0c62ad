"""Whether hosts reach each other on the ports that runs use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped
from toolkit.doctor.printed import Printed
from toolkit.doctor.probes import Trial, why
from toolkit.doctor.topic import Topic
from toolkit.errors import ToolkitError
from toolkit.hosts.shell import Shell
from toolkit.hosts.transport import HostShell
from toolkit.plural import listed
from toolkit.shell_files import shell_program

_RUN_PORTS = range(20000, 32000)
_QUICK = ("quick", "1")
_EACH = ("each", "3")
"""How to probe, and for how many seconds at most."""
_ALL_PROBES_SECONDS = 20.0
_NO_TOOL = "no tool"
_MOST_NAMED = 4
_LISTENS = re.compile(r"\s*[0-9]+: [0-9A-Fa-f]+:([0-9A-Fa-f]{4}) \S+ 0A ")
_ANSWER = re.compile(r"(\S+) ([0-9]{1,5}) (.+)|.*/dev/tcp/(\S+)/([0-9]{1,5}): (.+)")
_BASH = shell_program("toolkit.doctor.topics", "reach_by_bash.bash")
_PROBE = shell_program("toolkit.doctor.topics", "reach_probe.sh")


@dataclass(frozen=True)
class Target:
    """A host as others reach it: `run_port` is one of those that runs use, where nothing listens now; `open_port` is
    its sshd's, which may listen on another network only."""

    host: str
    address: str
    open_port: int
    run_port: int


@dataclass(frozen=True)
class Probes:
    """A host's results by `(address, port)`: `open`, or the system's message, `Connection refused`.

    A missing result means no answer in time. `trouble`: why the host could not probe at all.
    """

    answers: Mapping[tuple[str, int], str]
    trouble: str = ""


def read(printed: Printed) -> dict[str, object]:
    """The ports in use."""
    return {"ports_in_use": listening(printed.lines("ports"))}


def listening(lines: Iterable[str]) -> frozenset[int]:
    """The ports in state 0A in lines of /proc/net/tcp and tcp6."""
    return frozenset(int(match[1], 16) for match in map(_LISTENS.match, lines) if match)


def probe(shell: Shell, targets: Sequence[Target]) -> Probes:
    """Connect from the host to a run's port of every target; silent ones are tried longer, along with their sshd."""
    first = _connect(shell, _QUICK, [(one.address, one.run_port) for one in targets])
    said = first.answers
    rest = [one for one in targets if not is_reached(said.get((one.address, one.run_port), ""))]
    if first.trouble or not rest:
        return first
    ports = [(one.address, port) for one in rest for port in (one.run_port, one.open_port)]
    second = _connect(shell, _EACH, ports)
    return Probes({**said, **second.answers}, second.trouble)


def _connect(shell: Shell, how: Sequence[str], ports: Sequence[tuple[str, int]]) -> Probes:
    if not ports:
        return Probes({})
    words = [word for address, port in ports for word in (address, str(port))]
    done = shell.run(["sh", "-c", _PROBE, "sh", _BASH, *how, *words], timeout=_ALL_PROBES_SECONDS)
    if _NO_TOOL in done.output.splitlines():
        return Probes({}, "neither bash nor nc on the host to check with")
    answers = heard(done.output)
    if not answers and done.status not in (0, 124):
        return Probes({}, f"the check ended with status {done.status}: {done.errors.strip()[-200:]}")
    return Probes(answers)


def heard(output: str) -> dict[tuple[str, int], str]:
    """Parse `ADDRESS PORT MESSAGE`, or bash's own `…/dev/tcp/ADDRESS/PORT: MESSAGE`, line by line."""
    found: dict[tuple[str, int], str] = {}
    for match in filter(None, map(_ANSWER.fullmatch, output.splitlines())):
        address, port, words = match.groups()[:3] if match[1] else match.groups()[3:]
        found[address, int(port)] = words
    return found


def reach(targets: Sequence[Target], heard: Mapping[str, Probes]) -> tuple[Finding, ...]:
    """Whether each host reaches every other one; a host that none reaches gets one finding, its own.

    A port where nothing listens refuses at once, so a refusal counts as reached; silence means a firewall.
    """
    sources = [host for host in heard if not heard[host].trouble]
    wrong = {
        (source, target.host): what
        for source in sources
        for target in targets
        if source != target.host and (what := _wrong(target, heard[source]))
    }
    lost = {
        target.host
        for target in targets
        if sum(source != target.host for source in sources) > 1
        and all((source, target.host) in wrong for source in sources if source != target.host)
    }
    return tuple(_reach_of(host, targets, heard[host], wrong, lost) for host in heard)


def _reach_of(
    host: str, targets: Sequence[Target], own: Probes, wrong: Mapping[tuple[str, str], str], lost: set[str]
) -> Finding:
    others = [target for target in targets if target.host != host]
    hint = "allow TCP between the hosts on the cluster's network, all ports from 1024: firewall, routes, VLAN"
    if own.trouble:
        return skipped(host, "reach", own.trouble)
    if host in lost:
        said = next(what for (_, target), what in wrong.items() if target == host)
        return fail(host, "reach", f"no other host can reach it: {said}", hint)
    said_of = [f"{target.host} ({what})" for target in others if (what := wrong.get((host, target.host), ""))]
    said_of = [one for one in said_of if one.partition(" ")[0] not in lost]
    if said_of:
        return fail(host, "reach", f"it cannot reach {listed(said_of, _MOST_NAMED, ', and ')}", hint)
    if not others:
        return ok(host, "reach", "no other host to reach")
    return ok(host, "reach", f"it reaches {len(others) - len(lost)} of {len(others)} others")


def is_reached(said: str) -> bool:
    """Whether `said` on a run's port means that the host is reached there: it refuses at once, or accepts."""
    return said == "open" or "refused" in said.lower()


def _wrong(target: Target, heard: Probes) -> str:
    """What is wrong with the connection to `target`; empty if nothing is."""
    said = heard.answers.get((target.address, target.run_port), "no answer")
    if is_reached(said):
        return ""
    at_sshd = heard.answers.get((target.address, target.open_port), "no answer")
    besides = ", although its sshd answers: a firewall" if at_sshd == "open" else ""
    return f"{target.address} port {target.run_port}: {said}{besides}"


def _tried(trial: Trial) -> Sequence[Finding]:
    """Every host probes all others, in parallel."""
    if not trial.asked.cluster.network:
        return tuple(ok(name, "reach", "no other host to reach") for name in trial.reached)
    targets = [target for facts in trial.reached.values() if (target := _target(trial, facts))]

    def connect(shell: Shell) -> Probes:
        return probe(shell, [target for target in targets if target.host != shell.name])

    answers = trial.hosts.each(connect, list(trial.reached))
    return reach(targets, {answer.host: answer.value or Probes({}, why(answer.error)) for answer in answers})


def _target(trial: Trial, facts: HostFacts) -> Target | None:
    """None if it does not have exactly one address for the others; that is a finding of its own."""
    try:
        address = facts.address_in(trial.asked.cluster.network)
    except ToolkitError:
        return None
    shell = trial.hosts.shell(facts.name)
    port = shell.to.port if isinstance(shell, HostShell) else 22
    free = next(port for port in _RUN_PORTS if port not in facts.ports_in_use)
    return Target(facts.name, address, port, free)


TOPIC = Topic(script=shell_program("toolkit.doctor.topics", "reach.sh"), read=read, tried={"reach": _tried})
