"""Findings as text: grouped by host; hosts with the same findings are merged. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.doctor.finding import Finding, Verdict, counts

_WORDS = {Verdict.OK: "ok", Verdict.WARN: "warning", Verdict.FAIL: "failure", Verdict.SKIPPED: "skipped"}


def report_lines(findings: Sequence[Finding], *, verbose: bool = False) -> list[tuple[str, Verdict | None]]:
    """Lines with their verdict, None for a heading; passing checks only with `verbose`."""
    lines: list[tuple[str, Verdict | None]] = []
    by_host: dict[str, list[Finding]] = {}
    for finding in findings:
        by_host.setdefault(finding.host, [])
        if verbose or finding.verdict is not Verdict.OK:
            by_host[finding.host].append(finding)
    alike: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for host, those in by_host.items():
        alike.setdefault(tuple((one.check, one.verdict, one.found, one.hint) for one in those), []).append(host)
    for hosts in alike.values():
        if those := by_host[hosts[0]]:
            lines.append((", ".join(hosts), None))
            lines += _of_host(those)
    return lines


def summary(findings: Sequence[Finding], hosts: int) -> str:
    """`32 hosts: 700 ok, 2 warnings, 1 failure`; the skipped ones are counted if there are any."""
    found = counts(findings)
    parts = [f"{found[Verdict.OK]} ok", _counted(found, Verdict.WARN), _counted(found, Verdict.FAIL)]
    parts += [f"{found[Verdict.SKIPPED]} skipped"] if found[Verdict.SKIPPED] else []
    return f"{hosts} {'host' if hosts == 1 else 'hosts'}: {', '.join(parts)}"


def _counted(found: dict[Verdict, int], verdict: Verdict) -> str:
    return f"{found[verdict]} {_WORDS[verdict]}{'' if found[verdict] == 1 else 's'}"


def _of_host(findings: Sequence[Finding]) -> list[tuple[str, Verdict | None]]:
    """Checks skipped for the same reason share one line."""
    why: dict[tuple[str, str], list[str]] = {}
    for one in findings:
        if one.verdict is Verdict.SKIPPED:
            why.setdefault((one.found, one.hint), []).append(one.check)
    lines: list[tuple[str, Verdict | None]] = []
    for one in findings:
        if one.verdict is not Verdict.SKIPPED:
            lines += _lines(one.verdict, one.check, one.found, one.hint)
    for (found, hint), checks in why.items():
        name = checks[0] if len(checks) == 1 else f"{len(checks)} checks"
        which = f" ({', '.join(checks)})" if len(checks) > 1 else ""
        lines += _lines(Verdict.SKIPPED, name, f"{found}{which}", hint)
    return lines


def _lines(verdict: Verdict, check: str, found: str, hint: str) -> list[tuple[str, Verdict | None]]:
    line = (f"  {verdict:<7}  {check:<15}  {found}", verdict)
    return [line, (f"{'':<11}{'next:':<15}  {hint}", None)] if hint else [line]
