"""How a run can end: a closed list of reasons, each with its state and error code, and evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a run ended. These strings are part of the interface."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    PROGRAM_FAILED = "program failed"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_PROCESSES = "out of processes"
    RANKS_DIVERGED = "ranks diverged"
    HOST_LOST = "host lost"
    START_DEADLINE = "start deadline"
    TIME_LIMIT = "time limit"
    NO_PROGRESS = "no progress"
    GPU = "gpu missing"
    IMAGE = "image"
    BUCKET_READ = "bucket read"
    BUCKET_WRITE = "bucket write"
    BUCKET_CREDENTIALS = "bucket credentials"
    BUCKET_FULL = "bucket full"
    LEASE = "lease"
    TAMPERED = "tampered"
    """The program replaced the run's own files."""
    FORGED = "forged report"
    """The bucket holds a report of a host of this run that no agent of this run wrote."""
    SYSTEM = "system"

    @property
    def code(self) -> str:
        """The contract's error code; empty on success."""
        return _CODES[self]

    @property
    def state(self) -> str:
        """The run's last state."""
        return {Reason.COMPLETED: "COMPLETED", Reason.STOPPED: "HALTED"}.get(self, "FAILED")


_CODES = {
    Reason.COMPLETED: "",
    Reason.STOPPED: "",
    Reason.PROGRAM_FAILED: "C201",
    Reason.OUT_OF_MEMORY: "C201",
    Reason.OUT_OF_PROCESSES: "C201",
    Reason.RANKS_DIVERGED: "C201",
    Reason.HOST_LOST: "S100",
    Reason.START_DEADLINE: "S100",
    Reason.TIME_LIMIT: "C201",
    Reason.NO_PROGRESS: "C201",
    Reason.GPU: "S100",
    Reason.IMAGE: "S103",
    Reason.BUCKET_READ: "S302",
    Reason.BUCKET_WRITE: "S303",
    Reason.BUCKET_CREDENTIALS: "S303",
    Reason.BUCKET_FULL: "S303",
    Reason.LEASE: "S100",
    Reason.TAMPERED: "C201",
    Reason.FORGED: "S100",
    Reason.SYSTEM: "S100",
}


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
