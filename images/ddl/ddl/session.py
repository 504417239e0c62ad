"""Initialisation, once per process."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddl.environment import Place, place
from ddl.guard.settings import Settings, read_settings
from ddl.import_hooks import catch_up
from ddl.mode import parse_mode

if TYPE_CHECKING:
    from ddl.engine import Engine
    from ddl.owner import Process, Worker


@dataclass
class _Session:
    """What this process has initialised."""

    initialised: bool = False
    engine: Engine | None = None
    worker: str = ""  # in a worker: why it has no engine, for an error message


_session = _Session()


def init(options: str) -> None:
    """Take this rank's GPU, connect the ranks, and have the framework keep all ranks' weights identical.

    Collective: every rank calls it, once, before its framework uses a GPU. The import of `ddl` does this by itself if
    ``DDL_OPTIONS`` is set under mpirun. With one rank, there is nothing to connect. TensorFlow, Keras and PyTorch are
    prepared when the program imports them, before or after this; none is loaded for it.

    In a process started by the rank's own (see `ddl.owner`) it only makes frameworks use the rank's GPU.

    Args:
        options: ``-mode <c>:<dims>``, such as ``-mode p:1x2``; see `ddl.mode`.
    Raises:
        ValueError: the options are malformed or for another number of ranks; or the guard's settings are invalid, or
            differ between ranks.
        RuntimeError: already initialised, here or in another of the rank's processes; or there is no GPU left for this
            rank on this host; or Keras does not run on TensorFlow; or the engine cannot be loaded or started.
    """
    if _session.initialised:
        raise RuntimeError("ddl: already initialised (with DDL_OPTIONS set, importing ddl does it)")
    here = place()
    mode = parse_mode(options, here.size)
    guard_settings = read_settings(options, os.environ)
    if here.size > 1:
        _session.engine = _connect(options, here, guard_settings)
    _session.initialised = True
    if _session.worker:
        return
    line = f"ddl: rank {here.rank} of {here.size}, host {here.host + 1} of {here.num_hosts}, {mode}\n"
    sys.stderr.write(line)  # in one piece: the ranks share one output


def _connect(options: str, here: Place, guard_settings: Settings) -> Engine | None:
    """The started engine; None in a worker."""
    from ddl import frameworks, owner, rendezvous, termination
    from ddl.engine import Engine, EngineError
    from ddl.guard import process

    worker = owner.claim(here, os.environ)
    if worker is not None:
        _become_worker_process(worker, here)
        return None
    try:
        with rendezvous.warn_while_starting(options, here):
            engine = Engine(options, here.local_rank)
    except EngineError:
        owner.release(here, os.environ)
        raise
    termination.install(engine)  # first: from here on a rank that fails must not leave the others waiting
    os.register_at_fork(after_in_child=functools.partial(_become_worker, owner.running(os.getpid()), here))
    process.start(engine, here, guard_settings)
    frameworks.prepare(engine, here)
    return engine


def is_worker() -> bool:
    """Whether the rank's own process has started ddl and started this one; if so, prepares it as a worker."""
    from ddl import owner

    here = place()
    return owner.recorded_owner(here, os.environ) is not None and _connect("", here, Settings()) is None


def _become_worker_process(worker: Worker, here: Place) -> None:
    from ddl import frameworks, orphans
    from ddl.engine import DisabledEngine

    _session.worker = worker.why
    if worker.owner is not None:
        orphans.release_output_after_exit(worker.owner)
        frameworks.prepare_worker(here)
    else:
        frameworks.prepare(DisabledEngine(worker.why), here)  # training here would silently be unsynchronised


def _become_worker(parent: Process | None, here: Place) -> None:
    """In a forked child: its engine is a copy of its parent's."""
    from ddl import orphans, owner

    me = owner.running(os.getpid())
    if parent is not None and me is not None:
        _session.worker = owner.worker_of(here, me, parent).why
        orphans.release_output_after_exit(parent)


def engine() -> Engine | None:
    """The started engine; None if there is only one rank.

    Raises:
        RuntimeError: there are several ranks, and `init` has not been called; or this is not the rank's own process.
    """
    if _session.worker:
        raise RuntimeError(f"ddl: {_session.worker}")
    if _session.engine is None and place().size > 1:
        raise RuntimeError("ddl: set DDL_OPTIONS, or call ddl.init(options) first")
    catch_up()
    return _session.engine
