"""The examination, step by step: ask every host for its facts at once, try what must be tried, judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from toolkit.containers.engine import Engine
from toolkit.doctor import probes
from toolkit.doctor.checks import ALL, SHORT, Check
from toolkit.doctor.checks_consistency import alike
from toolkit.doctor.checks_network import Probes, Target, own_address, reach
from toolkit.doctor.fact_script import SECONDS, question
from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, fail, ok, skipped
from toolkit.doctor.parse import Heard, host_facts
from toolkit.doctor.probes import Buckets
from toolkit.doctor.requirements import Asked
from toolkit.errors import ToolkitError
from toolkit.hosts.cluster_hosts import Answer, Hosts
from toolkit.hosts.shell import Shell
from toolkit.hosts.transport import HostShell

T = TypeVar("T")
_NO_ANSWER = "the host does not answer"
_RUN_PORTS = range(20000, 32000)
_LATER = ("own address", "alike", "reach", "gpu container", "bucket")


@dataclass(frozen=True)
class Examination:
    """What the doctor found, host by host in the cluster's order, and how long it took."""

    findings: tuple[Finding, ...]
    facts: tuple[HostFacts, ...]
    seconds: float


def gather(hosts: Hosts, asked: Asked, names: Sequence[str] | None = None) -> tuple[Answer[HostFacts], ...]:
    """The facts of the hosts `names` (default all), all at once; a host that cannot be reached answers its error."""
    cluster = asked.cluster
    argv = question(cluster.container_engine, cluster.scratch)

    def ask(shell: Shell) -> HostFacts:
        shell.run(["true"])  # opens the connection, so that the way there and back are alike: the clock is compared
        before = time.time()
        done = shell.run(argv, timeout=SECONDS)
        return host_facts(shell.name, Heard(done.output, before, time.time()))

    return hosts.each(ask, names)


def short(answers: Sequence[Answer[HostFacts]], asked: Asked) -> tuple[Finding, ...]:
    """What must not fail before a launch, from facts alone; `toolkit.doctor.finding.refuse` takes it."""
    reached = [answer.value for answer in answers if answer.value]
    apart = {finding.host: finding for finding in own_address(reached, asked.cluster.network)}
    found: list[Finding] = []
    for answer in answers:
        found += _of_host(answer, asked, SHORT)
        found.append(apart.get(answer.host) or skipped(answer.host, "own address", _NO_ANSWER))
    return tuple(found)


