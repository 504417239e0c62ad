"""Initialising, which a process does once."""

from __future__ import annotations

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


@dataclass
class _Session:
    """What this process has initialised."""

    initialised: bool = False
    engine: Engine | None = None


_session = _Session()


def init(options: str) -> None:
    """Take this rank's GPU, connect the ranks, and have the framework keep all ranks' weights the same.

    Collective: every rank calls it, once, before its framework touches a GPU. The import of `ddl` does this by itself
    where ``DDL_OPTIONS`` is set under mpirun. With one rank, there is nothing to connect. TensorFlow, Keras and PyTorch
    are prepared when the program imports them, before or after this; none is loaded for it.

    Args:
        options: ``-mode <c>:<dims>``, such as ``-mode p:1x2``; see `ddl.mode`.
    Raises:
        ValueError: the options are unreadable or stand for another number of ranks than there are; or the guard's
            settings are, or are not the same on every rank.
        RuntimeError: already initialised; or there is no GPU left for this rank on this host; or Keras does not run
            on TensorFlow; or the engine cannot be loaded or started.
    """
    if _session.initialised:
        raise RuntimeError("ddl: already initialised (with DDL_OPTIONS set, importing ddl does it)")
    here = place()
    mode = parse_mode(options, here.size)
    guarding = read_settings(options, os.environ)
    if here.size > 1:
        _session.engine = _connect(options, here, guarding)
    _session.initialised = True
    told = f"ddl: rank {here.rank} of {here.size}, host {here.host + 1} of {here.num_hosts}, {mode}\n"
    sys.stderr.write(told)  # in one piece: the ranks share one output


def _connect(options: str, here: Place, guarding: Settings) -> Engine:
    from ddl import ending, frameworks
    from ddl.engine import Engine
    from ddl.guard import process

    engine = Engine(options, here.local_rank)
    ending.arrange(engine)  # first: from here on a rank that fails must not leave the others waiting
    process.start(engine, here, guarding)
    frameworks.prepare(engine, here)
    return engine


def engine() -> Engine | None:
    """The started engine; None where there is only one rank.

    Raises:
        RuntimeError: there are several, and `init` has not been called.
    """
    if _session.engine is None and place().size > 1:
        raise RuntimeError("ddl: set DDL_OPTIONS, or call ddl.init(options) first")
    catch_up()
    return _session.engine
