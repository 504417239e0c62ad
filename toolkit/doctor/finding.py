"""A finding of the doctor: the verdict of one check on one host, with a hint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from toolkit.errors import Code, Problem, ToolkitError
from toolkit.plural import counted


class Verdict(StrEnum):
    """A closed list. `skipped`: the check could not run, with the reason; it never counts as `ok`."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """What a check found on a host. `hint` is empty if there is nothing to fix."""

    host: str
    check: str
    verdict: Verdict
    found: str
    hint: str = ""


def ok(host: str, check: str, found: str) -> Finding:
    """The check passed."""
    return Finding(host, check, Verdict.OK, found)


def warn(host: str, check: str, found: str, hint: str) -> Finding:
    """A run would work, but something should be fixed."""
    return Finding(host, check, Verdict.WARN, found, hint)


def fail(host: str, check: str, found: str, hint: str) -> Finding:
    """A run would not work."""
    return Finding(host, check, Verdict.FAIL, found, hint)


def skipped(host: str, check: str, why: str, hint: str = "") -> Finding:
    """The check did not run."""
    return Finding(host, check, Verdict.SKIPPED, why, hint)


def counts(findings: Iterable[Finding]) -> dict[Verdict, int]:
    """The number of findings of each verdict, zeros included."""
    found = Counter(finding.verdict for finding in findings)
    return {verdict: found[verdict] for verdict in Verdict}


def refuse(findings: Sequence[Finding], cluster: str) -> None:
    """Raise `ToolkitError` (S100) with one problem for each failed finding, if any."""
    failed = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    if not failed:
        return
    hosts = tuple(dict.fromkeys(finding.host for finding in failed))
    on = hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts"
    raise ToolkitError(
        Code.RESOURCES,
        f"cluster {cluster} cannot run this: {counted(len(failed), 'check')} failed on {on}",
        tuple(
            Problem(f"{one.host}: {one.check}: {one.found}" + (f"\n    fix: {one.hint}" if one.hint else ""))
            for one in failed
        ),
        hint="fix these, then check again: toolkit doctor --cluster FILE; nothing was started",
        context={"hosts": ", ".join(hosts)},
    )