class Examine:
    """The whole examination. `run` does it all.

    Args:
        images: references, of which the first that is on a host is started to see its GPUs.
        buckets: what each host is to reach; without them `why_no_buckets` is said.
    """

    def __init__(
        self,
        hosts: Hosts,
        asked: Asked,
        images: Sequence[str] = (),
        buckets: Buckets | None = None,
        why_no_buckets: str = "no manifest was given, so there is no bucket to try",
    ) -> None:
        self._hosts, self._asked, self._images = hosts, asked, images
        self._buckets, self._why_no_buckets = buckets, why_no_buckets

    def run(self) -> Examination:
        """Look at every host; nothing raises but what is no host's fault."""
        start = time.monotonic()
        answers = gather(self._hosts, self._asked)
        reached = {answer.host: answer.value for answer in answers if answer.value}
        later = [
            *own_address(list(reached.values()), self._asked.cluster.network),
            *alike(list(reached.values()), self._asked),
            *self._reach(reached),
            *self._tried("gpu container", reached, self._gpus),
            *self._tried("bucket", reached, self._bucket),
            *self._results_folder(reached),
        ]
        findings = [finding for answer in answers for finding in self._all_of(answer, later)]
        return Examination(tuple(findings), tuple(reached.values()), time.monotonic() - start)

    def _all_of(self, answer: Answer[HostFacts], later: Sequence[Finding]) -> list[Finding]:
        now = _of_host(answer, self._asked, ALL)
        if answer.value is None:
            return [*now, *(skipped(answer.host, check, _NO_ANSWER) for check in _LATER)]
        return [*now, *(finding for finding in later if finding.host == answer.host)]

    def _reach(self, reached: dict[str, HostFacts]) -> tuple[Finding, ...]:
        """Every host tries every other one, all at the same time."""
        if not self._asked.cluster.network:
            return tuple(ok(name, "reach", "there is no other host to reach") for name in reached)
        targets = [target for target in map(self._target, reached.values()) if target]

        def probe(shell: Shell) -> Probes:
            return probes.probe(shell, [target for target in targets if target.host != shell.name])

        answers = self._hosts.each(probe, list(reached))
        heard = {answer.host: answer.value or Probes({}, _why(answer.error)) for answer in answers}
        return reach(targets, heard)

    def _target(self, facts: HostFacts) -> Target | None:
        """None where it has no one address that others could use; that is a finding of its own."""
        try:
            address = facts.address_in(self._asked.cluster.network)
        except ToolkitError:
            return None
        shell = self._hosts.shell(facts.name)
        port = shell.to.port if isinstance(shell, HostShell) else 22
        free = next(port for port in _RUN_PORTS if port not in facts.ports_in_use)
        return Target(facts.name, address, port, free)

    def _tried(
        self, check: str, reached: dict[str, HostFacts], act: Callable[[HostFacts, Engine], Finding]
    ) -> list[Finding]:
        """One deed on every host whose engine answers."""
        program = self._asked.cluster.container_engine
        names = [name for name, facts in reached.items() if facts.engine.version]
        answers = self._hosts.each(lambda shell: act(reached[shell.name], Engine(shell, program)), names)
        dead = [skipped(name, check, "the engine does not answer") for name in reached if name not in names]
        return dead + [answer.value or skipped(answer.host, check, _why(answer.error)) for answer in answers]

    def _gpus(self, facts: HostFacts, engine: Engine) -> Finding:
        if self._asked.gpu(facts.name) is None:
            return ok(facts.name, "gpu container", self._asked.why_no_gpu)
        return probes.try_gpus(engine, facts, self._images)

    def _results_folder(self, reached: dict[str, HostFacts]) -> list[Finding]:
        """Only of a manifest whose results go to one."""
        buckets = self._buckets
        if buckets is None or buckets.folder is None:
            return []
        return self._tried(
            probes.RESULTS_FOLDER, reached, lambda facts, engine: probes.try_results_folder(engine, facts.name, buckets)
        )

    def _bucket(self, facts: HostFacts, engine: Engine) -> Finding:
        if self._buckets is None:
            return skipped(facts.name, "bucket", self._why_no_buckets)
        return probes.try_buckets(engine, facts.name, self._buckets)


def _of_host(answer: Answer[HostFacts], asked: Asked, checks: dict[str, Check]) -> list[Finding]:
    if answer.value is None:
        error = answer.error
        hint = error.hint if isinstance(error, ToolkitError) else ""
        return [
            fail(answer.host, "ssh", _why(error), hint),
            *(skipped(answer.host, check, _NO_ANSWER) for check in checks),
        ]
    facts = answer.value
    login = f"{facts.user or 'an account'} is let in"
    here = "this is the machine that the tool runs on" if asked.cluster.engine != "ssh" else login
    found = [ok(facts.name, "ssh", here)]
    if not facts.whole:
        hint = "is its login shell a POSIX sh, and does it end a command that it is given?"
        found = [fail(facts.name, "ssh", f"it was let in and did not answer all questions in {SECONDS:.0f} s", hint)]
    return [*found, *(check(facts, asked) for check in checks.values())]


def _why(error: Exception | None) -> str:
    """An ssh error in its own words, without the name of the host that stands before each finding."""
    if isinstance(error, ToolkitError):
        return "; ".join([error.what, *(problem.what for problem in error.problems)])
    return str(error)
