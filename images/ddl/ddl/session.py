"""Initialising, which a process does once."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddl.environment import Place, place
from ddl.mode import parse_mode

if TYPE_CHECKING:
    from ddl.communicator import Communicator


@dataclass
class _Session:
    """What this process has initialised."""

    initialised: bool = False
    communicator: Communicator | None = None


_session = _Session()


def init(options: str) -> None:
    """Take this rank's GPU, connect the ranks, and have Keras optimizers keep all ranks' weights the same.

    Collective: every rank calls it, once, before TensorFlow touches a GPU. The import of `ddl` does this by itself
    where ``DDL_OPTIONS`` is set under mpirun. With one rank, there is nothing to connect.

    Args:
        options: ``-mode <c>:<dims>``, such as ``-mode p:1x2``; see `ddl.mode`.
    Raises:
        ValueError: the options are unreadable or stand for another number of ranks than there are.
        RuntimeError: already initialised; or there is no GPU left for this rank on this host; or Keras does not run
            on TensorFlow.
    """
    if _session.initialised:
        raise RuntimeError("ddl: already initialised (with DDL_OPTIONS set, importing ddl does it)")
    here = place()
    mode = parse_mode(options, here.size)
    if here.size > 1:
        _session.communicator = _connect(here)
    _session.initialised = True
    print(
        f"ddl: rank {here.rank} of {here.size}, host {here.host + 1} of {here.num_hosts}, {mode}",
        file=sys.stderr,
        flush=True,
    )


def _connect(here: Place) -> Communicator:
    """Start MPI and TensorFlow, which only a job of several ranks needs; hence the imports here."""
    from ddl import ending, gpu, keras_hook
    from ddl.communicator import Communicator

    ranks = Communicator()
    ending.arrange(ranks)  # first: from here on a rank that fails must not leave the others waiting
    gpu.pin(here.local_rank)
    keras_hook.install(ranks)
    return ranks


def communicator() -> Communicator | None:
    """The connected ranks; None where there is only one.

    Raises:
        RuntimeError: there are several, and `init` has not been called.
    """
    if _session.communicator is None and place().size > 1:
        raise RuntimeError("ddl: set DDL_OPTIONS, or call ddl.init(options) first")
    return _session.communicator
