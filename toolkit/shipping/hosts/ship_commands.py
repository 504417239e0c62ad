"""The command lines for transfers, as values, and the parsers of an engine's output. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from toolkit.containers.programs import receive_file, start_when_there
from toolkit.runtimes.runtime import ContainerRuntime
from toolkit.runtimes.specs import Argv
from toolkit.shell_files import shell_program
from toolkit.storage.rclone_log import STATS

ARCHIVE = "/archive/image"
PRIVATE = "/run/private"
_PAIR = f"{PRIVATE}/pair.pem"
_LIFETIME = "7200"
"""Seconds after which a relay exits by itself, if nobody stops it."""
_QUIET = ("--config", f"{PRIVATE}/none", "--cache-dir", f"{PRIVATE}/cache")
_AS_CLIENT = ("--ca-cert", _PAIR, "--client-cert", _PAIR, "--client-key", _PAIR)
RECEIVE_PAIR = receive_file(_PAIR)
RECEIVE_ARCHIVE = ("sh", "-c", shell_program("toolkit.shipping.hosts", "receive_archive.sh"), "receive", ARCHIVE)


@dataclass(frozen=True)
class There:
    """One image of a host: its ID, its names, its layers' diff IDs from the lowest up."""

    image_id: str
    names: tuple[str, ...]
    layers: tuple[str, ...]


def start_relay(runtime: ContainerRuntime, name: str, shipment: str, image: str, address: str) -> Argv:
    """A container that takes an archive and, at `address` if that is given, gives it to who has the pair's key.

    Its disk is an anonymous volume, which is removed with it; the key is in its memory.
    """
    serve = ("rclone", "serve", "http", "/archive", "--addr", f"{in_url(address)}:0")
    fresh = ("--read-only", "--dir-cache-time", "1s")
    secured = ("--cert", _PAIR, "--key", _PAIR, "--client-ca", _PAIR, "--min-tls-version", "tls1.3")
    act = (*serve, *fresh, *secured, *_QUIET) if address else ("sleep", _LIFETIME)
    return runtime.start_relay(name, shipment, image, PRIVATE, start_when_there(_PAIR, ("timeout", _LIFETIME, *act)))


def fetch(url: str) -> Argv:
    """In a relay: downloads the archive of the relay at `url`."""
    return [*("rclone", "copyto", ":http:image", ARCHIVE, "--http-url", url), *_AS_CLIENT, *_QUIET, *STATS]


def fetch_through(url: str) -> Argv:
    """In a relay: prints the archive of the relay at `url`, and keeps nothing."""
    return [*("rclone", "cat", ":http:image", "--http-url", url), *_AS_CLIENT, *_QUIET, *STATS]


def in_url(address: str) -> str:
    """An IP address as written before a port."""
    return f"[{address}]" if ":" in address else address


def read_images(text: str) -> tuple[There, ...]:
    """What `ContainerRuntime.inspect_images` printed."""
    images = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
    return tuple(There(full_id(one["id"]), tuple(one["names"] or ()), tuple(one["layers"] or ())) for one in images)


def full_id(image_id: str) -> str:
    """An image's ID with its algorithm, which podman omits."""
    return image_id if ":" in image_id else f"sha256:{image_id}"
