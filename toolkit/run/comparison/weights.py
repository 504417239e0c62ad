"""Where the weights of two trainings part: reads what ddl's divergence guard left of each. Pure.

A file (`_run/weights.<command>.jsonl`, docs/ddl.md) has a digest of all variables, and half of each variable's own, at
multiples of an interval of optimizer steps. A program could have written anything into it: what is not of this form is
refused, and sizes are bounded.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

MAX_BYTES = 64 << 20
"""Of a file; ddl keeps less."""
_MOST_WEIGHTS, _MOST_VARIABLES, _LONGEST_NAME = 16, 1 << 20, 1024
_MAX_STEP = 1 << 62


@dataclass(frozen=True)
class Entry:
    """The weights after `step` optimizer steps: digests of all variables, of the history so far, of each variable."""

    step: int
    digest: str
    chain: str
    variables: tuple[int, ...]


@dataclass(frozen=True)
class History:
    """The weights that one optimizer trains: their comparison's interval in steps, variables (name and shape), and
    entries by step."""

    interval: int
    variables: tuple[str, ...]
    entries: Mapping[int, Entry] = field(default_factory=dict)


@dataclass(frozen=True)
class Parting:
    """Where two trainings part: within the steps `after` + 1 to `by`, in `variable`, the first of `count` that differ.

    `command` is the command's number, `optimizer` the optimizer's, from 1. If `by` is 0, the two do not train the same
    variables, or in other intervals, and `variable` says what; if `count` is 0, they parted there and were equal again.
    """

    command: int
    optimizer: int
    after: int
    by: int
    variable: str
    count: int

    def __str__(self) -> str:
        of = f"command {self.command}" + (f", optimizer {self.optimizer}" if self.optimizer > 1 else "")
        if not self.by:
            return f"{of}: {self.variable}"
        steps = f"step {self.by}" if self.after + 1 == self.by else f"steps {self.after + 1} to {self.by}"
        if not self.count:
            return f"{of}: weights part in {steps}, and are equal again by step {self.by}"
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        return f"{of}: weights part in {steps}, first in {self.variable}{more}"


@dataclass(frozen=True)
class Followed:
    """How far two trainings were compared: `steps` is the last step of which both have digests; where they part."""

    steps: int
    parting: Parting | None = None


def read_histories(data: bytes) -> tuple[History, ...]:
    """The histories in a file, one for each optimizer. Raises `ValueError` if it is not of ddl's form."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
    found: list[tuple[int, tuple[str, ...], dict[int, Entry]]] = []
    try:
        for line in map(json.loads, data.splitlines()):
            match line["kind"]:
                case "weights" if len(found) < _MOST_WEIGHTS and line["weights"] == len(found) + 1:
                    found.append((_number(line["interval"]), tuple(_names(line["variables"])), {}))
                case "digest" if 0 < _number(line["weights"]) <= len(found):
                    _, variables, entries = found[line["weights"] - 1]
                    entry = _entry(line, len(variables))
                    entries[entry.step] = entry
                case "format" if line["format"] == 1:
                    pass
                case _:
                    raise ValueError("an unknown line")
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError, OverflowError, struct.error) as error:
        raise ValueError(f"not digests of weights: {error!r:.200}") from None
    return tuple(History(*one) for one in found)


def followed(command: int, first: tuple[History, ...], second: tuple[History, ...]) -> Followed:
    """Compare the trainings of one command, step by step; the earliest parting counts."""
    steps, partings = 0, list[Parting]()
    for number, (one, other) in enumerate(zip_longest(first, second), 1):
        if one is None or other is None:
            what = f"{len(first)} optimizers train weights in one run, {len(second)} in the other"
            partings.append(Parting(command, number, 0, 0, what, 0))
            break
        if unlike := _unlike(one, other):
            partings.append(Parting(command, number, 0, 0, unlike, 0))
            continue
        common = sorted(one.entries.keys() & other.entries.keys())
        steps = max(steps, common[-1] if common else 0)
        partings += _partings(command, number, one, other)
    return Followed(steps, min(partings, key=lambda one: (one.by, one.optimizer), default=None))


def _unlike(one: History, other: History) -> str:
    """What makes two histories incomparable; empty if they can be compared."""
    for mine, theirs in zip_longest(one.variables, other.variables, fillvalue="no variable"):
        if mine != theirs:
            return f"other variables are trained: {mine} in one run, {theirs} in the other"
    return ""


def _partings(command: int, number: int, one: History, other: History) -> Iterator[Parting]:
    """The first parting, if there is one."""
    before = 0
    chained = one.interval == other.interval  # else the chains are over other steps
    for step in sorted(one.entries.keys() & other.entries.keys()):
        mine, theirs = one.entries[step], other.entries[step]
        pairs = zip(one.variables, mine.variables, theirs.variables, strict=True)
        differing = [name for name, digest, another in pairs if digest != another]
        if differing or mine.digest != theirs.digest or (chained and mine.chain != theirs.chain):
            if mine.digest != theirs.digest and not differing:
                differing = ["a variable that half a digest does not tell apart"]
            yield Parting(command, number, before, step, "".join(differing[:1]), len(differing))
            return
        before = step
    if max(one.entries, default=0) != max(other.entries, default=0):
        lasts = (max(one.entries, default=0), max(other.entries, default=0))
        what = f"equal in common steps, but one run took {lasts[0]} steps, the other {lasts[1]}"
        yield Parting(command, number, 0, 0, what, 0)


def _names(variables: Any) -> Iterator[str]:
    """Name and shape of each variable: layers of one kind may share a name."""
    if not isinstance(variables, list) or len(variables) > _MOST_VARIABLES:
        raise ValueError("variables")
    for one in variables:
        shape = ", ".join(str(int(size)) for size in one["shape"][:32])
        yield f"{str(one['name'])[:_LONGEST_NAME]} [{shape}]"


def _entry(line: Mapping[str, Any], variables: int) -> Entry:
    halves = base64.b64decode(line["variables"], validate=True)
    digests = struct.unpack(f"<{variables}I", halves)
    return Entry(_number(line["step"]), str(line["digest"])[:16], str(line["chain"])[:16], digests)


def _number(value: Any) -> int:
    if not isinstance(value, int) or not 0 < value < _MAX_STEP:
        raise ValueError("a number out of range")
    return value
