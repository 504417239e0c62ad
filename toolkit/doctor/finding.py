"""What the doctor says: one verdict for one host and one check, with what was found and how to fix it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from toolkit.errors import Code, Problem, ToolkitError


class Verdict(StrEnum):
    """A closed list. `skipped` is said where a check could not be made, and why; it is never taken for `ok`."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """What a check found on a host. `hint` is empty where there is nothing to fix."""

    host: str
    check: str
    verdict: Verdict
    found: str
    hint: str = ""


def ok(host: str, check: str, found: str) -> Finding:
    """All is well."""
    return Finding(host, check, Verdict.OK, found)


def warn(host: str, check: str, found: str, hint: str) -> Finding:
    """A run works, and something is not as it should be."""
    return Finding(host, check, Verdict.WARN, found, hint)


def fail(host: str, check: str, found: str, hint: str) -> Finding:
    """A run would not work."""
    return Finding(host, check, Verdict.FAIL, found, hint)


def skipped(host: str, check: str, why: str, hint: str = "") -> Finding:
    """The check was not made."""
    return Finding(host, check, Verdict.SKIPPED, why, hint)


def counts(findings: Iterable[Finding]) -> dict[Verdict, int]:
    """How many findings there are of each verdict, also of those that there are none of."""
    found = Counter(finding.verdict for finding in findings)
    return {verdict: found[verdict] for verdict in Verdict}


def refuse(findings: Sequence[Finding], cluster: str) -> None:
    """Raise `ToolkitError` (S100) with one problem for each finding that failed; return where none did."""
    failed = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    if not failed:
        return
    hosts = tuple(dict.fromkeys(finding.host for finding in failed))
    checks = "1 check" if len(failed) == 1 else f"{len(failed)} checks"
    on = hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts"
    raise ToolkitError(
        Code.RESOURCES,
        f"cluster {cluster} cannot run this: {checks} failed on {on}",
        tuple(map(_problem, failed)),
        hint="fix these, then check again: toolkit doctor --cluster FILE; nothing was started",
        context={"hosts": ", ".join(hosts)},
    )


def _problem(finding: Finding) -> Problem:
    hint = f"\n    fix: {finding.hint}" if finding.hint else ""
    return Problem(f"{finding.host}: {finding.check}: {finding.found}{hint}")
