"""A relay on a host: a container of the tool's own bucket image that receives an archive and serves it to other
relays."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from toolkit.errors import Code, ToolkitError
from toolkit.process import Result
from toolkit.secrets import Secret
from toolkit.shipping.hosts import ship_commands
from toolkit.shipping.hosts.host_images import HostImages
from toolkit.storage.rclone_log import read_message, read_stats

_SERVES = re.compile(r"https://\S+:([0-9]+)/")
_START_SECONDS = 15.0
_LAST_LINES = 20
OnStats = Callable[[int, int], None]


class Relay:
    """The relay of one transfer on one host; `stop` removes it with all its data."""

    def __init__(self, images: HostImages, shipment: str, image: str) -> None:
        self._images, self._engine = images, images.engine
        self._shipment, self._image, self._runtime = shipment, image, images.engine.runtime
        self._name = f"toolkit-ship-{shipment}"

    def start(self, pair: Secret, address: str) -> None:
        """Start it, listening at `address` if that is given, and hand it the pair through a pipe."""
        self._engine.run(ship_commands.start_relay(self._runtime, self._name, self._shipment, self._image, address))
        receive = self._runtime.execute(self._name, ship_commands.RECEIVE_PAIR, stdin=True)
        self._engine.run(receive, data=pair.reveal().encode())

    def url(self, address: str) -> str:
        """Its URL, once it serves; raises `ToolkitError` (S100)."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            said = self._engine.run(self._runtime.logs(self._name), check=False)
            if found := _SERVES.search(said.output + said.errors):
                return f"https://{ship_commands.in_url(address)}:{found[1]}"
            if time.monotonic() > deadline:
                evidence = (said.output + said.errors)[-1000:]
                raise ToolkitError(
                    Code.RESOURCES, f"the relay on {self._images.host} does not serve", evidence=evidence
                )
            time.sleep(0.05)

    def receive(self, pieces: Iterable[bytes]) -> None:
        """Receive the archive as a stream from the operator."""
        with self._images.translated_errors():
            self._engine.feed(self._runtime.execute(self._name, ship_commands.RECEIVE_ARCHIVE, stdin=True), pieces)

    def fetch(self, url: str, on_stats: OnStats) -> None:
        """Take the archive from another host's relay, and keep it."""
        self._watch(self._runtime.execute(self._name, ship_commands.fetch(url)), on_stats)

    def load(self) -> None:
        """Load the archive that is here."""
        self._watch(self._runtime.load_image_from(self._name, ("cat", ship_commands.ARCHIVE)), lambda *_: None)

    def load_from(self, url: str, on_stats: OnStats) -> None:
        """Load the archive of another host's relay as it comes."""
        self._watch(self._runtime.load_image_from(self._name, ship_commands.fetch_through(url)), on_stats)

    def stop(self) -> list[str]:
        """Remove it; returns the names of what could not be removed."""
        return self._engine.remove_run(self._shipment)

    def _watch(self, argv: Sequence[str], on_stats: OnStats) -> None:
        last = deque[str](maxlen=_LAST_LINES)

        def on_line(line: str) -> None:
            stats = read_stats(line)
            if stats:
                on_stats(*stats)
            else:
                last.append(read_message(line))

        status = self._engine.stream(argv, on_line)
        if status != 0:
            with self._images.translated_errors():
                raise self._engine.failed(Result(("docker", "load"), status, "", "\n".join(last)))
