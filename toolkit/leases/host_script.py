"""The program that stores leases in a host's engine (`host_script.sh`), and its argv.

A lease is an empty volume of the engine while a run is being prepared, and a label on the run's containers while it
lives. Both are in the one place that is shared by every account that launches here, and closed to all others: there is
no folder that someone could create first, fill or lock. It needs a POSIX sh, coreutils and the engine's command, and
no lock that a killed process could leave behind:

- A volume is created with its whole record as its label, or not at all. Its name has the lease's token and
  generation, so no two leases share a name, and removing one can never remove another's.
- A lease is taken by "announce first, then look": generation 0 announces the request. Only if no other request or
  holder for the same resources is visible then, generation 1 is created, which holds them. Of two requests, the later
  one sees the earlier, so both cannot succeed. Of several simultaneous ones, that with the lowest token waits until
  the others have withdrawn.
- Each step to the next generation (holding, and every renewal) is valid only if the one before still exists right
  after the next has been created. To remove a stale lease, the old generation is removed first, then a new one is
  looked for. So a lease that was removed is never believed to be held.
- A volume is stale if it was not renewed within the grace time; a request, after 10 s. All ages are by the host's
  clock. The label on containers holds as long as they run: a run whose agent and learners are gone has released its
  host, whatever ended them.
- Whoever wants a lease starts a guard process on the host first, which removes the volumes once they are no longer
  renewed: an operator who is disconnected or killed leaves nothing behind, even if no one else launches there. An
  engine that is stopped is waited for for two minutes; after that, the next lease or `toolkit clean` removes them.

What is not a record is skipped. Only volumes with these names are removed. `toolkit.leases.model` documents
the fields of a record, the value of the label `toolkit.lease`.
"""

from __future__ import annotations

from toolkit.leases.model import Lease
from toolkit.shell_files import shell_program

TAKEN = 10
"""Exit status: others hold what was asked for, or the lease to renew is gone."""
BUSY = 11
"""Exit status: others were requesting the same until the timeout."""
UNUSABLE = 74
"""Exit status: the engine fails; its message is on standard error."""

PROGRAM = shell_program("toolkit.leases", "host_script.sh")


def acquire_argv(lease: Lease, *, engine: str, grace: int) -> list[str]:
    """Take what `lease` wants; exit status 0, `TAKEN` (the holders are printed), `BUSY` or `UNUSABLE`."""
    return [*_call("acquire", engine, grace), *lease.words]


def renew_argv(lease: Lease, *, engine: str, grace: int) -> list[str]:
    """Restart the lease's grace time; exit status 0, or `TAKEN` if it no longer exists."""
    return [*_call("renew", engine, grace), *lease.words]


def release_argv(token: str, *, engine: str) -> list[str]:
    """Remove the lease's volumes; no error if there are none."""
    return [*_call("release", engine, 0), token, *_NO_WORDS]


def list_argv(*, engine: str, grace: int) -> list[str]:
    """Print every lease."""
    return [*_call("list", engine, grace), "", *_NO_WORDS]


_NO_WORDS = ("-", "*", "-", "-")


def _call(act: str, engine: str, grace: int) -> list[str]:
    return ["sh", "-c", PROGRAM, "leases", act, engine, str(grace)]
