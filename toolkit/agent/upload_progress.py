"""Whether uploads make progress: what is waiting, what has moved since, and what a store's refusal means. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from toolkit.agent.end_reasons import Reason
from toolkit.agent.s3_refusals import DENIAL

_PROBE_SECONDS = 5.0
_NAMED = 20
_FINAL_PROBES = 3
"""Consecutive probes with the same result that make it final: about 15 s."""
# A store's refusal, in rclone's message or the store's; the first match applies.
_REFUSALS = (
    (Reason.BUCKET_FULL, re.compile(r"no space left|quota|insufficient ?storage|StorageFull|\b507\b", re.IGNORECASE)),
    (Reason.BUCKET_CREDENTIALS, DENIAL),
    (Reason.BUCKET_WRITE, re.compile(r"NoSuchBucket|directory not found")),
)


@dataclass(frozen=True)
class Waiting:
    """What a mount has still to upload: files waiting, in progress, and failed so far."""

    queued: int = 0
    uploading: int = 0
    errored: int = 0
    """Of those waiting, how many have been tried before."""
    files: Mapping[int, str] = field(default_factory=dict, compare=False)
    """The name of each, by the mount's own number for it."""
    sent: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Bytes of each file in progress, in this attempt."""
    sparse: tuple[str, ...] = field(default=(), compare=False)
    """Of those waiting, the ones with a hole that would take forever to upload."""

    @property
    def count(self) -> int:
        """How many are left."""
        return self.queued + self.uploading

    @property
    def named(self) -> str:
        """Their names, one per line; only the first of many."""
        names = sorted(self.files.values())
        more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
        return "\n".join([*names[:_NAMED], *more])


def joined(mounted: Waiting, local: Waiting) -> Waiting:
    """What waits in a mount and in a folder of the host, as one; their files keep different numbers."""
    return Waiting(
        mounted.queued + local.queued,
        mounted.uploading + local.uploading,
        mounted.errored + local.errored,
        {number << 1: name for number, name in mounted.files.items()}
        | {number << 1 | 1: name for number, name in local.files.items()},
        {**mounted.sent, **local.sent},
        mounted.sparse + local.sparse,
    )


class Progress:
    """Whether uploads make progress: files that are done, or one that has come further than ever before.

    Bytes alone prove nothing: what a full store refuses is sent again and again. Nor do, once files have been refused,
    the first bytes of yet another: a program that keeps writing would hide forever that nothing arrives.
    """

    def __init__(self, now: float) -> None:
        self._since, self._probed = now, now
        self._files: frozenset[int] = frozenset()
        self._furthest: dict[str, int] = {}
        self._refusals: list[Reason] = []
        self.reason, self.said = Reason.BUCKET_WRITE, ""

    def moved(self, now: float, waiting: Waiting) -> bool:
        """Record the mount's current report; returns whether it is progress."""
        further = {name: sent for name, sent in waiting.sent.items() if sent > self._furthest.get(name, 0)}
        telling = [name for name in further if not waiting.errored or name in self._furthest]
        forward = not waiting.files or bool(telling) or not self._files <= waiting.files.keys()
        self._files = frozenset(waiting.files)
        self._furthest |= further
        if forward:
            self._since, self._refusals = now, []
        return forward

    def silent(self, now: float) -> float:
        """Seconds without progress."""
        return now - self._since

    def refused(self, now: float, probe: Callable[[], str]) -> bool:
        """Ask the store occasionally why; returns whether it has refused for good, in the same way several times."""
        if self.silent(now) < _PROBE_SECONDS or now - self._probed < _PROBE_SECONDS:
            return False
        self._probed, self.said = now, probe()
        meant = meaning(self.said)
        self._refusals = [*self._refusals, meant] if meant and self._refusals[-1:] in ([], [meant]) else []
        if len(self._refusals) < _FINAL_PROBES:
            return False
        self.reason = self._refusals[-1]
        return True


def meaning(said: str) -> Reason | None:
    """Why a store refuses for good; None if it accepts, or does not answer: that may pass."""
    return next((reason for reason, pattern in _REFUSALS if pattern.search(said)), None)
