"""An image that hosts lack, until the last of them has it; beside `docker save | ssh docker load` to one after another.
And what travels if one layer is new.

All hosts are containers of this machine and share its processors: with many hosts, that is the limit of both.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.compare.case import Case
from benchmarks.compare.groups.launch import new_manifest
from benchmarks.compare.lab import Lab, lab_with_store
from benchmarks.compare.store import S3
from benchmarks.compare.workspace import TOOLKIT, Workspace

_COUNTS = {1: 1.0, 2: 0.5, 4: 0.35, 8: 0.25}
"""The aim by the number of hosts."""
_MORE = "pandas==2.2.3\n"
_REASON = (
    "all hosts share this machine's processors with the engine that saves the image; an engine takes "
    "as long to load an image from either."
)


@contextmanager
def cases(space: Workspace) -> Iterator[list[Case]]:
    """One lab of eight hosts, of which each case uses the first ones."""
    with lab_with_store(space, max(_COUNTS)) as (lab, store), ExitStack() as stack:
        layer = Layer(space, lab, store)
        registry = stack.enter_context(serving_registry(space))
        title = "bytes to a host, for one new layer"
        try:
            yield [
                Case("ship-layer", title, "the layer's size", 1.2, layer.received, layer.size, rounds=2, unit="MB"),
                *(case for count, aim in _COUNTS.items() for case in _cases(space, lab, store, registry, count, aim)),
            ]
        finally:
            layer.remove()


def _cases(space: Workspace, lab: Lab, store: S3, registry: int, count: int, aim: float) -> Iterator[Case]:
    shipping = Shipping(space, lab, store, registry, count)
    title = f"1.7 GB image to {count} host{'s' if count > 1 else ''}"
    peers = {
        "": ("docker save \\| ssh docker load, one after the other", aim, shipping.theirs, _REASON),
        "-registry": ("a pull on all at once, from a registry that has it", None, shipping.pulled, ""),
    }
    for name, (peer, limit, theirs, reason) in peers.items():
        yield Case(f"ship-{count}-hosts{name}", title, peer, limit, shipping.ours, theirs, reason, rounds=2)


class Layer:
    """An image with one layer more than another, which the host has."""

    def __init__(self, space: Workspace, lab: Lab, store: S3) -> None:
        self._space, self._lab, self._store = space, lab, store
        self._below, self._above = (new_manifest(space, store, 1, name) for name in ("below", "above"))
        self._above.with_name("requirements.txt").write_text(_MORE)
        space.run([TOOLKIT, "lock", self._above])
        self._image = json.loads(space.run([TOOLKIT, "build", self._above, "--json"]))["image"]["reference"]

    def received(self) -> float:
        """Megabytes that reach the host's network interface during a launch."""
        self._launch(self._below)
        self._on_host(f"docker image rm --force {self._image}")
        before = self._counter()
        self._launch(self._above)
        return self._counter() - before

    def size(self) -> float:
        """Megabytes of the layer."""
        layers = json.loads(self._space.run([TOOLKIT, "images", "show", "--json", self._image]))["layers"]
        return float(layers[-1]["size"]) / 1e6

    def remove(self) -> None:
        """Remove the image from this machine."""
        self._space.run(["docker", "image", "rm", self._image])

    def _launch(self, manifest: Path) -> None:
        self._space.run([TOOLKIT, "launch", "--cluster", self._lab.cluster(1), manifest], **self._store.keys)

    def _counter(self) -> float:
        return int(self._on_host("cat /sys/class/net/eth0/statistics/rx_bytes")) / 1e6

    def _on_host(self, script: str) -> str:
        return self._space.run([*self._lab.ssh(self._lab.hosts[0]), script])


class Shipping:
    """One image and the first `count` hosts of a lab."""

    def __init__(self, space: Workspace, lab: Lab, store: S3, registry: int, count: int) -> None:
        self._space, self._lab, self._store, self._count = space, lab, store, count
        self._registry = registry
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

    def pulled(self) -> float:
        """Seconds for `docker pull` on all hosts at once; that the registry gets the image is not counted."""
        name = f"127.0.0.1:{self._registry}/{self._image}"
        self._each("docker image rm --force $(docker image ls --quiet tensorflow-ddl*) 2>/dev/null; true")
        self._space.run(["docker", "tag", self._image, name])
        try:
            self._space.run(["docker", "push", "--quiet", name])
            start = time.perf_counter()
            self._each(f"docker pull --quiet {name}", "-R", f"127.0.0.1:{self._registry}:127.0.0.1:{self._registry}")
            took = time.perf_counter() - start
        finally:
            self._space.run(["docker", "image", "rm", name])
        self._each(f"docker image rm --force {name}")
        return took

    def _each(self, script: str, *options: str) -> None:
        def run(host: str) -> str:
            *ssh, place = self._lab.ssh(host)
            return self._space.run([*ssh, *options, place, script])

        with ThreadPoolExecutor(len(self._hosts)) as pool:
            list(pool.map(run, self._hosts))


@contextmanager
def serving_registry(space: Workspace) -> Iterator[int]:
    """Debian's docker-registry on this machine's loopback; yields its port. Hosts reach it through their ssh."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = {"version": 0.1, "http": {"addr": f"127.0.0.1:{port}"}}
    config["storage"] = {"filesystem": {"rootdirectory": str(space.folder / "registry")}}
    (space.folder / "registry.yml").write_text(json.dumps(config))
    with (space.folder / "registry.log").open("w") as log:
        argv = ["docker-registry", "serve", str(space.folder / "registry.yml")]
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()
