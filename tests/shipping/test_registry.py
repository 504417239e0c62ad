"""What is said of a registry, and what an image's labels promise: values against values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.image.config import ImageConfig
from toolkit.image.store import StoredImage
from toolkit.progress import Progress, silent
from toolkit.shipping.registry import Address, address_of, promised, pull, push, registry_error

from .conftest import Engine

VERSION, INPUTS = "0123456789ab", "0123456789ab" + "c" * 52
LABELS = {"org.opencontainers.image.version": f"frame-1:{VERSION}", "toolkit.inputs.sha256": INPUTS}
AT = Address("host:5000", "site/frame", VERSION)


@pytest.mark.parametrize(
    ("text", "tag", "address"),
    [
        ("host:5000/x:1", "", Address("host:5000", "x", "1")),
        ("host:5000/a/b-c", "1", Address("host:5000", "a/b-c", "1")),
        ("registry.site/x:1", "2", Address("registry.site", "x", "1")),
        ("localhost/x", "1", Address("localhost", "x", "1")),
    ],
)
def test_an_address_is_host_name_and_tag(text: str, tag: str, address: Address) -> None:
    assert address_of(text, tag) == address
    assert address_of(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", "x:1", "me/x:1", "host:5000/", "host:5000/X:1", "host:5/x:1/y", "https://host/x", "h.t/x y"]
)
def test_what_is_no_address_is_bad_input(text: str) -> None:
    with pytest.raises(ToolkitError, match="is not a registry address") as caught:
        address_of(text, "1")
    assert caught.value.code.exit_status == 2


def test_an_address_to_pull_needs_a_tag() -> None:
    with pytest.raises(ToolkitError, match="`host:5000/x` has no tag"):
        address_of("host:5000/x")


HTTP = 'Get "https://host:5000/v2/": http: server gave HTTP response to HTTPS client'
CERTIFICATE = 'Get "https://host:5000/v2/": x509: certificate signed by unknown authority'
REFUSED = 'Get "http://host:5000/v2/": dial tcp: connect: connection refused'
UNKNOWN = "manifest for x:1 not found: manifest unknown: manifest unknown"


@pytest.mark.parametrize(
    ("said", "code", "what", "hint"),
    [
        # Each as Engine 20.10 says it.
        (HTTP, "S100", "speaks http", "insecure-registries"),
        (CERTIFICATE, "S100", "does not trust", "certs.d/host:5000/ca.crt"),
        ("no basic auth credentials", "C103", "denied access", "docker login host:5000"),
        ("unauthorized: authentication required", "C103", "denied access", "docker login host:5000"),
        ("denied: requested access to the resource is denied", "C103", "denied access", "docker login"),
        (UNKNOWN, "S103", f"has no site/frame:{VERSION}", "the tag"),
        (REFUSED, "S100", "no registry answers at host:5000", "/v2/"),
        ("dial tcp: lookup host on 1.1.1.1:53: no such host", "S100", "no registry answers", "firewall"),
        ("net/http: request canceled (Client.Timeout exceeded)", "S100", "no registry answers", "firewall"),
        ("context deadline exceeded", "S100", "no registry answers", "firewall"),
        ("write /var/lib/x: no space left on device", "S100", "is full", "docker system df"),
        ("something new", "S103", "could not be transferred", ""),
    ],
)
def test_what_the_engine_says_becomes_what_to_do(said: str, code: str, what: str, hint: str) -> None:
    error = registry_error(AT, said)
    assert (error.code.label, error.evidence) == (code, said)
    assert what in error.what
    assert hint in error.hint


@given(st.text())
def test_whatever_an_engine_says_is_an_error_with_its_words(said: str) -> None:
    assert registry_error(AT, said).evidence == said[-1000:]


def test_labels_that_agree_give_the_name() -> None:
    assert promised(AT, LABELS) == f"frame-1:{VERSION}"
    assert promised(Address("h.t", "x", "latest"), LABELS) == f"frame-1:{VERSION}"


def test_an_image_of_no_version_promises_nothing() -> None:
    assert promised(AT, {}) == ""
    assert promised(AT, {"org.opencontainers.image.version": "22.04"}) == ""


@pytest.mark.parametrize(
    ("tag", "changes", "why"),
    [
        ("b" * 12, {}, f"the tag says {'b' * 12}, the image in it says {VERSION}"),
        (VERSION, {"toolkit.inputs.sha256": "d" * 64}, "contradict each other"),
        (VERSION, {"org.opencontainers.image.version": ""}, "contradict each other"),
        (VERSION, {"org.opencontainers.image.version": f"evil.host/frame:{VERSION}"}, "contradict each other"),
    ],
)
def test_an_image_that_is_not_its_tag_is_refused(tag: str, changes: dict[str, str], why: str) -> None:
    with pytest.raises(ToolkitError, match="is not the image that its name says") as caught:
        promised(Address("h.t", "x", tag), LABELS | changes)
    assert why in caught.value.evidence


class Registry(Engine):
    """An engine with a registry behind it: names to ids, here and there."""

    def __init__(self, here: dict[str, str], there: dict[str, str], labels: dict[str, str]) -> None:
        super().__init__()
        self.here, self.there, self.said = here, there, labels

    def find(self, reference: str) -> StoredImage | None:
        image_id = self.here.get(reference)
        return StoredImage(image_id, 1, ImageConfig({"Labels": self.said}, (), ())) if image_id else None

    def tag(self, image_id: str, repository: str, tag: str = "") -> None:
        self.here[f"{repository}:{tag}" if tag else repository] = image_id

    def remove(self, image: str) -> None:
        del self.here[image]

    def push(self, repository: str, tag: str, **_: bool) -> Iterator[dict[str, Any]]:
        self.there[f"{repository}:{tag}"] = self.here[f"{repository}:{tag}"]
        yield {"status": "Pushing", "id": "a", "progressDetail": {"current": 512, "total": 1000}}
        yield {"status": "Pushing", "id": "b", "progressDetail": {"current": 1200, "total": 1000}}
        yield {"progressDetail": {}, "aux": {"Tag": tag, "Digest": "sha256:d", "Size": 1}}

    def pull(self, repository: str, tag: str, **_: bool) -> Iterator[dict[str, Any]]:
        if f"{repository}:{tag}" not in self.there:
            yield {"error": "manifest unknown"}
            return
        self.here[f"{repository}:{tag}"] = self.there[f"{repository}:{tag}"]
        yield {"status": "Pull complete"}


NAME = f"frame-1:{VERSION}"


def test_a_push_leaves_no_name_and_tells_bytes() -> None:
    registry, reported = Registry({NAME: "id"}, {}, LABELS), list[Progress]()
    pushed = push(NAME, AT, registry, reported.append)
    assert (pushed.digest, pushed.image_id) == ("sha256:d", "id")
    assert (registry.here, registry.there) == ({NAME: "id"}, {str(AT): "id"})
    assert [(step.done, step.total) for step in reported] == [(0, 0), (512, 1000), (1712, 2000)]


def test_a_push_gives_a_name_back_to_what_had_it() -> None:
    registry = Registry({NAME: "id", str(AT): "older"}, {}, LABELS)
    push(NAME, AT, registry, silent)
    assert registry.here == {NAME: "id", str(AT): "older"}


def test_a_pull_gives_the_image_its_name() -> None:
    registry = Registry({}, {str(AT): "id"}, LABELS)
    pulled = pull(AT, registry, silent)
    assert (pulled.image_id, pulled.reference) == ("id", NAME)
    assert registry.here == {str(AT): "id", NAME: "id"}


@pytest.mark.parametrize("before", [{}, {str(AT): "older"}])
def test_another_image_than_the_one_here_is_refused_and_names_stay(before: dict[str, str]) -> None:
    registry = Registry({NAME: "mine", **before}, {str(AT): "theirs"}, LABELS)
    with pytest.raises(ToolkitError, match="is not the image that its name says") as caught:
        pull(AT, registry, silent)
    assert f"{NAME} is here as mine" in caught.value.evidence
    assert registry.here == {NAME: "mine", **before}


def test_an_image_of_others_is_pulled_under_its_own_name_alone() -> None:
    registry = Registry({}, {str(AT): "id"}, {})
    assert pull(AT, registry, silent).reference == ""
    assert registry.here == {str(AT): "id"}


def test_a_tag_that_is_not_there_is_reported() -> None:
    with pytest.raises(ToolkitError, match=f"host:5000 has no site/frame:{VERSION}"):
        pull(AT, Registry({}, {}, LABELS), silent)
