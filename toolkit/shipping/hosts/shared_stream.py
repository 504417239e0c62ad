"""One stream for several readers: this machine's engine saves an image once for all hosts that are fed at once.

An engine computes for a while before it sends the first byte of an image (`benchmarks/packing.py`). The others do not
wait forever for a slow reader: it is dropped, and has to be fed on its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Full, SimpleQueue
from queue import Queue as BoundedQueue

_AHEAD = 32
"""Chunks, of up to 1 MiB, that the fastest reader may be ahead of the slowest."""
_PATIENCE_SECONDS = 20.0
_LOOK_SECONDS = 0.2


class DroppedReaderError(Exception):
    """This reader did not get everything: it was too slow for the others, or the transfer was stopped."""


class SharedStream:
    """`pieces` for each of `readers`, which read in threads of their own. Reading begins with the first of them.

    Args:
        stop: ends it, for every reader, with `DroppedReaderError`.
        patience: seconds that the others wait for one, in all. Default 20.
    """

    def __init__(
        self,
        pieces: Iterable[bytes],
        readers: Sequence[str],
        stop: threading.Event,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self._pieces, self._stop, self._patience = pieces, stop, patience
        self._queues = {name: BoundedQueue[bytes](_AHEAD) for name in readers}
        self._ends = {name: SimpleQueue[BaseException | None]() for name in readers}
        self._gone: set[str] = set()
        self._waited = dict.fromkeys(readers, 0.0)
        self._lock, self._is_running = threading.Lock(), False

    @contextmanager
    def reader(self, name: str) -> Iterator[Iterator[bytes]]:
        """The pieces, for one reader; leaving means that it needs no more. Reading raises what `pieces` raised."""
        with self._lock:
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._produce, daemon=True).start()
        try:
            yield self._read(name)
        finally:
            self._gone.add(name)

    def _read(self, name: str) -> Iterator[bytes]:
        pieces, end = self._queues[name], self._ends[name]
        while True:
            try:
                yield pieces.get(timeout=_LOOK_SECONDS)
            except Empty:
                if self._stop.is_set():
                    raise DroppedReaderError from None
                if not end.empty() and pieces.empty():
                    if error := end.get():
                        raise error from None
                    return

    def _produce(self) -> None:
        end: BaseException | None = None
        try:
            for piece in self._pieces:
                for name in self._queues.keys() - self._gone:
                    self._give(name, piece)
                if len(self._gone) == len(self._queues):
                    return
        except BaseException as error:  # its readers raise it
            end = error
        for name in self._queues:
            self._ends[name].put(end)

    def _give(self, name: str, piece: bytes) -> None:
        while name not in self._gone and not self._stop.is_set():
            began = time.monotonic()
            try:
                return self._queues[name].put(piece, timeout=_LOOK_SECONDS)
            except Full:
                pass
            finally:
                self._count(name, time.monotonic() - began)
        return None

    def _count(self, name: str, seconds: float) -> None:
        """Count the time for which everyone else had nothing left to read because of this reader."""
        others = self._queues.keys() - self._gone - {name}
        if others and all(self._queues[other].empty() for other in others):
            self._waited[name] += seconds
            if self._waited[name] > self._patience:
                self._gone.add(name)
                self._ends[name].put(DroppedReaderError())
