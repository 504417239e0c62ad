"""Transfers images to and from a registry, with this machine's engine. Docker's own configuration has the logins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from toolkit.containers.failure import EngineFailure
from toolkit.containers.images_api import Event
from toolkit.errors import Code, ToolkitError
from toolkit.image.labels import INPUTS_SHA256, VERSION
from toolkit.image.store import ImageStore
from toolkit.image.version import HASH_LENGTH
from toolkit.progress import Progress, Report
from toolkit.shipping.oci import is_host

_NAME = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?")
_OWN_NAME = re.compile(rf"[a-z0-9]+(?:[._-]+[a-z0-9]+)*:[0-9a-f]{{{HASH_LENGTH}}}")


@dataclass(frozen=True)
class Address:
    """An image's address in a registry: `HOST:PORT`, the name there, the tag."""

    host: str
    name: str
    tag: str

    @property
    def repository(self) -> str:
        """Without the tag."""
        return f"{self.host}/{self.name}"

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True)
class Pushed:
    """A pushed image: its address, its manifest's digest there, and its unchanged ID."""

    address: Address
    digest: str
    image_id: str


@dataclass(frozen=True)
class Pulled:
    """A pulled image: its address, its ID, and the name in its label; none if it is not one of ours."""

    address: Address
    image_id: str
    reference: str


def address_of(text: str, tag: str = "") -> Address:
    """Read `HOST[:PORT]/NAME[:TAG]`; `tag` is the default tag. Raises `ToolkitError` (C104) for anything else."""
    host, slash, rest = text.partition("/")
    if not slash or not is_host(host) or not _NAME.fullmatch(rest):
        raise ToolkitError(
            Code.RESOURCES_ASKED,
            f"`{text}` is not a registry address",
            hint="HOST:PORT/NAME, such as registry.site:5000/training; docker.io/NAME for Docker Hub",
        )
    name, _, given = rest.partition(":")
    if not (given or tag):
        raise ToolkitError(
            Code.RESOURCES_ASKED, f"`{text}` has no tag", hint=f"{text}:TAG, as `toolkit push` printed it"
        )
    return Address(host, name, given or tag)


def push(reference: str, address: Address, store: ImageStore, report: Report) -> Pushed:
    """Push the image to a registry; raises `ToolkitError`: S103, S100 for an unreachable registry, C103 for a login."""
    image, there = store.get(reference), store.find(str(address))
    digest = ""
    with _translated_errors(address):
        store.engine.tag(image.image_id, address.repository, address.tag)
    try:
        start = partial(store.engine.push, address.repository, address.tag)
        for event in _transfer(start, address, "pushing", report):
            digest = str(event.get("aux", {}).get("Digest", digest))
    finally:
        # The name was only for the push; an image that had it before gets it back.
        if there is None:
            store.remove(str(address))
        elif there.image_id != image.image_id:
            store.engine.tag(there.image_id, address.repository, address.tag)
    return Pushed(address, digest, image.image_id)


def pull(address: Address, store: ImageStore, report: Report) -> Pulled:
    """Pull an image and tag it with the name in its label, so that a launch finds it.

    Raises `ToolkitError`: S100, C103 and S103 as `push`; S103 also if it does not match its tag, or differs from the
    image with its name here; then the name is unchanged.
    """
    before = store.find(str(address))
    start = partial(store.engine.pull, address.repository, address.tag)
    for _ in _transfer(start, address, "pulling", report):
        pass
    image = store.get(str(address))
    try:
        reference = promised(address, dict(image.labels))
        here = store.find(reference) if reference else None
        if here and here.image_id != image.image_id:
            raise _other(address, f"{reference} is here as {here.image_id}\nthe registry sent {image.image_id}")
    except ToolkitError:
        if before is None:
            store.remove(str(address))
        else:
            store.engine.tag(before.image_id, address.repository, address.tag)
        raise
    if reference and not here:
        store.tag(image.image_id, reference)
    return Pulled(address, image.image_id, reference)


