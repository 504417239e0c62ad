"""The command lines for transfers, as values, and the parsers of an engine's output. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.containers.docker_commands import RUN_LABEL, Argv
from toolkit.containers.limits import confined

ARCHIVE = "/archive/image"
PRIVATE = "/run/private"
_PAIR = f"{PRIVATE}/pair.pem"
_LIFETIME = "7200"
"""Seconds after which a relay exits by itself, if nobody stops it."""
_QUIET = ("--config", f"{PRIVATE}/none", "--cache-dir", f"{PRIVATE}/cache")
_STATS = ("--use-json-log", "--stats", "1s", "--stats-log-level", "NOTICE")
_AS_CLIENT = ("--ca-cert", _PAIR, "--client-cert", _PAIR, "--client-key", _PAIR)
RECEIVE_PAIR = ("sh", "-c", f"umask 077; cat > {PRIVATE}/new && mv {PRIVATE}/new {_PAIR}")
RECEIVE_ARCHIVE = ("sh", "-c", f"cat > {ARCHIVE}")
# Nothing is interpolated into the shell's text: engine, container and command are passed as arguments.
_PIPE = 'engine=$1 container=$2; shift 2; "$engine" exec "$container" "$@" | "$engine" load --quiet'


@dataclass(frozen=True)
class There:
    """One image of a host: its ID, its names, its layers' diff IDs from the lowest up."""

    image_id: str
    names: tuple[str, ...]
    layers: tuple[str, ...]


def inspect_images(images: Sequence[str]) -> Argv:
    """Prints a line of JSON for each existing one of `images`; the exit status is 1 if one does not exist."""
    text = '{"id":{{json .Id}},"names":{{json .RepoTags}},"layers":{{json .RootFS.Layers}}}'
    return ["docker", "image", "inspect", "--format", text, *images]


def list_images() -> Argv:
    """Prints the IDs of all images, the newest first."""
    return ["docker", "image", "ls", "--quiet", "--no-trunc"]


def load() -> Argv:
    """Loads the image on its standard input."""
    return ["docker", "load", "--quiet"]


def tag(image: str, name: str) -> Argv:
    """Adds a name to an image."""
    return ["docker", "tag", image, name]


def untag(name: str) -> Argv:
    """Removes a name, and the image if it was its last."""
    return ["docker", "image", "rm", name]


def pull(name: str) -> Argv:
    """Pulls an image from its registry."""
    return ["docker", "pull", "--quiet", name]


def start_relay(name: str, shipment: str, image: str, address: str) -> Argv:
    """A container that receives an archive and, at `address` if that is given, serves it to holders of the key pair.

    Its disk is an anonymous volume, which is removed with it; the key is in its memory.
    """
    serve = (
        "rclone",
        "serve",
        "http",
        "/archive",
        "--addr",
        f"{in_url(address)}:0",
        "--read-only",
        "--dir-cache-time",
        "1s",
    )
    secured = ("--cert", _PAIR, "--key", _PAIR, "--client-ca", _PAIR, "--min-tls-version", "tls1.3")
    act = (*serve, *secured, *_QUIET) if address else ("sleep", _LIFETIME)
    return [
        *("docker", "run", "--detach", "--rm", "--init", "--name", name, "--label", f"{RUN_LABEL}={shipment}"),
        *("--network", "host", "--cap-drop", "ALL", *confined(), "--read-only"),
        *("--tmpfs", f"{PRIVATE}:mode=0700", "--mount", "type=volume,target=/archive"),
        image,
        *("sh", "-c", f'until [ -s {_PAIR} ]; do sleep 0.05; done; exec "$@"', "relay"),
        *("timeout", _LIFETIME, *act),
    ]


def fetch(url: str) -> Argv:
    """In a relay: downloads the archive of the relay at `url`."""
    return [*("rclone", "copyto", ":http:image", ARCHIVE, "--http-url", url), *_AS_CLIENT, *_QUIET, *_STATS]


def fetch_through(url: str) -> Argv:
    """In a relay: prints the archive of the relay at `url`, and keeps nothing."""
    return [*("rclone", "cat", ":http:image", "--http-url", url), *_AS_CLIENT, *_QUIET, *_STATS]


def load_from(program: str, container: str, command: Sequence[str]) -> Argv:
    """On a host: loads the output of `command` in a container of its engine."""
    return ["sh", "-c", _PIPE, "load", program, container, *command]


def in_url(address: str) -> str:
    """An IP address as written before a port."""
    return f"[{address}]" if ":" in address else address


def read_images(text: str) -> tuple[There, ...]:
    """The output of `inspect_images`."""
    images = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
    return tuple(_there(image) for image in images)


def read_stats(line: str) -> tuple[int, int] | None:
    """Bytes done and total, from a line of rclone's log; None if the line says something else."""
    try:
        stats = json.loads(line)["stats"]
        return int(stats["bytes"]), int(stats["totalBytes"])
    except (ValueError, KeyError, TypeError):
        return None


def read_message(line: str) -> str:
    """The message in a line of rclone's log; any other line unchanged."""
    try:
        return str(json.loads(line)["msg"]).strip()
    except (ValueError, KeyError, TypeError):
        return line


def full_id(image_id: str) -> str:
    """An image's ID with its algorithm, which podman omits."""
    return image_id if ":" in image_id else f"sha256:{image_id}"


def _there(image: dict[str, Any]) -> There:
    return There(full_id(image["id"]), tuple(image["names"] or ()), tuple(image["layers"] or ()))
