"""The image as sent by this machine: its archive for a host, and its metadata."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from toolkit.containers.engine import Engine
from toolkit.containers.failure import EngineFailure
from toolkit.errors import Code, ToolkitError
from toolkit.hosts.parallel import Job, do_all
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.image.store import ImageStore
from toolkit.progress import Progress, Report
from toolkit.shipping.hosts import link
from toolkit.shipping.hosts.layer_filter import Cut, compressed

_MEASURED_FROM = 100 << 20
"""Bytes; less is sent compressed, as that takes less time than to measure."""


@dataclass(frozen=True)
class Outgoing:
    """One image of this machine's engine to be sent.

    Attributes:
        sizes: of each layer's files, in bytes: the maximum of a progress bar.
        places: its addresses in registries, each `host:port/name@digest`.
    """

    image_id: str
    reference: str
    diff_ids: tuple[str, ...]
    sizes: tuple[int, ...]
    places: tuple[str, ...]
    store: ImageStore
    stop: threading.Event

    def archive(self, hosts: Sequence[str], prefix: int, report: Report, *, packed: bool) -> Iterator[bytes]:
        """The archive for `hosts`, which all get the same: all but the lowest `prefix` layers, compressed if `packed`.

        Raises `ToolkitError` (S103).
        """
        count, total, done = len(set(self.diff_ids[prefix:])), sum(self.sizes[prefix:]), 0

        def on_bytes(number: int, size: int) -> None:
            nonlocal done
            done += size
            for host in hosts:
                report(Progress(host, f"sending layer {number} of {count}", done, max(total, done), "bytes"))

        pieces = Cut(self.image_id, self.diff_ids, prefix, on_bytes).pieces(self._saved())
        for piece in compressed(pieces) if packed else pieces:
            if self.stop.is_set():
                raise ssh_errors.interrupted(hosts[0])
            yield piece

    def is_worth_packing(self, hosts: Sequence[Engine], prefix: int, report: Report) -> bool:
        """Whether to compress the archive for `hosts`, by the speed of their links while all of them are used."""
        if sum(self.sizes[prefix:]) < _MEASURED_FROM:
            return True
        answers = do_all([Job(one.host, partial(link.measure, one.shell)) for one in hosts], at_once=len(hosts))
        rates = [answer.value for answer in answers if answer.value]  # who failed says why when it is fed
        packed = link.is_worth_packing(min(rates, default=0), os.cpu_count() or 1)
        for answer in answers:
            if answer.value:
                how = "with" if packed else "without"
                report(Progress(answer.host, f"link of {answer.value / 1e6:,.0f} MB/s: sending {how} compression"))
        return packed

    def _saved(self) -> Iterator[bytes]:
        try:
            yield from self.store.engine.save(self.image_id)
        except EngineFailure as error:
            raise ToolkitError(
                Code.IMAGE,
                f"this machine's engine could not save {self.reference}",
                evidence=str(error),
                hint="free some of its disk space (docker system df)" if error.full_disk else "see the engine's log",
            ) from None


def outgoing(image_id: str, reference: str, store: ImageStore, stop: threading.Event) -> Outgoing:
    """Look up the image; raises `ToolkitError` (S103) if it does not exist on this machine."""
    image = store.get(image_id)
    attributes = store.engine.inspect(image.image_id) or {}
    from_history = [int(entry.get("Size", 0)) for entry in reversed(store.engine.history(image.image_id))]
    diff_ids = image.config.diff_ids
    return Outgoing(
        image.image_id,
        reference,
        diff_ids,
        _sizes(from_history, len(diff_ids), image.size),
        tuple(attributes.get("RepoDigests") or ()),
        store,
        stop,
    )


def registry_place(registry: str, reference: str, places: Sequence[str]) -> str:
    """The image's address in `registry` (`host:port/name`): by digest if the engine here knows it, else by tag."""
    by_digest = next((place for place in places if place.partition("@")[0] == registry), "")
    return by_digest or f"{registry}:{reference.rpartition(':')[2]}"


def _sizes(from_history: Sequence[int], count: int, whole: int) -> tuple[int, ...]:
    """The history's sizes if it has one entry for each layer; otherwise everything is attributed to the top one."""
    if len(from_history) == count:
        return tuple(from_history)
    filled = [size for size in from_history if size]
    return tuple(filled) if len(filled) == count else (*(0,) * (count - 1), whole)[:count]
