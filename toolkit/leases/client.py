"""Take, renew and release leases on hosts, over their shells; on several hosts all of them or none."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from toolkit.errors import Code, ToolkitError
from toolkit.hosts.parallel import Job as Errand
from toolkit.hosts.parallel import do_all
from toolkit.hosts.shell import Shell
from toolkit.leases.host_script import BUSY, TAKEN, acquire_argv, list_argv, release_argv, renew_argv
from toolkit.leases.model import Held, Holder, Lease, Taken, label_of, read_holders
from toolkit.process import Result

GRACE_SECONDS = 120
"""How long a lease without a container of its run is valid after it was taken or renewed."""
_RENEW_SECONDS = 30.0
_TIMEOUT = 90
_AT_ONCE = 16
_RENEWING: dict[str, threading.Lock] = {}
"""By token. If a lease were renewed twice at once, one of them would find that the other has removed its generation."""


def acquire(shell: Shell, lease: Lease, *, engine: str = "docker", grace: int = GRACE_SECONDS) -> Held | Taken:
    """Take what `lease` wants on the shell's host: all of it or nothing. Stale leases in the way are removed.

    Args:
        engine: the program of the host's engine, which stores the leases of all its accounts.
        grace: seconds; see `GRACE_SECONDS`.

    Raises `ToolkitError` (S100) if the host or its engine cannot be reached; then nothing is held.
    """
    try:
        result = shell.run(acquire_argv(lease, engine=engine, grace=grace), timeout=_TIMEOUT)
        if result.ok and (label := label_of(result.output)):
            return Held(shell.name, lease, label)
        if result.status in (TAKEN, BUSY):
            return Taken(shell.name, read_holders(result.output))
        raise _unusable(shell, engine, result)
    except BaseException:
        # Perhaps only the response was lost, and the lease was taken.
        with contextlib.suppress(ToolkitError):
            release(shell, lease, engine=engine)
        raise


def acquire_all(wanted: Sequence[tuple[Shell, Lease]], *, engine: str = "docker") -> tuple[Held, ...] | Taken:
    """Take the leases on all hosts, one after the other in the order of their names, or none of them.

    The order is the same for everyone, so one of several simultaneous launches gets what they all want. Raises as
    `acquire`; if it fails for any reason, everything taken is released.
    """
    done: list[tuple[Shell, Lease]] = []
    held: list[Held] = []
    try:
        for shell, lease in sorted(wanted, key=lambda pair: pair[0].name):
            done.append((shell, lease))
            answer = acquire(shell, lease, engine=engine)
            if isinstance(answer, Taken):
                release_all(done[:-1], engine=engine)
                return answer
            held.append(answer)
    except BaseException:
        release_all(done, engine=engine)
        raise
    return tuple(held)


def renew(shell: Shell, lease: Lease, *, engine: str = "docker") -> None:
    """Restart the lease's grace time; call it right after the run's first container has started.

    Raises `ToolkitError` (S100) if the lease no longer exists: it was stale and another run took over.
    """
    with _RENEWING.setdefault(lease.token, threading.Lock()):
        result = shell.run(renew_argv(lease, engine=engine, grace=GRACE_SECONDS), timeout=_TIMEOUT)
    if result.status == TAKEN:
        raise ToolkitError(
            Code.RESOURCES,
            f"run {lease.run} no longer has its lease on {shell.name}",
            hint="it had no container there for too long and another run took over: launch again",
            context={"host": shell.name, "reason": "lease lost"},
        )
    if not result.ok:
        raise _unusable(shell, engine, result)


def renew_all(leases: Sequence[tuple[Shell, Lease]], *, engine: str = "docker") -> None:
    """Renew all of them, in parallel; raises as `renew` does for the first that is lost."""
    errands = [Errand(one.name, partial(renew, one, lease, engine=engine)) for one, lease in leases]
    for answer in do_all(errands, at_once=_AT_ONCE):
        answer.get()


@contextmanager
def kept(
    leases: Sequence[tuple[Shell, Lease]], *, engine: str = "docker", every: float = _RENEW_SECONDS
) -> Iterator[threading.Event]:
    """Renew the leases every `every` seconds (default 30) within the context: for long operations before the first
    container, such as shipping an image. The event is set when a lease is lost; `renew` then says which.
    """
    stop, lost = threading.Event(), threading.Event()

    def work() -> None:
        while not stop.wait(every):
            for shell, lease in tuple(leases):
                try:
                    renew(shell, lease, engine=engine)
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


def release(shell: Shell, lease: Lease, *, engine: str = "docker") -> None:
    """Release the lease, unless it is gone; containers' leases end with them. Raises `ToolkitError` (S100)."""
    with _RENEWING.setdefault(lease.token, threading.Lock()):  # a concurrent renewal would bring it back
        _run(shell, engine, release_argv(lease.token, engine=engine))


def release_all(leases: Sequence[tuple[Shell, Lease]], *, engine: str = "docker") -> Mapping[str, ToolkitError]:
    """Release all of them, in parallel; returns the errors by host."""
    errands = [Errand(shell.name, partial(release, shell, lease, engine=engine)) for shell, lease in leases]
    answers = do_all(errands, at_once=_AT_ONCE)
    return {answer.host: answer.error for answer in answers if isinstance(answer.error, ToolkitError)}


def holders(shell: Shell, *, engine: str = "docker", grace: int = GRACE_SECONDS) -> tuple[Holder, ...]:
    """Every lease on the host, of all accounts, including stale ones. Raises `ToolkitError` (S100)."""
    return read_holders(_run(shell, engine, list_argv(engine=engine, grace=grace)))


def _run(shell: Shell, engine: str, argv: list[str]) -> str:
    result = shell.run(argv, timeout=_TIMEOUT)
    if not result.ok:
        raise _unusable(shell, engine, result)
    return result.output


def _unusable(shell: Shell, engine: str, result: Result) -> ToolkitError:
    return ToolkitError(
        Code.RESOURCES,
        f"leases cannot be stored in the engine of host {shell.name}",
        evidence=result.said[-1000:] or f"exit status {result.status}",
        hint=f"`{engine} volume ls` on the host, with the same account, must work: is the engine running, may the "
        "account use it, is its disk full?",
        context={"host": shell.name, "reason": "leases"},
    )
