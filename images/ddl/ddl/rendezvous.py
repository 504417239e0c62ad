"""What happens while ranks wait for one that does not start the engine: it is named, and in the end the job ends.

MPI starts when all ranks are there, and says nothing until then. Ranks that wait tell mpirun that they are there, and
ask it who else is, through PMIx, with which Open MPI talks to mpirun (from 4.0 on): it works before MPI does, from any
thread, across hosts. Nothing of it happens where all ranks come within a second.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddl.ending import end_unsynchronised
from ddl.environment import Place

_LOOK_SECONDS = 1.0
_STALL_SECONDS, _STALLS = 60.0, 5
_LISTED = 16


@dataclass(frozen=True)
class Limits:
    """Seconds of waiting for ranks that have not started.

    Attributes:
        warning: after which they are named, and again after each further such time; 0: never.
        end: after which the job ends; 0: never.
    """

    warning: float = _STALL_SECONDS
    end: float = _STALLS * _STALL_SECONDS


def limits(options: str, environ: Mapping[str, str]) -> Limits:
    """Read them from ``-stall`` and ``-start``, or ``DDL_STALL_SECONDS`` and ``DDL_START_SECONDS``.

    Five times as long as until the first warning, where only that is set: five minutes, by default. Hosts whose caches
    are cold, and a rank that prepares data before it imports ddl, take minutes.

    Raises:
        ValueError: a variable is no number of seconds.
    """
    words = options.split()
    values = dict(itertools.pairwise(words))
    stall = _seconds(values.get("-stall", environ.get("DDL_STALL_SECONDS", "")))
    start = _seconds(values.get("-start", environ.get("DDL_START_SECONDS", "")))
    warning = _STALL_SECONDS if stall is None else stall
    return Limits(warning, start if start is not None else _STALLS * (warning or _STALL_SECONDS))


def _seconds(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"ddl: {text!r} is no number of seconds (DDL_STALL_SECONDS, DDL_START_SECONDS)") from None


@contextlib.contextmanager
def watched(options: str, here: Place) -> Iterator[None]:
    """Watch, from another thread, while the engine starts inside."""
    there = threading.Event()
    watch = threading.Thread(target=_watch, args=(there, here, limits(options, os.environ)), daemon=True)
    watch.start()
    try:
        yield
    finally:
        there.set()


def _watch(there: threading.Event, here: Place, limits: Limits) -> None:
    began, warned, announced = time.monotonic(), 0.0, False
    while not there.wait(_LOOK_SECONDS):
        waited = time.monotonic() - began
        announced = announced or _announce(here)
        over = 0 < limits.end < waited
        due = 0 < limits.warning < waited - warned
        if not (over or due):
            continue
        # One rank speaks, the first that is there; the others end the job where it should have, and has not.
        speaks = not any(map(_is_there, range(here.rank))) if announced else here.local_rank == 0
        if not speaks and not (over and waited > limits.end + 10 * _LOOK_SECONDS):
            continue
        missing = _missing(here) if announced else None
        if there.is_set():
            return
        if over and missing != ():
            end_unsynchronised(None, _why(here, missing, limits.end))
        if due and speaks:
            warned = waited
            sys.stderr.write(_warning(here, missing, waited, limits.end))


def _warning(here: Place, missing: tuple[int, ...] | None, waited: float, end: float) -> str:
    said = f"ddl: rank {here.rank} has waited {waited:.0f} s for "
    if missing == ():
        return f"{said}ddl to start; all ranks are there\n"
    after = f"; the job ends after {end:.0f} s (-start SECONDS in DDL_OPTIONS)" if end else ""
    return f"{said}{ranks(missing)} to start ddl{after}\n"


def _why(here: Place, missing: tuple[int, ...] | None, end: float) -> str:
    have = "has" if missing is None or len(missing) == 1 else "have"
    return (
        f"{ranks(missing)} {have} not started ddl within {end:.0f} s, while rank {here.rank} on {socket.gethostname()} "
        "has, so nothing would be synchronised.\n"
        "  next: have every rank import ddl with DDL_OPTIONS set, or call ddl.init: look for an import or a call that "
        "only some ranks come to, and for a rank that has ended; where a rank needs longer, add -start SECONDS to "
        "DDL_OPTIONS (0: no limit)"
    )


def ranks(numbers: Sequence[int] | None) -> str:
    """For a person: ``rank 1``, ``ranks 1, 3``, ``ranks 0, 1, … and 84 more``; None: some that are not known."""
    if numbers is None:
        return "a rank (Open MPI does not say which)"
    listed = ", ".join(map(str, numbers[:_LISTED]))
    more = f" and {len(numbers) - _LISTED} more" if len(numbers) > _LISTED else ""
    return f"rank{'' if len(numbers) == 1 else 's'} {listed}{more}"


# PMIx's structures, which are the same from version 2 to 5.
class _Process(ctypes.Structure):
    _fields_ = (("namespace", ctypes.c_char * 256), ("rank", ctypes.c_uint32))


class _Value(ctypes.Structure):
    _fields_ = (("type", ctypes.c_uint16), ("text", ctypes.c_char_p), ("_rest", ctypes.c_void_p))


class _Info(ctypes.Structure):
    _fields_ = (("key", ctypes.c_char * 512), ("flags", ctypes.c_uint32), ("value", _Value))


class _Published(ctypes.Structure):
    _fields_ = (("process", _Process), ("key", ctypes.c_char * 512), ("value", _Value))


_STRING, _SUCCESS = 3, 0


def _pmix() -> Any | None:
    """Open MPI's PMIx, once MPI has begun to use it; None before, and where it is none of its own."""
    try:
        library = ctypes.CDLL("libpmix.so.2", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        return library if library.PMIx_Initialized() else None
    except (OSError, AttributeError):
        return None


def _key(rank: int) -> bytes:
    return f"ddl.{os.environ.get('PMIX_NAMESPACE', '')}.{rank}".encode()[:500]


def _announce(here: Place) -> bool:
    """Tell mpirun that this rank is there; whether it has been told."""
    library = _pmix()
    info = _Info(_key(here.rank), 0, _Value(_STRING, b"started"))
    return library is not None and library.PMIx_Publish(ctypes.byref(info), ctypes.c_size_t(1)) == _SUCCESS


def _is_there(rank: int) -> bool:
    """Whether a rank has announced itself. One at a time: Open MPI 4.1 answers the first of several keys alone."""
    library = _pmix()
    asked = _Published(key=_key(rank))
    if library is not None:
        library.PMIx_Lookup(ctypes.byref(asked), ctypes.c_size_t(1), None, ctypes.c_size_t(0))
    return bool(asked.value.type == _STRING)


def _missing(here: Place) -> tuple[int, ...] | None:
    """The ranks that have not announced themselves; None where mpirun does not even know of this one."""
    if not _is_there(here.rank):
        return None
    return tuple(rank for rank in range(here.size) if not _is_there(rank))
