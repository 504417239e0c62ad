"""Waiting at start for ranks that do not start the engine: they are named, and after a time limit the job is aborted.

MPI_Init returns when all ranks have called it, and reports nothing until then. Ranks that wait publish that they are
there, and look up which others are, through PMIx, with which Open MPI talks to mpirun (from 4.0 on): it works before
MPI does, from any thread, across hosts. None of this happens if all ranks start within a second.
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

from ddl.environment import Place
from ddl.termination import abort_unsynchronised

_POLL_SECONDS = 1.0
_STALL_SECONDS, _STALLS = 60.0, 5
_MAX_LISTED = 16


@dataclass(frozen=True)
class Limits:
    """Time limits in seconds for ranks that have not started.

    Attributes:
        warning: after which they are named, and again after each further such time; 0: never.
        end: after which the job is aborted; 0: never.
    """

    warning: float = _STALL_SECONDS
    end: float = _STALLS * _STALL_SECONDS


def limits(options: str, environ: Mapping[str, str]) -> Limits:
    """Read them from ``-stall`` and ``-start``, or ``DDL_STALL_SECONDS`` and ``DDL_START_SECONDS``.

    By default, the job is aborted after five times the time of the first warning: five minutes. Hosts with cold caches,
    and a rank that prepares data before it imports ddl, take minutes.

    Raises:
        ValueError: a variable is not a number of seconds.
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
        raise ValueError(f"ddl: {text!r} is not a number of seconds (DDL_STALL_SECONDS, DDL_START_SECONDS)") from None


@contextlib.contextmanager
def warn_while_starting(options: str, here: Place) -> Iterator[None]:
    """Watch from another thread while the engine starts in the body of the `with` statement."""
    started = threading.Event()
    watch = threading.Thread(target=_watch, args=(started, here, limits(options, os.environ)), daemon=True)
    watch.start()
    try:
        yield
    finally:
        started.set()


def _watch(started: threading.Event, here: Place, limits: Limits) -> None:
    begin, warned, published = time.monotonic(), 0.0, False
    while not started.wait(_POLL_SECONDS):
        waited = time.monotonic() - begin
        published = published or _publish(here)
        over = 0 < limits.end < waited
        due = 0 < limits.warning < waited - warned
        if not (over or due):
            continue
        # Only the first rank that is there reports; the others abort the job if it should have and has not.
        reports = not any(map(_has_published, range(here.rank))) if published else here.local_rank == 0
        if not reports and not (over and waited > limits.end + 10 * _POLL_SECONDS):
            continue
        missing = _missing_ranks(here) if published else None
        if started.is_set():
            return
        if over and missing != ():
            abort_unsynchronised(None, _reason(here, missing, limits.end))
        if due and reports:
            warned = waited
            sys.stderr.write(_warning(here, missing, waited, limits.end))


def _warning(here: Place, missing: tuple[int, ...] | None, waited: float, end: float) -> str:
    prefix = f"ddl: rank {here.rank} has waited {waited:.0f} s for "
    if missing == ():
        return f"{prefix}ddl to start; all ranks are present\n"
    after = f"; the job is aborted after {end:.0f} s (-start SECONDS in DDL_OPTIONS)" if end else ""
    return f"{prefix}{ranks(missing)} to start ddl{after}\n"


def _reason(here: Place, missing: tuple[int, ...] | None, end: float) -> str:
    have = "has" if missing is None or len(missing) == 1 else "have"
    return (
        f"{ranks(missing)} {have} not started ddl within {end:.0f} s, while rank {here.rank} on {socket.gethostname()} "
        "has, so nothing would be synchronised.\n"
        "  next: have every rank import ddl with DDL_OPTIONS set, or call ddl.init: look for an import or a call that "
        "only some ranks reach, and for a rank that has ended; if a rank needs longer, add -start SECONDS to "
        "DDL_OPTIONS (0: no limit)"
    )


def ranks(numbers: Sequence[int] | None) -> str:
    """Readable: ``rank 1``, ``ranks 1, 3``, ``ranks 0, 1, … and 84 more``; None: unknown ones."""
    if numbers is None:
        return "a rank (Open MPI does not say which)"
    listed = ", ".join(map(str, numbers[:_MAX_LISTED]))
    more = f" and {len(numbers) - _MAX_LISTED} more" if len(numbers) > _MAX_LISTED else ""
    return f"rank{'' if len(numbers) == 1 else 's'} {listed}{more}"


# PMIx's structures, the same from version 2 to 5.
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
    """Open MPI's PMIx, once MPI has initialised it; None before, or if MPI uses another one."""
    try:
        library = ctypes.CDLL("libpmix.so.2", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        return library if library.PMIx_Initialized() else None
    except (OSError, AttributeError):
        return None


def _key(rank: int) -> bytes:
    return f"ddl.{os.environ.get('PMIX_NAMESPACE', '')}.{rank}".encode()[:500]


def _publish(here: Place) -> bool:
    """Publish that this rank is there; returns whether that succeeded."""
    library = _pmix()
    info = _Info(_key(here.rank), 0, _Value(_STRING, b"started"))
    return library is not None and library.PMIx_Publish(ctypes.byref(info), ctypes.c_size_t(1)) == _SUCCESS


def _has_published(rank: int) -> bool:
    """Whether a rank has published. One lookup at a time: Open MPI 4.1 answers only the first of several keys."""
    library = _pmix()
    entry = _Published(key=_key(rank))
    if library is not None:
        library.PMIx_Lookup(ctypes.byref(entry), ctypes.c_size_t(1), None, ctypes.c_size_t(0))
    return bool(entry.value.type == _STRING)


def _missing_ranks(here: Place) -> tuple[int, ...] | None:
    """The ranks that have not published; None if mpirun does not even know of this one."""
    if not _has_published(here.rank):
        return None
    return tuple(rank for rank in range(here.size) if not _has_published(rank))
