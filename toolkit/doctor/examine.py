"""The examination, step by step: gather facts from all hosts in parallel, run probes, evaluate the checks.

The scripts, checks and probes are in the topics: `toolkit.doctor.topics`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from toolkit.doctor.fact_script import SECONDS, host_facts, question
from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped
from toolkit.doctor.printed import Printed
from toolkit.doctor.probes import Buckets, Trial, why
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Check, Comparison
from toolkit.doctor.topics import registry
from toolkit.errors import ToolkitError
from toolkit.hosts.cluster_hosts import Answer, Hosts
from toolkit.hosts.shell import Shell

_NO_ANSWER = "the host does not answer"


@dataclass(frozen=True)
class Examination:
    """Findings by host in the cluster's order, and the duration in seconds."""

    findings: tuple[Finding, ...]
    seconds: float


def gather(hosts: Hosts, asked: Asked, names: Sequence[str] | None = None) -> tuple[Answer[HostFacts], ...]:
    """The facts of the hosts `names` (default all), in parallel; an unreachable host's answer is its error."""
    cluster = asked.cluster
    argv = question(cluster.container_engine, cluster.scratch)

    def ask(shell: Shell) -> HostFacts:
        shell.run(["true"])  # opens the connection first, so both ways take as long: clocks are compared
        before = time.time()
        done = shell.run(argv, timeout=SECONDS)
        return host_facts(shell.name, Printed(done.output, before, time.time()))

    return hosts.each(ask, names)


def short(answers: Sequence[Answer[HostFacts]], asked: Asked) -> tuple[Finding, ...]:
    """The findings that decide whether to launch, from facts alone; input for `toolkit.doctor.finding.refuse`."""
    reached = [answer.value for answer in answers if answer.value]
    comparisons = registry.compared_before_launch()
    compared = _compared(comparisons, reached, asked)
    found: list[Finding] = []
    for answer in answers:
        found += _of_host(answer, asked, registry.before_launch())
        found += _later(answer, compared, comparisons)
    return tuple(found)


class Doctor:
    """The whole examination. `run` is the workflow.

    Args:
        images: references; the first one that is on a host is started there to see its GPUs.
        buckets: what each host must reach; without them, `why_no_buckets` is reported.
    """

    def __init__(
        self,
        hosts: Hosts,
        asked: Asked,
        images: Sequence[str] = (),
        buckets: Buckets | None = None,
        why_no_buckets: str = "no manifest was given, so no bucket was checked",
    ) -> None:
        self._hosts, self._asked, self._images = hosts, asked, images
        self._buckets, self._why_no_buckets = buckets, why_no_buckets

    def run(self) -> Examination:
        """Check every host; what is wrong with a host does not raise."""
        start = time.monotonic()
        answers = gather(self._hosts, self._asked)
        reached = {answer.host: answer.value for answer in answers if answer.value}
        trial = Trial(self._hosts, self._asked, reached, self._images, self._buckets, self._why_no_buckets)
        comparisons, probes = registry.compared(), registry.tried()
        later = [
            *_compared(comparisons, list(reached.values()), self._asked),
            *(finding for probe in probes.values() for finding in probe(trial)),
            *(finding for probe in registry.tried_where_asked().values() for finding in probe(trial)),
        ]
        findings: list[Finding] = []
        for answer in answers:
            findings += _of_host(answer, self._asked, registry.checks())
            findings += _later(answer, later, (*comparisons, *probes))
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
