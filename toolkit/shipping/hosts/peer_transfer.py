"""Sends one archive to many hosts that lack the same layers: once over the operator's uplink, then between hosts."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence

from toolkit.errors import ToolkitError
from toolkit.hosts.ssh import errors as ssh_errors
from toolkit.progress import Progress, Report
from toolkit.shipping.hosts.feeders import OPERATOR, Feeders, Turn
from toolkit.shipping.hosts.host_images import HostImages
from toolkit.shipping.hosts.outgoing import Outgoing
from toolkit.shipping.hosts.relay import OnStats, Relay
from toolkit.shipping.hosts.tls_pair import new_pair

DIRECT_AT_ONCE = 4
"""Number of hosts that this machine streams to at the same time."""


class Passing:
    """One archive for `hosts`, each of which calls `take` in a thread of its own, all at the same time.

    Args:
        prefix: how many of the image's layers, from the lowest up, all of them have.
        relay_image: the tool's bucket image; all of them have it.
        addresses: by host, its IP address in the network between the hosts.
    """

    def __init__(
        self,
        image: Outgoing,
        prefix: int,
        hosts: Sequence[HostImages],
        *,
        relay_image: str,
        addresses: Mapping[str, str],
        report: Report,
    ) -> None:
        self.shipment = f"ship-{secrets.token_hex(6)}"
        """The label of all that this leaves on hosts until it is cleaned."""
        self._image, self._prefix, self._relay_image = image, prefix, relay_image
        self._addresses, self._report = addresses, report
        self._pair = new_pair(addresses[images.host] for images in hosts)
        self._feeders = Feeders(len(hosts))
        self._direct = threading.BoundedSemaphore(DIRECT_AT_ONCE)
        self._urls: dict[str, str] = {}

    def take(self, images: HostImages) -> str:
        """Load the image on a host, in its turn; returns its source: `operator`, or a host's name.

        If the transfer from another host fails, the host is fed from this machine, with a message.
        """
        relay = Relay(images, self.shipment, self._relay_image)
        with self._feeders.turn(images.host, self._image.stop) as turn:
            if turn is None:
                raise ssh_errors.interrupted(images.host)
            if turn == Turn(OPERATOR, keep=False):
                self._stream(images)
                return "operator"
            try:
                self._receive(images, relay, turn)
            except ToolkitError as error:
                return self._fallen_back(images, turn, error)
        try:
            if turn.keep:
                relay.load()
        except ToolkitError as error:
            return self._fallen_back(images, turn, error)
        return turn.feeder or "operator"

    def _receive(self, images: HostImages, relay: Relay, turn: Turn) -> None:
        """Receive the archive; with `keep` it is kept, and the host feeds others from then on, else it is loaded."""
        host, address = images.host, self._addresses[images.host]
        relay.start(self._pair, address if turn.keep else "")
        if turn.feeder == OPERATOR:
            relay.receive(self._archive(images))
        elif turn.keep:
            relay.fetch(self._urls[turn.feeder], self._on_stats(host, turn.feeder))
        else:
            relay.load_from(self._urls[turn.feeder], self._on_stats(host, turn.feeder))
        if turn.keep:
            self._urls[host] = relay.url(address)
            self._feeders.offer(host)

    def _fallen_back(self, images: HostImages, turn: Turn, error: ToolkitError) -> str:
        if self._image.stop.is_set():
            raise error
        said = (error.evidence.strip() or error.what).splitlines()[-1]
        whom = turn.feeder or "this machine"
        self._report(Progress(images.host, f"transfer from {whom} failed, sending from this machine: {said}"))
        self._stream(images)
        if turn.feeder == OPERATOR:
            # The host works, so the transfer between hosts does not: the others shall not wait for each other.
            self._feeders.widen(DIRECT_AT_ONCE - 1)
        return "operator"

    def _stream(self, images: HostImages) -> None:
        with self._direct:
            images.load(self._archive(images))

    def _archive(self, images: HostImages) -> Iterator[bytes]:
        packed = self._image.is_worth_packing([images.engine], self._prefix, self._report)
        return self._image.archive([images.host], self._prefix, self._report, packed=packed)

    def _on_stats(self, host: str, feeder: str) -> OnStats:
        def on_stats(done: int, total: int) -> None:
            self._report(Progress(host, f"from {feeder}", done, max(done, total), "bytes"))

        return on_stats
