"""The examination, step by step: gather facts from all hosts in parallel, run probes, evaluate the checks.

The scripts, checks and probes are in the topics: `toolkit.doctor.topics`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from toolkit.doctor.facts import FIELDS, HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped
from toolkit.doctor.printed import Printed
from toolkit.doctor.probes import Buckets, Trial, why
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Check, Comparison
from toolkit.doctor.topics import registry
from toolkit.errors import ToolkitError
from toolkit.hosts.cluster_hosts import Answer, Hosts
from toolkit.hosts.shell import Shell
from toolkit.runtimes.specs import Argv
from toolkit.shell_files import shell_program

_NO_ANSWER = "the host does not answer"
SECONDS = 25.0
"""For the whole program; its parts end sooner if the host has `timeout`."""
_END = "at end; now\n"


@dataclass(frozen=True)
class Examination:
    """Findings by host in the cluster's order, and the duration in seconds."""

    findings: tuple[Finding, ...]
    seconds: float


def question(engine: str, scratch: str) -> Argv:
    """The command that prints a host's facts. `engine` is `docker` or `podman`; `scratch` may be empty."""
    variables = (f"{name}={value}" for name, value in registry.every().variables.items())
    return ["sh", "-c", program(), "sh", engine, scratch, *variables]


def program() -> str:
    """The whole program; `fact_script.sh` names its arguments."""
    return shell_program("toolkit.doctor", "fact_script.sh") + registry.every().script + _END


def host_facts(name: str, printed: Printed) -> HostFacts:
    """The facts of the host `name`; raises nothing, whatever it printed."""
    found = registry.every().read(printed)
    fields: dict[str, Any] = {fact: value for fact, value in found.items() if fact in FIELDS}
    more = {fact: value for fact, value in found.items() if fact not in FIELDS}
    return HostFacts(name, "end" in printed.sections, more=more, **fields)


def gather(
    hosts: Hosts, asked: Asked, timed: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()
) -> tuple[Answer[HostFacts], ...]:
    """The facts of all hosts, in parallel; an unreachable host's answer is its error. A host is asked in the context
    that `timed` has for its name."""
    cluster = asked.cluster
    argv = question(cluster.container_engine, cluster.scratch)

    def ask(shell: Shell) -> HostFacts:
        with timed(shell.name):
            shell.run(["true"])  # opens the connection first, so both ways take as long: clocks are compared
            before = time.time()
            done = shell.run(argv, timeout=SECONDS)
            return host_facts(shell.name, Printed(done.output, before, time.time()))

    return hosts.each(ask)


def short(answers: Sequence[Answer[HostFacts]], asked: Asked) -> tuple[Finding, ...]:
    """The findings that decide whether to launch, from facts alone; input for `toolkit.doctor.finding.refuse`."""
    topics = registry.every()
    reached = [answer.value for answer in answers if answer.value]
    compared = _compared(topics.compared_before_launch, reached, asked)
    found: list[Finding] = []
    for answer in answers:
        found += _of_host(answer, asked, topics.before_launch)
        found += _later(answer, compared, topics.compared_before_launch)
    return tuple(found)


def examine(
    hosts: Hosts,
    asked: Asked,
    images: Sequence[str] = (),
    buckets: Buckets | None = None,
    why_no_buckets: str = "no manifest was given, so no bucket was checked",
) -> Examination:
    """The whole examination of every host; what is wrong with a host does not raise. See `Trial` for the arguments."""
    start, topics = time.monotonic(), registry.every()
    answers = gather(hosts, asked)
    reached = {answer.host: answer.value for answer in answers if answer.value}
    trial = Trial(hosts, asked, reached, images, buckets, why_no_buckets)
    later = _compared(topics.compared, list(reached.values()), asked)
    for probe in (*topics.tried.values(), *topics.tried_where_asked.values()):
        later += probe(trial)
    findings: list[Finding] = []
    for answer in answers:
        findings += _of_host(answer, asked, topics.checks)
        findings += _later(answer, later, (*topics.compared, *topics.tried))
    return Examination(tuple(findings), time.monotonic() - start)


def _compared(checks: Mapping[str, Comparison], every: Sequence[HostFacts], asked: Asked) -> list[Finding]:
    return [finding for compare in checks.values() for finding in compare(every, asked)]


def _later(answer: Answer[HostFacts], found: Sequence[Finding], checks: Iterable[str]) -> list[Finding]:
    """The findings on a host that need all hosts' facts; if it did not answer, these checks are skipped."""
    if answer.value is None:
        return [skipped(answer.host, check, _NO_ANSWER) for check in checks]
    return [finding for finding in found if finding.host == answer.host]


def _of_host(answer: Answer[HostFacts], asked: Asked, checks: Mapping[str, Check]) -> list[Finding]:
    if answer.value is None:
        error = answer.error
        hint = error.hint if isinstance(error, ToolkitError) else ""
        return [
            fail(answer.host, "ssh", why(error), hint),
            *(skipped(answer.host, check, _NO_ANSWER) for check in checks),
        ]
    facts = answer.value
    login = f"logged in as {facts.user or 'an unknown account'}"
    here = "this machine, without ssh" if asked.cluster.engine != "ssh" else login
    found = [ok(facts.name, "ssh", here)]
    if not facts.whole:
        hint = "is its login shell a POSIX sh, and do commands end there?"
        found = [fail(facts.name, "ssh", f"the checks did not finish within {SECONDS:.0f} s after the login", hint)]
    return [*found, *(check(facts, asked) for check in checks.values())]
