"""Taking, renewing and releasing leases on hosts, over their shells; on several hosts all of them or none."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from toolkit.errors import Code, ToolkitError
from toolkit.hosts.shell import Shell
from toolkit.leases.model import Held, Holder, Lease, Taken, read_holders
from toolkit.leases.program import BUSY, TAKEN, acquire_argv, list_argv, release_argv, renew_argv
from toolkit.process import Result

GRACE_SECONDS = 120
"""How long a lease stands without a container of its run, since it was taken or renewed."""
_RENEW_SECONDS = 30.0
_TIMEOUT = 90


def folder_of(scratch: str) -> str:
    """Where a host's leases lie: below its scratch folder, mode 0700."""
    return f"{scratch.rstrip('/')}/leases"


def acquire(
    shell: Shell, scratch: str, lease: Lease, *, engine: str = "docker", grace: int = GRACE_SECONDS
) -> Held | Taken:
    """Take what `lease` wants on the shell's host: all of it or nothing. Stale leases in its way are removed.

    Args:
        engine: the program of the host's engine, which is asked whether another lease's run still lives.
        grace: seconds; see `GRACE_SECONDS`.

    Raises `ToolkitError` (S100) where the host cannot be reached or its folder cannot be used; then nothing is held.
    """
    try:
        argv = acquire_argv(folder_of(scratch), lease, engine=engine, grace=grace)
        result = shell.run(argv, timeout=_TIMEOUT)
        if result.ok:
            return Held(shell.name, lease)
        if result.status in (TAKEN, BUSY):
            return Taken(shell.name, read_holders(result.output))
        raise _unusable(shell, scratch, result)
    except BaseException:
        # The answer may have been lost on its way, and not the lease.
        with contextlib.suppress(ToolkitError):
            release(shell, scratch, lease)
        raise


def acquire_all(
    wanted: Sequence[tuple[Shell, Lease]], scratch: str, *, engine: str = "docker", grace: int = GRACE_SECONDS
) -> tuple[Held, ...] | Taken:
    """Take the leases on all hosts, one after the other in the order of their names, or none of them.

    The order is the same for everyone: so of launches at the same instant one gets what they all want. Raises as
    `acquire`; whatever stops it, everything taken is given back.
    """
    done: list[tuple[Shell, Lease]] = []
    held: list[Held] = []
    try:
        for shell, lease in sorted(wanted, key=lambda pair: pair[0].name):
            done.append((shell, lease))
            answer = acquire(shell, scratch, lease, engine=engine, grace=grace)
            if isinstance(answer, Taken):
                release_all(done[:-1], scratch)
                return answer
            held.append(answer)
    except BaseException:
        release_all(done, scratch)
        raise
    return tuple(held)


def renew(shell: Shell, scratch: str, lease: Lease) -> None:
    """Make the lease young again; call it right before the run's first container starts.

    Raises `ToolkitError` (S100) where the lease is no longer there: it was stale and someone took it over.
    """
    result = shell.run(renew_argv(folder_of(scratch), lease), timeout=_TIMEOUT)
    if result.status == TAKEN:
        raise ToolkitError(
            Code.RESOURCES,
            f"run {lease.run} no longer has its lease on {shell.name}",
            mend="it had no container there for too long, and another run took it over: launch again",
            context={"host": shell.name, "reason": "lease lost"},
        )
    if not result.ok:
        raise _unusable(shell, scratch, result)


@contextmanager
def kept(
    leases: Sequence[tuple[Shell, Lease]], scratch: str, *, every: float = _RENEW_SECONDS
) -> Iterator[threading.Event]:
    """Renew the leases every `every` seconds (default 30) while the context lasts: for what takes long before the
    first container, such as shipping an image. The event is set once a lease is lost; `renew` then says which.
    """
    stop, lost = threading.Event(), threading.Event()

    def work() -> None:
        while not stop.wait(every):
            for shell, lease in leases:
                try:
                    renew(shell, scratch, lease)
                except ToolkitError as error:
                    if error.context.get("reason") == "lease lost":
                        lost.set()

    thread = threading.Thread(target=work, name="leases", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        stop.set()
        thread.join()


def release(shell: Shell, scratch: str, lease: Lease) -> None:
    """Give the lease back; it is no error if it is gone. Raises `ToolkitError` (S100)."""
    result = shell.run(release_argv(folder_of(scratch), lease), timeout=_TIMEOUT)
    if not result.ok:
        raise _unusable(shell, scratch, result)


def release_all(leases: Sequence[tuple[Shell, Lease]], scratch: str) -> Mapping[str, ToolkitError]:
    """Give all of them back; the errors of hosts where that could not be done, by host."""
    errors: dict[str, ToolkitError] = {}
    for shell, lease in leases:
        try:
            release(shell, scratch, lease)
        except ToolkitError as error:
            errors[shell.name] = error
    return errors


def holders(shell: Shell, scratch: str, *, engine: str = "docker", grace: int = GRACE_SECONDS) -> tuple[Holder, ...]:
    """Every lease on the host, stale ones too; changes nothing. Raises `ToolkitError` (S100)."""
    result = shell.run(list_argv(folder_of(scratch), engine=engine, grace=grace), timeout=_TIMEOUT)
    if not result.ok:
        raise _unusable(shell, scratch, result)
    return read_holders(result.output)


def _unusable(shell: Shell, scratch: str, result: Result) -> ToolkitError:
    return ToolkitError(
        Code.RESOURCES,
        f"the leases of host {shell.name} cannot be kept in {folder_of(scratch)}",
        evidence=result.errors.strip()[-1000:] or f"exit status {result.status}",
        mend="may the account write there, is the disk full? Or name another `scratch` in the cluster's file",
        context={"host": shell.name, "reason": "leases"},
    )
