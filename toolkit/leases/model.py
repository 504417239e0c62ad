"""Leases as values: what is asked, what is held, who holds it; and how a host's answer is read. Pure."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from toolkit.errors import Code, Problem, ToolkitError

WHOLE_HOST = "*"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]*")


@dataclass(frozen=True)
class Lease:
    """What one run takes on one host.

    Attributes:
        run: the training id; the run's containers carry it as the label `toolkit.run`.
        user: who launched it.
        operator: the machine that it was launched from.
        gpus: UUIDs of the host's GPUs, or their indexes: one or the other in a whole cluster, as a GPU under two names
            would be two. Empty: the host as a whole, also where it has no GPU.
        token: names this lease and no other, ever; who has it may release it.
    """

    run: str
    user: str
    operator: str
    gpus: tuple[str, ...]
    token: str

    def __post_init__(self) -> None:
        for name in (self.run, self.token, *self.gpus):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot stand in a lease")
        for text in (self.user, self.operator):
            if not _TEXT.fullmatch(text):
                raise ValueError(f"{text!r} cannot stand in a lease")

    @property
    def wanted(self) -> str:
        """The GPUs as the record has them: with spaces between, or `*`."""
        return " ".join(sorted(set(self.gpus))) or WHOLE_HOST

    @property
    def record(self) -> tuple[str, ...]:
        """The record's lines. The host adds `since`, by its own clock."""
        return (f"run={self.run}", f"user={self.user}", f"operator={self.operator}", f"gpus={self.wanted}")


@dataclass(frozen=True)
class Holder:
    """A lease as it lies on a host.

    Attributes:
        lease: whose it is.
        since: when it was taken, UTC, ISO 8601, by the host's clock.
        age: seconds since it was taken or renewed, by the host's clock.
        state: `held`; `stale` where its run no longer lives; `asked` while its taker still looks for others.
    """

    lease: Lease
    since: str
    age: int
    state: str

    def __str__(self) -> str:
        what = "the whole host" if not self.lease.gpus else f"GPU {', '.join(self.lease.gpus)}"
        lease = self.lease
        return f"{what}: run {lease.run} of {lease.user} (launched from {lease.operator}) since {self.since}"


@dataclass(frozen=True)
class Held:
    """The lease is ours, on the host `host`."""

    host: str
    lease: Lease


@dataclass(frozen=True)
class Taken:
    """What was asked is not free on `host`; `holders` are in its way. Empty: others were asking at the same time."""

    host: str
    holders: tuple[Holder, ...]

    def error(self) -> ToolkitError:
        """As an error (S100), for a launch that does not wait."""
        problems = tuple(Problem(f"{self.host}: {holder}") for holder in self.holders)
        return ToolkitError(
            Code.RESOURCES,
            f"host {self.host} is taken",
            problems or (Problem(f"{self.host}: others ask for it at this moment"),),
            mend="launch with --wait, or on other hosts",
            context={"host": self.host, "reason": "taken"},
        )


def new_lease(run: str, user: str, operator: str, gpus: Iterable[str] = ()) -> Lease:
    """A lease with a token of its own; raises `ValueError` for what cannot stand in a record."""
    return Lease(run, user, operator, tuple(gpus), secrets.token_hex(8))


def read_holders(text: str) -> tuple[Holder, ...]:
    """What the host printed, one paragraph for each lease; one that cannot be read is left out."""
    found = (_holder(paragraph.splitlines()) for paragraph in text.split("\n\n"))
    return tuple(holder for holder in found if holder)


def _holder(lines: Sequence[str]) -> Holder | None:
    head = next((line.split() for line in lines if line.startswith("lease ")), None)
    fields = dict(line.partition("=")[::2] for line in lines if "=" in line)
    if head is None or len(head) != 4 or not re.fullmatch(r"-?[0-9]+", head[2]):
        return None
    gpus = fields.get("gpus", WHOLE_HOST)
    try:
        lease = Lease(
            fields.get("run", ""),
            fields.get("user", ""),
            fields.get("operator", ""),
            () if gpus == WHOLE_HOST else tuple(gpus.split()),
            head[1],
        )
    except ValueError:
        return None
    return Holder(lease, fields.get("since", ""), int(head[2]), head[3])
