"""Initialising, which a process does once."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddl.environment import Place, place
from ddl.guard.settings import Settings, read_settings
from ddl.imports import catch_up
from ddl.mode import parse_mode

if TYPE_CHECKING:
    from ddl.engine import Engine
    from ddl.owner import Process, Worker


@dataclass
class _Session:
    """What this process has initialised."""

    initialised: bool = False
    engine: Engine | None = None
    worker: str = ""  # not the rank's own process: why there is no engine in it, for an error


_session = _Session()


def init(options: str) -> None:
    """Take this rank's GPU, connect the ranks, and have the framework keep all ranks' weights the same.

    Collective: every rank calls it, once, before its framework touches a GPU. The import of `ddl` does this by itself
    where ``DDL_OPTIONS`` is set under mpirun. With one rank, there is nothing to connect. TensorFlow, Keras and PyTorch
    are prepared when the program imports them, before or after this; none is loaded for it.

    In a process that the rank's own has started (see `ddl.owner`) it does nothing but give frameworks the rank's GPU.

    Args:
        options: ``-mode <c>:<dims>``, such as ``-mode p:1x2``; see `ddl.mode`.
    Raises:
        ValueError: the options are unreadable or stand for another number of ranks than there are; or the guard's
            settings are, or are not the same on every rank.
        RuntimeError: already initialised; or another of the rank's processes was; or there is no GPU left for this
            rank on this host; or Keras does not run on TensorFlow; or the engine cannot be loaded or started.
    """
    if _session.initialised:
        raise RuntimeError("ddl: already initialised (with DDL_OPTIONS set, importing ddl does it)")
    here = place()
    mode = parse_mode(options, here.size)
    guarding = read_settings(options, os.environ)
    if here.size > 1:
        _session.engine = _connect(options, here, guarding)
    _session.initialised = True
    if _session.worker:
        return
    told = f"ddl: rank {here.rank} of {here.size}, host {here.host + 1} of {here.num_hosts}, {mode}\n"
    sys.stderr.write(told)  # in one piece: the ranks share one output


def _connect(options: str, here: Place, guarding: Settings) -> Engine | None:
    """The started engine; None in a worker."""
    from ddl import ending, frameworks, owner, rendezvous
    from ddl.engine import Engine, EngineError
    from ddl.guard import process

    worker = owner.take(here, os.environ)
    if worker is not None:
        _work(worker, here)
        return None
    try:
        with rendezvous.watched(options, here):
            engine = Engine(options, here.local_rank)
    except EngineError:
        owner.release(here, os.environ)
        raise
    ending.arrange(engine)  # first: from here on a rank that fails must not leave the others waiting
    os.register_at_fork(after_in_child=functools.partial(_become_worker, owner.running(os.getpid()), here))
    process.start(engine, here, guarding)
    frameworks.prepare(engine, here)
    return engine


def is_worker() -> bool:
    """Whether the rank's own process has started ddl and this is one that it has started; it is prepared as that."""
    from ddl import owner

    here = place()
    return owner.recorded(here, os.environ) is not None and _connect("", here, Settings()) is None


def _work(worker: Worker, here: Place) -> None:
    from ddl import detaching, frameworks
    from ddl.engine import Unstarted

    _session.worker = worker.why
    if worker.owner is not None:
        detaching.follow(worker.owner)
        frameworks.prepare_worker(here)
    else:
        frameworks.prepare(Unstarted(worker.why), here)  # who trains here would train alone, and not know it


def _become_worker(parent: Process | None, here: Place) -> None:
    """In a forked child: what it has of the engine is a copy of its parent's."""
    from ddl import detaching, owner

    me = owner.running(os.getpid())
    if parent is not None and me is not None:
        _session.worker = owner.worker_of(here, me, parent).why
        detaching.follow(parent)


def engine() -> Engine | None:
    """The started engine; None where there is only one rank.

    Raises:
        RuntimeError: there are several, and `init` has not been called; or this is not the rank's own process.
    """
    if _session.worker:
        raise RuntimeError(f"ddl: {_session.worker}")
    if _session.engine is None and place().size > 1:
        raise RuntimeError("ddl: set DDL_OPTIONS, or call ddl.init(options) first")
    catch_up()
    return _session.engine