def promised(address: Address, labels: dict[str, str]) -> str:
    """The name and version in an image's labels, none if it is not one of ours.

    Raises `ToolkitError` (S103) if the version is not the hash of its inputs, or the tag is another version.
    """
    reference, inputs = labels.get(VERSION, ""), labels.get(INPUTS_SHA256, "")
    if not inputs:
        return ""
    version = reference.rpartition(":")[2]
    if not _OWN_NAME.fullmatch(reference) or version != inputs[:HASH_LENGTH]:
        raise _other(address, f"its labels contradict each other: version {reference!r}, inputs {inputs!r}")
    if re.fullmatch(rf"[0-9a-f]{{{HASH_LENGTH}}}", address.tag) and address.tag != version:
        raise _other(address, f"the tag says {address.tag}, the image in it says {version}")
    return reference


def registry_error(address: Address, said: str) -> ToolkitError:
    """An engine's message about a registry as an error that distinguishes refusal from absence. Pure."""
    for words, code, what, hint in _REASONS:
        if any(word in said for word in words):
            return ToolkitError(
                code,
                what.format(host=address.host, image=f"{address.name}:{address.tag}"),
                evidence=said[-1000:],
                hint=hint.format(host=address.host),
            )
    return ToolkitError(Code.IMAGE, f"{address} could not be transferred", evidence=said[-1000:])


_REASONS: tuple[tuple[tuple[str, ...], Code, str, str], ...] = (
    (
        ("server gave HTTP response to HTTPS client",),
        Code.RESOURCES,
        "{host} speaks http where the engine expects https",
        'give the registry a certificate; or, on a network that you trust, add "{host}" to "insecure-registries" in '
        "/etc/docker/daemon.json and restart the engine",
    ),
    (
        ("x509:", "tls: "),
        Code.RESOURCES,
        "the engine does not trust the certificate of {host}",
        "put the site's CA into /etc/docker/certs.d/{host}/ca.crt",
    ),
    (
        ("no basic auth credentials", "unauthorized", "authentication required", "denied", "Credentials store error"),
        Code.CREDENTIALS,
        "{host} denied access to {image}",
        "docker login {host}; or the user lacks permission for that name",
    ),
    (
        ("manifest unknown", "name unknown", "not found", "does not exist"),
        Code.IMAGE,
        "{host} has no {image}",
        "check the name and the tag; `toolkit push` prints both",
    ),
    (
        (
            *("connection refused", "no such host", "timeout", "Timeout", "deadline exceeded", "no route to host"),
            *("unreachable", "EOF"),
        ),
        Code.RESOURCES,
        "no registry answers at {host}",
        "is it running, is the port right, is there a proxy or firewall in between? curl https://{host}/v2/",
    ),
    (("no space left",), Code.RESOURCES, "the engine's disk, or the registry's, is full", "docker system df"),
)


def _transfer(start: Callable[[], Iterator[Event]], address: Address, stage: str, report: Report) -> Iterator[Event]:
    """The engine's events as bytes over all layers; raises `ToolkitError` for the one that is an error."""
    layers: dict[str, tuple[int, int]] = {}
    report(Progress(stage, str(address)))
    with _translated_errors(address):
        for event in start():
            if "error" in event:
                raise registry_error(address, str(event["error"]))
            counts = event.get("progressDetail") or {}
            if event.get("status") in ("Pushing", "Downloading") and counts.get("total"):
                layers[str(event.get("id"))] = (int(counts.get("current", 0)), int(counts["total"]))
                done, total = (sum(part) for part in zip(*layers.values(), strict=True))
                report(Progress(stage, str(address), min(done, total), total, "bytes"))
            yield event


@contextmanager
def _translated_errors(address: Address) -> Iterator[None]:
    try:
        yield
    except EngineFailure as error:
        raise registry_error(address, str(error)) from error


def _other(address: Address, evidence: str) -> ToolkitError:
    return ToolkitError(
        Code.IMAGE,
        f"{address} is not the image that its name says",
        evidence=evidence,
        hint="ask who pushed it; `toolkit build MANIFEST` builds the image from its lock",
    )
