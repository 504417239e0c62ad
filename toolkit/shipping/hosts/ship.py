"""Transfers an image to many hosts: skipped if it exists, else from a registry, else streamed and forwarded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from toolkit.containers.engine import Engine
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.hosts.parallel import Answer, Job, do_all
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.hosts.transport import HostShell
from toolkit.image.store import ImageStore
from toolkit.progress import Progress, Report, silent
from toolkit.shipping.hosts.host_images import HostImages
from toolkit.shipping.hosts.outgoing import Outgoing, outgoing, registry_place
from toolkit.shipping.hosts.peer_transfer import DIRECT_AT_ONCE, Passing
from toolkit.shipping.hosts.shared_stream import DroppedReaderError, SharedStream

AT_ONCE = 64
_TREE_FROM = 3
_NO_ADDRESSES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Shipped:
    """A host's result. `way`: `there`, `registry`, `operator`, or the host that fed it; `layers` that it lacked."""

    host: str
    way: str
    layers: int


def ship(
    image_id: str,
    reference: str,
    source: ImageStore,
    hosts: Sequence[Engine],
    report: Report = silent,
    *,
    registry: str = "",
    relay_image: str = "",
    addresses: Mapping[str, str] = _NO_ADDRESSES,
    tree_from: int = _TREE_FROM,
    arrived: Callable[[Shipped], None] = lambda _: None,
) -> tuple[Shipped, ...]:
    """Give every host the image, under its ID and its name; results in the order of `hosts`.

    Args:
        source: this machine's images, the one among them.
        report: gets the progress; a `Progress`'s stage is the host's name.
        registry: `host:port/name` that has the image, if any; where that fails, the image is streamed, and it is said.
        relay_image: the tool's bucket image, `toolkit-buckets:…`, of this machine; hosts that pass the image on lack
            nothing else. Empty: each host is fed from this machine.
        addresses: by host, its IP address in the network that hosts reach each other by.
        tree_from: from how many hosts on that lack the same, hosts feed each other. Default 3: two are fed from here.
        arrived: called for each host as soon as it has the image, in the host's own thread.

    Raises `ToolkitError`: of the one host that failed, or S100 with one line for each; other hosts continue, partially
    loaded images have no name, and a second call completes what is missing.
    """
    stop = threading.Event()
    image = outgoing(image_id, reference, source, stop)
    work = _Work(image, tuple(HostImages(engine) for engine in hosts), _one_at_a_time(report), stop, arrived)
    work.look(registry)
    groups = work.lacking()
    for prefix, group in groups.items():
        passing = len(group) >= tree_from and relay_image and reference != relay_image
        together = [images for images in group if images.host in addresses] if passing else []
        if len(together) >= tree_from:
            work.pass_on(prefix, together, relay_image, addresses)
        work.send(prefix, [images for images in group if images not in together])
    return work.done()


