"""Shipping to hosts whose engines are dictionaries: what goes over the wire, and what is there afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.containers.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.progress import Progress
from toolkit.shipping.hosts.ship import Shipped, ship

BASE, MIDDLE, TOP = b"b" * 3000, b"m" * 2000, b"t" * 1000


def shipped(
    world: Any, hosts: list[Any], image: Any, store: Any = None, runtime: str = "docker", **options: Any
) -> tuple[Shipped, ...]:
    store = store or world.store(image)
    return ship(image.image_id, image.name, store, [Engine(host, runtime) for host in hosts], **options)


@pytest.mark.parametrize("form", ["20", "25", "podman", "odd"])
def test_a_bare_host_gets_the_image_under_its_id_and_name(world: Any, form: str) -> None:
    image, host = world.image("x:1", (BASE, MIDDLE, TOP)), world.host("h")
    assert shipped(world, [host], image, world.store(image, form=form)) == (Shipped("h", "operator", 3),)
    assert host.images == [image]
    assert host.names == {"x:1": image.image_id}


def test_each_host_is_named_once_it_has_the_image(world: Any) -> None:
    image, arrived = world.image("x:1", (BASE, TOP)), list[Shipped]()
    hosts = [world.host("bare"), world.host("full", [image], {"x:1": image.image_id})]
    found = shipped(world, hosts, image, arrived=arrived.append)
    assert found == (Shipped("bare", "operator", 2), Shipped("full", "there", 0))
    assert sorted(arrived, key=lambda one: one.host) == list(found)


@pytest.mark.parametrize("form", ["20", "25", "podman"])
def test_only_the_layers_that_a_host_lacks_travel(world: Any, form: str) -> None:
    image, other = world.image("x:1", (BASE, MIDDLE, TOP)), world.image("y:1", (BASE, MIDDLE, b"else"))
    host = world.host("h", [other])
    assert shipped(world, [host], image, world.store(image, form=form)) == (Shipped("h", "operator", 1),)
    assert host.images == [other, image]
    (members,) = host.given
    assert len(members) == 3  # one layer, the configuration, the manifest


def test_layers_that_cannot_be_distinguished_all_travel(world: Any) -> None:
    image, other = world.image("x:1", (BASE, TOP)), world.image("y:1", (BASE,))
    host = world.host("h", [other])
    shipped(world, [host], image, world.store(image, form="odd"))
    assert host.images == [other, image]
    assert len(host.given[0]) == 4


def test_an_image_of_layers_that_are_all_there_brings_its_configuration_alone(world: Any) -> None:
    image, other = world.image("x:1", (BASE, TOP)), world.image("y:1", (BASE, TOP))
    host = world.host("h", [other])
    assert shipped(world, [host], image) == (Shipped("h", "operator", 0),)
    assert len(host.given[0]) == 2
    assert host.images == [other, image]


def test_a_layer_that_is_in_an_image_twice_arrives_twice(world: Any) -> None:
    image, host = world.image("x:1", (BASE, TOP, BASE)), world.host("h")
    assert shipped(world, [host], image) == (Shipped("h", "operator", 3),)
    assert host.images == [image]
    # The lower one is there and the upper one, which is linked to it, is not.
    half = world.host("i", [world.image("y:1", (BASE,))])
    shipped(world, [half], image)
    assert half.images[1] == image


def test_a_host_that_has_it_is_sent_nothing(world: Any) -> None:
    image = world.image("x:1", (BASE, TOP))
    host, store = world.host("h", [image]), world.store(image)
    assert shipped(world, [host], image, store) == (Shipped("h", "there", 0),)
    assert (store.saved, host.given) == (0, [])


def test_a_host_that_lacks_the_name_alone_gets_the_name(world: Any) -> None:
    image, host = world.image("x:1", (BASE,)), world.host("h")
    host.images.append(image)
    assert shipped(world, [host], image) == (Shipped("h", "there", 0),)
    assert (host.names, host.given) == ({"x:1": image.image_id}, [])


def test_a_second_call_completes_what_the_first_could_not(world: Any) -> None:
    image = world.image("x:1", (BASE, TOP))
    well, full = world.host("well"), world.host("full")
    full.refuses["docker load"] = "Error: write /layer.tar: no space left on device"
    with pytest.raises(ToolkitError) as caught:
        shipped(world, [full, well], image)
    assert caught.value.what == "the disk of full's engine is full"
    assert caught.value.context == {"host": "full"}
    assert (well.images, well.names) == ([image], {"x:1": image.image_id})
    assert (full.images, full.names) == ([], {})
    full.refuses.clear()
    answer = shipped(world, [full, well], image)
    assert answer == (Shipped("full", "operator", 2), Shipped("well", "there", 0))
    assert len(well.given) == 1


def test_every_host_that_failed_is_named_with_its_reason(world: Any) -> None:
    image = world.image("x:1", (BASE,))
    full, down, well = world.host("full"), world.host("down"), world.host("well")
    full.refuses["docker load"] = "no space left on device"
    down.refuses["docker"] = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
    with pytest.raises(ToolkitError) as caught:
        shipped(world, [full, down, well], image)
    assert caught.value.code is Code.RESOURCES
    assert caught.value.what == "x:1 could not be sent to 2 of 3 hosts"
    assert [problem.what for problem in caught.value.problems] == [
        "full: the disk of full's engine is full: no space left on device",
        "down: no container engine answers on down: "
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
    ]
    assert well.names == {"x:1": image.image_id}


def test_a_name_that_another_image_has_is_not_taken_from_it(world: Any) -> None:
    image, other = world.image("x:1", (BASE,)), world.image("x:1", (TOP,))
    host = world.host("h", [other])
    with pytest.raises(ToolkitError, match="host h has a different image named x:1"):
        shipped(world, [host], image)
    assert (host.names, host.given) == ({"x:1": other.image_id}, [])


def test_from_a_registry_where_there_is_one(world: Any) -> None:
    image = world.image("x:1", (BASE,))
    host = world.host("h", registry={"reg:5000/training:1": image})
    assert shipped(world, [host], image, registry="reg:5000/training") == (Shipped("h", "registry", 0),)
    assert (host.names, host.given) == ({"x:1": image.image_id}, [])


@pytest.mark.parametrize("there", [None, b"another"])
def test_a_registry_that_has_it_not_or_another_is_reported_and_passed_by(world: Any, there: bytes | None) -> None:
    image, reported = world.image("x:1", (BASE,)), []
    registry = {"reg:5000/training:1": world.image("x:1", (there,))} if there else {}
    host = world.host("h", registry=registry)

    def report(progress: Progress) -> None:
        reported.append(progress.detail)

    answer = shipped(world, [host], image, registry="reg:5000/training", report=report)
    assert answer == (Shipped("h", "operator", 1),)
    assert host.names == {"x:1": image.image_id}
    (said,) = [line for line in reported if "sending over ssh instead" in line]
    assert said.startswith("reg:5000/training failed, sending over ssh instead: ")


def test_progress_is_reported(world: Any) -> None:
    image, reported = world.image("x:1", (BASE, TOP)), []
    shipped(world, [world.host("h")], image, report=reported.append)
    assert reported[0] == Progress("h", "checking for the image")
    sent = [one for one in reported if one.total]
    assert {one.detail for one in sent} == {"sending layer 1 of 2", "sending layer 2 of 2"}
    assert (sent[-1].done, sent[-1].total, sent[-1].unit) == (4000, 4000, "bytes")


@pytest.mark.parametrize("cut", [1, 600, 4000])
def test_an_engine_that_saves_half_an_image_gives_no_one_anything(world: Any, cut: int) -> None:
    image, host = world.image("x:1", (BASE, TOP)), world.host("h")

    class Half(world.store):  # type: ignore[misc]
        def save(self, reference: str) -> Any:
            yield image.saved("20")[:cut]

    with pytest.raises(ToolkitError, match=r"did not save all of "):
        shipped(world, [host], image, Half(image))
    assert (host.images, host.names) == ([], {})


def test_a_podman_gets_every_layer(world: Any) -> None:
    image, other = world.image("x:1", (BASE, TOP)), world.image("y:1", (BASE,))
    host = world.host("h", [other])
    assert shipped(world, [host], image, runtime="podman") == (Shipped("h", "operator", 2),)
    assert len(host.given[0]) == 4
