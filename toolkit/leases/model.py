"""Leases as values: what is asked for, what is held, who holds it; and the parser of a host's answer. Pure.

A record is one line of words: the token, the generation (six digits on a volume, `held` on a container), when it was
taken or renewed (seconds since 1970), since when it is held (UTC, ISO 8601), the run, the GPUs separated by commas or
`*`, the host's account that took it, the user who launched it and the machine it was launched from.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

WHOLE_HOST = "*"
_TOKEN = re.compile(r"[0-9a-f]{16}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_LINE = re.compile(
    r"(?P<state>held|stale|asked) (?P<age>[0-9]{1,12}) (?P<token>[0-9a-f]{16}) (?P<generation>[0-9]{6}|held) "
    r"(?P<at>[0-9]{1,12}) (?P<since>[0-9TZ:-]{1,30}) (?P<run>[A-Za-z0-9._:-]+) (?P<gpus>[A-Za-z0-9._:,-]+|\*) "
    r"(?P<account>[A-Za-z0-9._@-]+) (?P<user>[A-Za-z0-9._~%-]+) (?P<operator>[A-Za-z0-9._~%-]+) "
    r"(?:toolkit-lease\.[0-9a-f.]+ volume|- container)"
)
_CONTAINER = "held"
STALE = "stale"
_NOBODY = "-"


@dataclass(frozen=True)
class Lease:
    """What one run takes on one host.

    Attributes:
        run: the training id.
        user: who launched it, according to the operator's machine.
        operator: the machine that it was launched from.
        gpus: UUIDs of the host's GPUs, or their indexes, but the same in a whole cluster, as a GPU with two names would
            be two. Empty: the whole host, also if it has no GPU.
        token: 16 hexadecimal digits, unique to this lease.
    """

    run: str
    user: str
    operator: str
    gpus: tuple[str, ...]
    token: str

    def __post_init__(self) -> None:
        for name in (self.run, *self.gpus):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not allowed in a lease")
        if not _TOKEN.fullmatch(self.token):
            raise ValueError(f"{self.token!r} is not a lease token")

    @property
    def wanted(self) -> str:
        """The GPUs as in the record: separated by commas, or `*`."""
        return ",".join(sorted(set(self.gpus))) or WHOLE_HOST

    @property
    def words(self) -> tuple[str, ...]:
        """The words from which the program on the host makes the record; it adds the times and its own account."""
        return (self.token, self.run, self.wanted, _word(self.user), _word(self.operator))


@dataclass(frozen=True)
class Holder:
    """A lease as found on a host.

    Attributes:
        lease: whose it is.
        since: when it was taken, UTC, ISO 8601, by the host's clock.
        age: seconds since it was taken or renewed, by the host's clock.
        state: `held`; `stale` if it is no longer renewed; `asked` while its taker still looks for others.
        account: the host's account that took it, according to the host.
        by_container: it is held by the run's containers, and ends with them.
    """

    lease: Lease
    since: str
    age: int
    state: str
    account: str = ""
    by_container: bool = False

    def __str__(self) -> str:
        lease = self.lease
        what = f"GPU {', '.join(lease.gpus)}" if lease.gpus else "the whole host"
        account = f", by the account {self.account}" if self.account else ""
        return f"{what}: run {lease.run} of {lease.user} (launched from {lease.operator}) since {self.since}{account}"


@dataclass(frozen=True)
class Held:
    """The lease is ours, on the host `host`. `label` is for the run's containers there, which hold the lease by it."""

    host: str
    lease: Lease
    label: str = ""


@dataclass(frozen=True)
class Taken:
    """What was asked for is not free on `host`; `holders` have it. Empty: others were asking at the same time."""

    host: str
    holders: tuple[Holder, ...]


def new_lease(run: str, user: str, operator: str, gpus: Iterable[str] = ()) -> Lease:
    """A lease with a new token; raises `ValueError` for what is not allowed in a record."""
    return Lease(run, user, operator, tuple(gpus), secrets.token_hex(8))


def read_holders(text: str) -> tuple[Holder, ...]:
    """The leases that the host printed, one per line; invalid lines are skipped."""
    return tuple(holder for line in text.splitlines() if (holder := _holder(line)))


def label_of(text: str) -> str:
    """The label for the containers of a run, from the output of `acquire_argv`; empty if that has no lease."""
    found = _LINE.fullmatch(text.strip())
    if found is None:
        return ""
    words = found.group("token", "at", "since", "run", "gpus", "account", "user", "operator")
    return " ".join((words[0], _CONTAINER, *words[1:]))


def _holder(line: str) -> Holder | None:
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    gpus = found["gpus"]
    try:
        lease = Lease(
            found["run"],
            _text(found["user"]),
            _text(found["operator"]),
            () if gpus == WHOLE_HOST else tuple(gpus.split(",")),
            found["token"],
        )
    except ValueError:
        return None
    by_container = found["generation"] == _CONTAINER
    return Holder(lease, found["since"], int(found["age"]), found["state"], found["account"], by_container)


def _word(text: str) -> str:
    return quote(text[:128], safe="") or _NOBODY


def _text(word: str) -> str:
    """The text that a word was made from; the word itself if that would not be one line of text."""
    text = unquote(word)
    return text if text.isprintable() else word
