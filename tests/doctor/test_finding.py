"""Findings: what a launch is refused with, what a person reads, what machines get."""

from __future__ import annotations

import pytest

from toolkit.doctor.examine import short
from toolkit.doctor.finding import Verdict, counts, fail, ok, refuse, skipped, warn
from toolkit.doctor.report import report_lines, summary
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.cluster_hosts import Answer

from .recordings import asked, facts_of

MIXED = (
    ok("h1", "clock", "0.0 s ahead"),
    warn("h1", "memlock", "64 KiB", "more"),
    fail("h1", "fuse", "/dev/fuse is missing", "modprobe fuse"),
    ok("h2", "clock", "0.0 s ahead"),
    skipped("h2", "reach", "no answer"),
    skipped("h2", "bucket", "no answer"),
)


def test_every_verdict_is_counted() -> None:
    assert counts(MIXED) == {Verdict.OK: 2, Verdict.WARN: 1, Verdict.FAIL: 1, Verdict.SKIPPED: 2}
    assert summary(MIXED, 2) == "2 hosts: 2 ok, 1 warning, 1 failure, 2 skipped"
    assert summary(MIXED[:1] * 2, 1) == "1 host: 2 ok, 0 warnings, 0 failures"


def test_what_is_not_ok_is_reported_host_by_host() -> None:
    assert [line for line, _ in report_lines(MIXED)] == [
        "h1",
        "  warn     memlock          64 KiB",
        "           next:            more",
        "  fail     fuse             /dev/fuse is missing",
        "           next:            modprobe fuse",
        "h2",
        "  skipped  2 checks         no answer (reach, bucket)",
    ]
    assert "  ok       clock            0.0 s ahead" in [line for line, _ in report_lines(MIXED, verbose=True)]


def test_hosts_of_which_all_is_the_same_are_reported_together() -> None:
    both = [fail(host, "fuse", "/dev/fuse is missing", "modprobe fuse") for host in ("h1", "h2")]
    assert next(line for line, _ in report_lines(both)) == "h1, h2"
    assert len(report_lines(both)) == 3


def test_a_launch_is_refused_with_every_failure_its_host_and_its_mend() -> None:
    with pytest.raises(ToolkitError) as caught:
        refuse((*MIXED, fail("h2", "clock", "90.0 s ahead", "run chrony")), "lab")
    error = caught.value
    assert (error.code, error.what) == (Code.RESOURCES, "cluster lab cannot run this: 2 checks failed on 2 hosts")
    assert [problem.what for problem in error.problems] == [
        "h1: fuse: /dev/fuse is missing\n    fix: modprobe fuse",
        "h2: clock: 90.0 s ahead\n    fix: run chrony",
    ]
    refuse(MIXED[:2], "lab")


def test_before_a_launch_a_good_host_passes_and_a_bad_one_is_named() -> None:
    good, bad = facts_of("p100"), facts_of("busybox", "p100-2")
    found = short([Answer("p100-1", good), Answer("p100-2", bad)], asked("p100-1", "p100-2"))
    assert [(one.host, one.check) for one in found if one.verdict is Verdict.FAIL] == [
        ("p100-2", "engine"),
        ("p100-2", "gpu"),
        ("p100-2", "driver"),
        ("p100-2", "fuse"),
        ("p100-2", "disk of scratch"),
    ]


def test_a_host_that_does_not_answer_is_one_failure_in_ssh_s_words() -> None:
    error = ToolkitError(Code.RESOURCES, "host p100-1 (10.0.0.1:22): not reachable: No route to host", hint="is it up?")
    found = short([Answer("p100-1", error=error)], asked())
    assert found[0] == fail("p100-1", "ssh", error.what, "is it up?")
    assert {one.verdict for one in found[1:]} == {Verdict.SKIPPED}
    assert {one.check for one in found[1:]} >= {"engine", "fuse", "gpu", "network", "clock"}


def test_a_host_that_answers_half_is_no_good_host() -> None:
    half = facts_of("p100", **{"@toolkit end": "@toolkit"})
    assert short([Answer("p100-1", half)], asked())[0].verdict is Verdict.FAIL
