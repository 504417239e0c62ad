"""Which of a rank's processes has the engine.

mpirun starts one process for each rank, often a shell, and tells it in the environment which rank it is. Every process
below inherits that: the training itself, its data-loading workers, an evaluation that it runs. Open MPI takes one of
them only, so the first that starts the engine has it until it ends, and records that:

- in its environment, for all that it starts later: these are *workers*;
- in a file in mpirun's session directory on this host, for processes that were started beside it, or after it.

Workers still know the rank's place. They start no MPI, collectives raise in them, and what they train is theirs alone.
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
    """A process of this host; `started`, in clock ticks since the host did, tells it from a later one of its number."""

    pid: int
    started: int

    @property
    def lives(self) -> bool:
        """Whether it runs still."""
        return running(self.pid) == self


@dataclass(frozen=True)
class Worker:
    """What this process is where it is not the rank's own.

    Attributes:
        why: it has no engine, in words for an error.
        owner: the process that has it; None where none has started it yet.
    """

    why: str
    owner: Process | None = None


def take(here: Place, environ: MutableMapping[str, str]) -> Worker | None:
    """Make this process the one that has the rank's engine.

    Returns:
        None if it is; else what it is.
    Raises:
        RuntimeError: another process has it that this one was not started by, or had it before.
    """
    me = running(os.getpid())
    if me is None:  # no /proc: nothing can be told of other processes
        return None
    slot = _slot(here, environ)
    holder = recorded(here, environ)
    if holder is not None:
        return worker_of(here, me, holder)
    if _forked_or_of_multiprocessing():
        return Worker(
            f"this process ({me.pid}) is a worker of rank {here.rank}'s main program, which has not started ddl: "
            "import ddl in the main program before it starts others"
        )
    file = _file(slot, environ)
    holder = _record(file, slot, me)
    while holder != me:
        if holder in _ancestors(me):  # the environment was not handed down
            return worker_of(here, me, holder)
        if holder.lives:
            raise RuntimeError(
                f"ddl: process {holder.pid}, {_command(holder)}, has started ddl for rank {here.rank} already, and a "
                f"rank has one process that trains: start the other one without DDL_OPTIONS in its environment, or "
                "import ddl in the main program before it starts others"
            )
        if not _mpi_starts_again(environ):
            raise RuntimeError(
                f"ddl: an earlier process of rank {here.rank} ({holder.pid}) has started ddl already, and this Open "
                "MPI starts once in each of mpirun's places: do both in one process, leave DDL_OPTIONS out of the "
                "earlier one's environment, or start each with an mpirun (in a manifest: a command) of its own"
            )
        file.unlink(missing_ok=True)
        holder = _record(file, slot, me)
    environ[VARIABLE] = _line(slot, me)
    return None


def recorded(here: Place, environ: Mapping[str, str]) -> Process | None:
    """The process that has the rank's engine, where this one was started by it or is it."""
    return _read(environ.get(VARIABLE, ""), _slot(here, environ))


def release(here: Place, environ: MutableMapping[str, str]) -> None:
    """Undo `take`, where the engine could not be started after all."""
    if environ.pop(VARIABLE, None) is not None:
        _file(_slot(here, environ), environ).unlink(missing_ok=True)


def running(pid: int) -> Process | None:
    """The process of that number; None if there is none."""
    fields = _status(pid)
    # A zombie has ended: its parent has not asked for its status yet.
    return Process(pid, int(fields[19])) if fields and fields[0] not in "ZX" else None


def _status(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; [] where there is no such process."""
    try:
        # The command before them is in brackets, and may have any characters.
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
    """What `me` is where `owner` has the engine."""
    if owner == me:
        why = f"rank {here.rank}'s process replaced its program (exec) after ddl had started"
    else:
        why = f"this process ({me.pid}) was started by rank {here.rank}'s (process {owner.pid})"
    return Worker(f"{why}: collectives belong to the rank's own process", owner)


def _forked_or_of_multiprocessing() -> bool:
    """Whether this process is part of another Python program: forked from it, or a worker of `multiprocessing`'s."""
    multiprocessing: Any = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None:
        # The second is for what a spawned worker imports before it is told its parent.
        begins = getattr(multiprocessing.current_process(), "_inheriting", False)
        if multiprocessing.parent_process() is not None or begins:
            return True
    # A program's addresses are random: a process that has its parent's was forked and has not started another program.
    try:
        return (_PROC / "self/auxv").read_bytes() == (_PROC / str(os.getppid()) / "auxv").read_bytes()
    except OSError:
        return False


def _slot(here: Place, environ: Mapping[str, str]) -> str:
    """What stands for one rank of one job: ranks of an mpirun that a rank starts are others."""
    return f"{environ.get('PMIX_NAMESPACE', 'job')}.{here.rank}"


def _file(slot: str, environ: Mapping[str, str]) -> Path:
    session = environ.get("PMIX_SERVER_TMPDIR")  # mpirun removes it at the end
    folder = Path(session) if session and Path(session).is_dir() else Path(tempfile.gettempdir())
    return folder / f"ddl.{os.getuid()}.{slot.replace('/', '_')}"


def _line(slot: str, process: Process) -> str:
    return f"{process.pid} {process.started} {slot}"


def _read(line: str, slot: str) -> Process | None:
    pid, _, rest = line.partition(" ")
    started, _, named = rest.partition(" ")
    return Process(int(pid), int(started)) if named == slot and (pid + started).isdecimal() else None


def _record(file: Path, slot: str, me: Process) -> Process:
    """Write this process into the file, unless one is there; whose it is then. This one where none can be written."""
    own = file.with_name(f"{file.name}.{me.pid}")
    try:
        with open(own, "x", opener=_without_links) as new:
            new.write(_line(slot, me))
        with contextlib.suppress(FileExistsError):
            os.link(own, file)  # whole or not at all, and only for the first
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
    """Whether MPI can start in a place where it has ended: from Open MPI 5 on, which says its version."""
    return environ.get("OMPI_VERSION", "").partition(".")[0].isdecimal()


def _command(process: Process) -> str:
    """The beginning of a process's command line."""
    try:
        words = (_PROC / str(process.pid) / "cmdline").read_bytes()[:200].replace(b"\0", b" ")
    except OSError:
        return "which has ended"
    return words.decode(errors="replace").strip()
