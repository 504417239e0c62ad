"""What is known of a run when its commands have ended: from supervisor, engines and hosts. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.agent.host_stages import HostStage


@dataclass(frozen=True)
class LearnerEnd:
    """How a learner's container ended: its exit status (None: unknown), and whether it reached its memory limit.

    `processes` is its process limit if it was reached; 0 if it was not, -1 if it was but is unknown.
    """

    number: int
    exit_status: int | None = None
    oom: bool = False
    processes: int = 0


@dataclass(frozen=True)
class HostReport:
    """The final report of one host's agent.

    Attributes:
        host: its number, from 0.
        learners: how those on it ended.
        ranks: exit statuses by `step.rank`, of ranks that ended there.
        failure: why some results are not in the bucket, as a `Reason`; empty if all are.
        what, evidence: of that failure.
        full: its disk is full.
        final: false while it still stores.
        times: start and end by `step.rank`, seconds since 1970.
        without_gpu: of `ranks`, those whose command was not started because they see fewer GPUs than they were given.
        checksums: SHA-256 of the list of checksums of what its programs wrote (`toolkit.agent.run_checksums`).
        found: what replaced the run's own files there.
        unstorable: what failed there can never be stored, so nothing is kept for another attempt.
        stages: those of the host so far, by its own clock.
    """

    host: int
    learners: tuple[LearnerEnd, ...] = ()
    ranks: Mapping[str, int] = field(default_factory=dict)
    failure: str = ""
    what: str = ""
    evidence: str = ""
    full: bool = False
    final: bool = True
    times: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    without_gpu: tuple[str, ...] = ()
    checksums: str = ""
    found: tuple[str, ...] = ()
    unstorable: bool = False
    stages: tuple[HostStage, ...] = ()


@dataclass(frozen=True)
class Facts:
    """All that is known when the commands have ended.

    Attributes:
        status: what learner 1's supervisor wrote; empty if it wrote nothing.
        reports: of every host that sent one.
        stopped_by: who asked for a stop; empty if no one did.
        last_lines: of the run's output.
        gave_up: why this host's learners were stopped because nothing could be stored: reason, what, evidence.
        forged: objects in the bucket that claim to be reports of this run's hosts, and are not.
    """

    status: Mapping[str, Any]
    reports: tuple[HostReport, ...]
    stopped_by: str = ""
    last_lines: str = ""
    gave_up: tuple[str, str, str] | None = None
    forged: tuple[str, ...] = ()
