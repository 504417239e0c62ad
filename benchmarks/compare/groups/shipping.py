"""An image that hosts lack, until the last of them has it; beside `docker save | ssh docker load` to one after another.
And what travels if one layer is new.

All hosts are containers of this machine and share its processors: with many hosts, that is the limit of both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from benchmarks.compare.case import Case
from benchmarks.compare.groups.launch import Lab, new_manifest
from benchmarks.compare.store import S3, serving
from benchmarks.compare.workspace import TOOLKIT, Workspace

_COUNTS = {1: 1.0, 2: 0.5, 4: 0.35, 8: 0.25}
"""The aim by the number of hosts."""
_VERSIONS = ("pandas==2.2.1", "pandas==2.2.2", "pandas==2.2.3")
_REASON = (
    "all hosts share this machine's processors with the engine that saves the image; an engine takes "
    "as long to load an image from either."
)


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """One lab of eight hosts, of which each case uses the first ones."""
    try:
        lab = Lab(space, json.loads(space.run([TOOLKIT, "lab", "up", "--name", "bench", "--hosts", 8, "--json"])))
        with serving(space, lab.gateway) as store:
            layer = Layer(space, lab, store)
            yield [
                Case(
                    *("ship-layer", "bytes to a host, for one new layer", "the layer's size", 1.2),
                    *(layer.received, layer.size, "", 2, "MB"),
                ),
                *(_case(space, lab, store, count, aim) for count, aim in _COUNTS.items()),
            ]
    finally:
        space.run([TOOLKIT, "lab", "down", "--name", "bench"])


def _case(space: Workspace, lab: Lab, store: S3, count: int, aim: float) -> Case:
    shipping = Shipping(space, lab, store, count)
    title = f"1.7 GB image to {count} host{'s' if count > 1 else ''}"
    peer = "docker save \\| ssh docker load, one after the other"
    return Case(f"ship-{count}-hosts", title, peer, aim, shipping.ours, shipping.theirs, _REASON, rounds=2)


class Layer:
    """An image with one package more than the one that the host has, each time in another version."""

    def __init__(self, space: Workspace, lab: Lab, store: S3) -> None:
        self._space, self._lab, self._store = space, lab, store
        self._versions = list(_VERSIONS)
        self._manifest = new_manifest(space, store, 1, "layer")
        self._megabytes = 0.0

    def received(self) -> float:
        """Megabytes that reach the host's network interface during a launch."""
        requirements, lock = (self._manifest.with_name(name) for name in ("requirements.txt", "toolkit.lock"))
        requirements.unlink(missing_ok=True)
        lock.unlink(missing_ok=True)
        self._launch()
        requirements.write_text(f"{self._versions.pop()}\n")
        self._space.run([TOOLKIT, "lock", self._manifest])
        image = json.loads(self._space.run([TOOLKIT, "build", self._manifest, "--json"]))["image"]["reference"]
        layers = json.loads(self._space.run([TOOLKIT, "images", "show", "--json", image]))["layers"]
        self._megabytes = layers[-1]["size"] / 1e6
        before = self._counter()
        self._launch()
        return self._counter() - before

    def size(self) -> float:
        """Megabytes of the layer of the launch before."""
        return self._megabytes

    def _launch(self) -> None:
        argv = [TOOLKIT, "launch", "--cluster", self._lab.cluster(1), self._manifest]
        self._space.run(argv, **self._store.keys)

    def _counter(self) -> float:
        look = [*self._lab.ssh(self._lab.hosts[0]), "cat /sys/class/net/eth0/statistics/rx_bytes"]
        return int(self._space.run(look)) / 1e6


class Shipping:
    """One image and the first `count` hosts of a lab."""

    def __init__(self, space: Workspace, lab: Lab, store: S3, count: int) -> None:
        self._space, self._lab, self._store, self._count = space, lab, store, count
        self._hosts = lab.hosts[:count]
        self._manifest = new_manifest(space, store, count)
        built = json.loads(space.run([TOOLKIT, "build", self._manifest, "--json"]))
        self._image = built["image"]["reference"]

    def ours(self) -> float:
        """Seconds until `toolkit launch` has said of each host that it has the image; the run goes on to its end."""
        self._each("docker image rm --force $(docker image ls --quiet tensorflow-ddl*) 2>/dev/null; true")
        argv = [TOOLKIT, "launch", "--cluster", self._lab.cluster(self._count), self._manifest]
        environment = {**os.environ, **self._space.variables, **self._store.keys}
        start, last, printed = time.perf_counter(), 0.0, []
        with subprocess.Popen(
            [str(word) for word in argv], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                printed.append(line)
                last = time.perf_counter() - start if "has the image" in line else last
        if process.returncode or sum("has the image" in line for line in printed) < self._count:
            sys.exit(f"{argv}: status {process.returncode}\n{''.join(printed)[-3000:]}")
        return last

    def theirs(self) -> float:
        """Seconds for the script."""
        self._each("docker image rm --force $(docker image ls --quiet tensorflow-ddl*) 2>/dev/null; true")
        start = time.perf_counter()
        for host in self._hosts:
            with subprocess.Popen(["docker", "save", self._image], stdout=subprocess.PIPE) as saved:
                argv = [*self._lab.ssh(host), "docker load"]
                subprocess.run(argv, stdin=saved.stdout, check=True, capture_output=True)
        return time.perf_counter() - start

    def _each(self, script: str) -> None:
        with ThreadPoolExecutor(len(self._hosts)) as pool:
            list(pool.map(lambda host: self._space.run([*self._lab.ssh(host), script]), self._hosts))