class _Work:
    """One call of `ship`: the results so far."""

    def __init__(
        self,
        image: Outgoing,
        hosts: tuple[HostImages, ...],
        report: Report,
        stop: threading.Event,
        arrived: Callable[[Shipped], None],
    ) -> None:
        self._image, self._hosts, self._report, self._stop = image, hosts, report, stop
        self._arrived = arrived
        self._answers: dict[str, Answer[Shipped]] = {}
        self._prefixes: dict[str, int] = {}
        """By host that lacks the image, how many of its layers it has."""

    def look(self, registry: str) -> None:
        """Check who has it, pull it from the registry, and determine what the rest lack."""
        self._each(self._hosts, partial(self._look, registry), AT_ONCE)

    def lacking(self) -> dict[int, list[HostImages]]:
        """The hosts that still lack it, by how many of its layers they have."""
        grouped: dict[int, list[HostImages]] = {}
        for images in self._hosts:
            if images.host in self._prefixes:
                grouped.setdefault(self._prefixes[images.host], []).append(images)
        return dict(sorted(grouped.items()))

    def send(self, prefix: int, hosts: Sequence[HostImages]) -> None:
        """Stream it from this machine to each of `hosts`, to a few at the same time."""
        for batch in (hosts[first : first + DIRECT_AT_ONCE] for first in range(0, len(hosts), DIRECT_AT_ONCE)):
            names = [images.host for images in batch]
            packed = self._image.is_worth_packing([images.engine for images in batch], prefix, self._report)
            pieces = self._image.archive(names, prefix, self._report, packed=packed)
            stream = SharedStream(pieces, names, self._stop)
            self._each(batch, partial(self._send, prefix, stream, packed), DIRECT_AT_ONCE)

    def pass_on(self, prefix: int, hosts: Sequence[HostImages], relay: str, addresses: Mapping[str, str]) -> None:
        """Stream it to one of `hosts`, which then feeds the others."""
        store, engines = self._image.store, [images.engine for images in hosts]
        with contextlib.suppress(ToolkitError):  # a host that cannot get even this gets its own error when it is fed
            ship(store.get(relay).image_id, relay, store, engines, self._report)
        passing = Passing(self._image, prefix, hosts, relay_image=relay, addresses=addresses, report=self._report)
        try:
            self._each(hosts, lambda images: self._named(prefix, images, passing.take(images)), AT_ONCE)
        finally:
            # Also after a Ctrl-C. A host that cannot be reached stops its own relay after two hours.
            do_all([Job(one.host, partial(one.engine.remove_run, passing.shipment)) for one in hosts], at_once=AT_ONCE)

    def done(self) -> tuple[Shipped, ...]:
        """All results; raises the error of the one that failed, or one for all that did."""
        answers = [self._answers[images.host] for images in self._hosts]
        failed = [answer for answer in answers if answer.error]
        if len(failed) > 1:
            raise _several(self._image.reference, failed, len(answers))
        return tuple(answer.get() for answer in answers)

    def _look(self, registry: str, images: HostImages) -> Shipped | None:
        image, host = self._image, images.host
        self._report(Progress(host, "checking for the image"))
        if images.has(image.image_id, image.reference):
            return Shipped(host, "there", 0)
        if registry and self._pull(registry, images):
            return Shipped(host, "registry", 0)
        in_parts = images.engine.runtime.takes_partial_images
        self._prefixes[host] = images.prefix(image.diff_ids) if in_parts else 0
        return None

    def _pull(self, registry: str, images: HostImages) -> bool:
        image = self._image
        place = registry_place(registry, image.reference, image.places)
        self._report(Progress(images.host, f"pulling {place}"))
        try:
            images.pull(place, image.image_id)
        except ToolkitError as error:
            said = (error.evidence or error.what).strip().splitlines()[-1]
            self._report(Progress(images.host, f"{registry} failed, sending over ssh instead: {said}"))
            return False
        images.name(image.image_id, image.reference)
        if "@" not in place:
            images.forget(place)
        return True

    def _send(self, prefix: int, stream: SharedStream, packed: bool, images: HostImages) -> Shipped:
        try:
            with stream.reader(images.host) as pieces:
                images.load(pieces)
        except DroppedReaderError:
            if self._stop.is_set():
                raise ssh_errors.interrupted(images.host) from None
            self._report(Progress(images.host, "slower than the other hosts, sending to it alone"))
            images.load(self._image.archive([images.host], prefix, self._report, packed=packed))
        return self._named(prefix, images, "operator")

    def _named(self, prefix: int, images: HostImages, way: str) -> Shipped:
        images.name(self._image.image_id, self._image.reference)
        self._report(Progress(images.host, "has the image"))
        return Shipped(images.host, way, len(self._image.diff_ids) - prefix)

    def _each(self, hosts: Sequence[HostImages], act: Callable[[HostImages], Shipped | None], at_once: int) -> None:
        def ship_to(images: HostImages) -> Shipped | None:
            shipped = act(images)
            if shipped:
                self._arrived(shipped)
            return shipped

        jobs = [Job(images.host, partial(ship_to, images)) for images in hosts]
        answers = do_all(jobs, at_once=at_once, stop=self._stop, hurry=partial(_end_commands, hosts))
        self._answers.update({answer.host: answer for answer in answers})  # type: ignore[misc]


def _end_commands(hosts: Sequence[HostImages]) -> None:
    """On a Ctrl-C: end the commands on the hosts, so that the threads that wait for them end."""
    for images in hosts:
        if isinstance(images.engine.shell, HostShell):
            images.engine.shell.end_commands()


def _one_at_a_time(report: Report) -> Report:
    lock = threading.Lock()

    def on_progress(progress: Progress) -> None:
        with lock:
            report(progress)

    return on_progress


def _several(reference: str, failed: Sequence[Answer[Shipped]], count: int) -> ToolkitError:
    problems = []
    for answer in failed:
        error = answer.error
        what = error.what if isinstance(error, ToolkitError) else str(error)
        said = error.evidence.strip().splitlines()[-1:] if isinstance(error, ToolkitError) else []
        problems.append(Problem(": ".join([answer.host, what, *said])))
    return ToolkitError(
        Code.RESOURCES,
        f"{reference} could not be sent to {len(failed)} of {count} hosts",
        tuple(problems),
        hint="the other hosts have it; fix these and try again: it is only sent where it is missing",
    )
