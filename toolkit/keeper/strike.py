"""Taking everything of a run away from this host, the keeper's own container last (it removes itself at its end)."""

from __future__ import annotations

import sys
import time

from toolkit.keeper.bucket import Bucket
from toolkit.keeper.engine import EngineRefused, KeeperEngine

_ROUNDS = 120
_PAUSE_SECONDS = 0.5


def strike(engine: KeeperEngine, run: str, own: str, volume: str, *, keep_volume: bool) -> None:
    """Remove the run's other containers, its mounts and networks, and its volume unless it holds what no bucket has.

    It tries for a minute and more: an engine may still be finishing what an operator who was killed had asked for, or
    be starting anew. What it could not remove then has the run's label still, for `toolkit clean`.
    """
    for _ in range(_ROUNDS):
        try:
            if _round(engine, run, own, volume, keep_volume=keep_volume):
                return
        except EngineRefused:
            pass
        time.sleep(_PAUSE_SECONDS)
    print(f"not everything of {run} could be removed: toolkit clean", file=sys.stderr)


def _round(engine: KeeperEngine, run: str, own: str, volume: str, *, keep_volume: bool) -> bool:
    gone = [engine.remove_container(name) for name in engine.containers(run) if name != own]
    Bucket.unmount()
    gone += [engine.remove_network(name) for name in engine.networks(run)]
    if not keep_volume:
        gone.append(engine.remove_volume(volume))
    return all(gone)
