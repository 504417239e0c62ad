"""Determines which of a rank's processes has the engine.

mpirun starts one process per rank, often a shell, and sets the rank's number in its environment. Every process below
inherits that: the training itself, its data-loading workers, an evaluation that it runs. Open MPI accepts only one of
them, so the first that starts the engine owns it until it ends, and records that:

- in its environment, for all processes that it starts later: these are *workers*;
- in a file in mpirun's session directory on this host, for processes that were started beside it, or after it.

Workers still know the rank's place. They do not start MPI, collectives raise in them, and their training is not
synchronised.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.environment import Place

VARIABLE = "DDL_ENGINE_PROCESS"
_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process of this host; `started`, in clock ticks since boot, distinguishes it from a later one with the same
    pid.
    """

    pid: int
    started: int

    @property
    def lives(self) -> bool:
        """Whether it is still running."""
        return running(self.pid) == self


@dataclass(frozen=True)
class Worker:
    """A process that is not the rank's own.

    Attributes:
        why: the reason that it has no engine, for an error message.
        owner: the process that has it; None if none has started it yet.
    """

    why: str
    owner: Process | None = None


def claim(here: Place, environ: MutableMapping[str, str]) -> Worker | None:
    """Make this process the owner of the rank's engine.

    Returns:
        None on success; otherwise what this process is.
    Raises:
        RuntimeError: another process that did not start this one owns it, or owned it before.
    """
    me = running(os.getpid())
    if me is None:  # no /proc: nothing is known of other processes
        return None
    slot = _slot(here, environ)
    recorded = recorded_owner(here, environ)
    if recorded is not None:
        return worker_of(here, me, recorded)
    if _forked_or_of_multiprocessing():
        return Worker(
            f"this process ({me.pid}) is a worker of rank {here.rank}'s main program, which has not started ddl: "
            "import ddl in the main program before it starts others"
        )
    file = _file(slot, environ)
    recorded = _record(file, slot, me)
    while recorded != me:
        if recorded in _ancestors(me):  # the environment was not inherited
            return worker_of(here, me, recorded)
        if recorded.lives:
            raise RuntimeError(
                f"ddl: process {recorded.pid}, {_command(recorded)}, has already started ddl for rank {here.rank}, "
                "and only one process of a rank may train: start the other one without DDL_OPTIONS in its "
                "environment, or import ddl in the main program before it starts others"
            )
        if not _mpi_starts_again(environ):
            raise RuntimeError(
                f"ddl: an earlier process of rank {here.rank} ({recorded.pid}) has already started ddl, and this Open "
                "MPI can be initialised only once per rank: do both in one process, unset DDL_OPTIONS in the earlier "
                "one's environment, or start each with an mpirun (in a manifest: a command) of its own"
            )
        file.unlink(missing_ok=True)
        recorded = _record(file, slot, me)
    environ[VARIABLE] = _line(slot, me)
    return None


def recorded_owner(here: Place, environ: Mapping[str, str]) -> Process | None:
    """The owner of the rank's engine, if this process is it or was started by it."""
    return _read(environ.get(VARIABLE, ""), _slot(here, environ))


def release(here: Place, environ: MutableMapping[str, str]) -> None:
    """Undo `claim` if the engine could not be started after all."""
    if environ.pop(VARIABLE, None) is not None:
        _file(_slot(here, environ), environ).unlink(missing_ok=True)


def running(pid: int) -> Process | None:
    """The process with this pid; None if there is none."""
    fields = _status(pid)
    # A zombie has ended: only its status was not collected yet.
    return Process(pid, int(fields[19])) if fields and fields[0] not in "ZX" else None


def _status(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; [] if there is no such process."""
    try:
        # The command before them is in parentheses, and may contain any characters.
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _ancestors(process: Process) -> list[Process]:
    found: list[Process] = []
    fields = _status(process.pid)
    while fields and int(fields[1]) > 1 and len(found) < 1000:
        pid = int(fields[1])
        fields = _status(pid)
        if fields:
            found.append(Process(pid, int(fields[19])))
    return found


def worker_of(here: Place, me: Process, owner: Process) -> Worker:
    """What `me` is, given that `owner` has the engine."""
    if owner == me:
        why = f"rank {here.rank}'s process replaced its program (exec) after ddl had started"
    else:
        why = f"this process ({me.pid}) was started by rank {here.rank}'s (process {owner.pid})"
    return Worker(f"{why}: collectives belong to the rank's own process", owner)


def _forked_or_of_multiprocessing() -> bool:
    """Whether this process is part of another Python program: forked from it, or a `multiprocessing` worker."""
    multiprocessing: Any = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None:
        # The second covers imports of a spawned worker before it is told its parent.
        begins = getattr(multiprocessing.current_process(), "_inheriting", False)
        if multiprocessing.parent_process() is not None or begins:
            return True
    # A program's addresses are random: a process with the same ones as its parent was forked and has not called exec.
    try:
        return (_PROC / "self/auxv").read_bytes() == (_PROC / str(os.getppid()) / "auxv").read_bytes()
    except OSError:
        return False


def _slot(here: Place, environ: Mapping[str, str]) -> str:
    """Identifies one rank of one job: ranks of an mpirun that a rank starts are different ones."""
    return f"{environ.get('PMIX_NAMESPACE', 'job')}.{here.rank}"


def _file(slot: str, environ: Mapping[str, str]) -> Path:
    session = environ.get("PMIX_SERVER_TMPDIR")  # removed by mpirun at the end
    folder = Path(session) if session and Path(session).is_dir() else Path(tempfile.gettempdir())
    return folder / f"ddl.{os.getuid()}.{slot.replace('/', '_')}"


def _line(slot: str, process: Process) -> str:
    return f"{process.pid} {process.started} {slot}"


def _read(line: str, slot: str) -> Process | None:
    pid, _, rest = line.partition(" ")
    started, _, named = rest.partition(" ")
    return Process(int(pid), int(started)) if named == slot and (pid + started).isdecimal() else None


def _record(file: Path, slot: str, me: Process) -> Process:
    """Write this process into the file unless it has an owner; returns the owner. This process if the file cannot be
    written.
    """
    own = file.with_name(f"{file.name}.{me.pid}")
    try:
        with open(own, "x", opener=_without_links) as new:
            new.write(_line(slot, me))
        with contextlib.suppress(FileExistsError):
            os.link(own, file)  # atomic, and succeeds only for the first
        own.unlink()
        with open(file, opener=_without_links) as written:
            if os.fstat(written.fileno()).st_uid == os.getuid():
                return _read(written.read(4096), slot) or me
    except OSError:
        pass
    return me


def _without_links(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW, 0o600)


def _mpi_starts_again(environ: Mapping[str, str]) -> bool:
    """Whether MPI can be started again after it has ended: from Open MPI 5 on, which sets its version."""
    return environ.get("OMPI_VERSION", "").partition(".")[0].isdecimal()


def _command(process: Process) -> str:
    """The beginning of a process's command line."""
    try:
        words = (_PROC / str(process.pid) / "cmdline").read_bytes()[:200].replace(b"\0", b" ")
    except OSError:
        return "which has ended"
    return words.decode(errors="replace").strip()
