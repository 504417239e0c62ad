"""The program that keeps leases in a host's engine (`host_script.sh`), and the argv that calls it.

A lease is an empty volume of the engine while a run gets ready, and a label on the run's containers while it lives.
Both are in the one place that every account which launches here shares, and that no other account reaches: there is no
folder that someone could make first, fill or close. It needs a POSIX sh, coreutils and the engine's command, and no
lock that someone who is killed could leave behind:

- A volume is made with its whole record as its label, or not at all. Its name has the lease's token and its
  generation, so no two leases share a name, and removing one can never remove another's.
- Taking is "show first, then look": generation 0 says that its taker asks. Only who then sees no one else asking for
  or holding the same makes generation 1, which holds. Of two, the one that came second sees the first, so both cannot
  get it. Of several that ask at once, the one whose token sorts first waits until the others have drawn back.
- Each step to a next generation (holding, and every renewal) is good only if the one before is there still, right
  after the next has been made. Who takes a stale lease away removes the old generation first, and then looks whether
  another has come. So a lease that is taken away is never believed to be held.
- A volume is stale when it was not renewed within the grace time; one that is only asked for, after 10 s. All ages are
  by the host's clock. The label on containers holds as long as they run: a run whose agent and learners are gone has
  given back its host, whatever ended them.
- Whoever took one leaves a guard behind, which takes the volume away once no one renews it: an operator who is cut off
  or killed leaves nothing, also where no one comes after him.

What is not a record is skipped. Nothing is removed but volumes by these names. `toolkit.leases.model`
says what a record, the value of the label `toolkit.lease`, is made of.
"""

from __future__ import annotations

from toolkit.leases.model import Lease
from toolkit.shell_files import shell_program

TAKEN = 10
"""Exit status: others hold what was asked, or the lease to renew is gone."""
BUSY = 11
"""Exit status: others were asking until the patience ran out."""
UNUSABLE = 74
"""Exit status: the engine does not do what it is asked; its words are on the standard error."""

PROGRAM = shell_program("toolkit.leases", "host_script.sh")


def acquire_argv(lease: Lease, *, engine: str, grace: int) -> list[str]:
    """Take what `lease` wants; exit status 0, `TAKEN` (who is in the way is printed), `BUSY` or `UNUSABLE`."""
    return [*_call("acquire", engine, grace), *lease.words]


def renew_argv(lease: Lease, *, engine: str, grace: int) -> list[str]:
    """Make the lease young again; exit status 0, or `TAKEN` where it is no longer there."""
    return [*_call("renew", engine, grace), *lease.words]


def release_argv(token: str, *, engine: str) -> list[str]:
    """Remove the lease's volumes; it is no error if there are none."""
    return [*_call("release", engine, 0), token, *_NO_WORDS]


def list_argv(*, engine: str, grace: int) -> list[str]:
    """Print every lease."""
    return [*_call("list", engine, grace), "", *_NO_WORDS]


_NO_WORDS = ("-", "*", "-", "-")


def _call(act: str, engine: str, grace: int) -> list[str]:
    return ["sh", "-c", PROGRAM, "leases", act, engine, str(grace)]
