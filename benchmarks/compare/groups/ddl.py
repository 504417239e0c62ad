"""Reducing gradients over two ranks as `toolkit launch` starts them: ddl beside Horovod, MPI in C, mpi4py and
TensorFlow's own strategy. And a training step of two ranks beside one of a rank alone.

`benchmarks.allreduce` builds all of it, and says what that needs; all ways take turns in one run for each round.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.allreduce import CASES, Place
from benchmarks.compare.case import Case
from benchmarks.compare.workspace import Workspace

_STEPS, _ROUNDS = 40, 3
_PEERS = {
    "horovod": ("Horovod 0.28.1", "horovod_graph", {"ResNet-50": 0.4, "4 KB": 0.05}),
    "mpi": ("MPI_Allreduce in C, tensor by tensor", "raw", {}),
    "mpi4py": ("mpi4py in numpy_function", "mpi4py_function", {}),
    "strategy": ("MultiWorkerMirroredStrategy", "strategy", {}),
}
"""A peer's title, its way in `benchmarks.allreduce`, and the aims by case."""
_SCALING = 1 / 0.97
"""97 % of a rank alone."""


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """ResNet-50's gradients and 4 KB beside each peer, then the step."""
    place = Place(space.folder)
    place.make()
    rounds = Rounds(place)
    yield [*_reducing(rounds), _scaling(rounds)]


def _reducing(rounds: Rounds) -> Iterator[Case]:
    for what, title, size in (("ResNet-50", "ResNet-50's gradients", "resnet"), ("4 KB", "4 KB", "4kb")):
        number = list(CASES).index(what)
        for name, (peer, way, aims) in _PEERS.items():
            ours, theirs = rounds.median("ddl_graph", number), rounds.median(way, number)
            row = f"allreduce of {title}, 2 ranks"
            yield Case(f"ddl-{size}-{name}", row, peer, aims.get(what), ours, theirs, rounds=_ROUNDS, unit="ms")


def _scaling(rounds: Rounds) -> Case:
    title = "a training step, 2 ranks with ddl"
    ours, theirs = rounds.median("train_ddl", 0), rounds.median("train_alone", 0)
    reason = "both ranks share the caches and the memory of one processor, besides the reduction."
    return Case("ddl-step", title, "one rank alone", _SCALING, ours, theirs, reason, rounds=_ROUNDS, unit="ms")


class Rounds:
    """The runs of `place`, each when its first figure is asked for."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._found: list[dict[tuple[str, int], list[float]]] = []

    def median(self, way: str, case: int) -> Callable[[], float]:
        """The milliseconds of a step, of the next round at each call; the first fifth of its steps is left out."""
        numbers = itertools.count()

        def next_round() -> float:
            number = next(numbers)
            while len(self._found) <= number:
                self._found.append(self._place.measure(_STEPS))
            seconds = self._found[number][way, case]
            return 1000 * statistics.median(seconds[len(seconds) // 5 :])

        return next_round
