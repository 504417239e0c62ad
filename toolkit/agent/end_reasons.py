"""How a run can end: a closed list of reasons, each with its state and error code, and evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a run ended, with the contract's error code (empty on success). These strings are part of the interface."""

    code: str

    def __new__(cls, text: str, code: str = "") -> Reason:
        member = str.__new__(cls, text)
        member._value_, member.code = text, code
        return member

    COMPLETED = "completed"
    STOPPED = "stopped"
    PROGRAM_FAILED = "program failed", "C201"
    OUT_OF_MEMORY = "out of memory", "C201"
    OUT_OF_PROCESSES = "out of processes", "C201"
    RANKS_DIVERGED = "ranks diverged", "C201"
    HOST_LOST = "host lost", "S100"
    START_DEADLINE = "start deadline", "S100"
    TIME_LIMIT = "time limit", "C201"
    NO_PROGRESS = "no progress", "C201"
    GPU = "gpu missing", "S100"
    IMAGE = "image", "S103"
    BUCKET_READ = "bucket read", "S302"
    BUCKET_WRITE = "bucket write", "S303"
    BUCKET_CREDENTIALS = "bucket credentials", "S303"
    BUCKET_FULL = "bucket full", "S303"
    LEASE = "lease", "S100"
    TAMPERED = "tampered", "C201"
    """The program replaced the run's own files."""
    FORGED = "forged report", "S100"
    """The bucket holds a report of a host of this run that no agent of this run wrote."""
    SYSTEM = "system", "S100"

    @property
    def state(self) -> str:
        """The run's last state."""
        return {Reason.COMPLETED: "COMPLETED", Reason.STOPPED: "HALTED"}.get(self, "FAILED")


BUCKET_REASONS = (Reason.BUCKET_WRITE, Reason.BUCKET_CREDENTIALS, Reason.BUCKET_FULL)
"""The store does not take results."""


@dataclass(frozen=True)
class End:
    """How a run ended.

    Attributes:
        what: one sentence: which command, rank, host, status or signal.
        evidence: the last lines of the run, or a message of an engine or a store.
        hint: what to do next.
        kept: the hosts that have, or may have, results that are not in the bucket.
        code: the contract's; by default the reason's own. A stop whose results could not be stored has one, too.
    """

    reason: Reason
    what: str
    evidence: str = ""
    hint: str = ""
    kept: tuple[str, ...] = ()
    code: str = ""

    @property
    def error_code(self) -> str:
        """`code`, else the reason's."""
        return self.code or self.reason.code
