"""Images on their way: a real engine, a real registry, a machine that has only the bundle."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from toolkit.image.labels import INPUTS_SHA256, VERSION
from toolkit.image.store import ImageStore
from toolkit.lock.model import WheelPin
from toolkit.lock.pool import Pool
from toolkit.paths import assets
from toolkit.progress import silent
from toolkit.shipping.bundle import Contents, make_bundle
from toolkit.shipping.own_wheels import gather_wheels

NAME = "toolkit-test-shipping"
HTPASSWD = "site:$2y$05$3.fLnI51DT.iCwi2Fw9GTu9rn0NcIH8uJG9Xz7b0nUrYWmYwtTjXC\n"
"""bcrypt of a password that nobody needs: the test is that one is asked for."""


def docker(*words: str, data: bytes | None = None) -> str:
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(["docker", *words], input=data, capture_output=True, check=True, env=environment)
    return done.stdout.decode()


def toolkit(folder: Path, *words: object, program: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """The command in `folder`, with a home of its own there."""
    environment = {**os.environ, "TOOLKIT_HOME": str(folder / "home"), "DOCKER_CONFIG": str(folder / "no-logins")}
    environment.pop("TOOLKIT_CACHE", None)
    argv = [program, "-m", "toolkit", *map(str, words)]
    return subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def ok(folder: Path, *words: object, program: str = sys.executable) -> dict[str, Any]:
    """As `toolkit`, which must succeed; the JSON that it prints."""
    done = toolkit(folder, *words, "--json", program=program)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def id_of(reference: str) -> str:
    found = ImageStore().find(reference)
    return found.image_id if found else ""


@dataclass
class Images:
    """Images that a test made, each of two layers, the lower one shared; gone afterwards."""

    folder: Path
    names: list[str] = field(default_factory=list)

    def make(self, size: int = 1000) -> str:
        inputs = uuid.uuid4().hex * 2
        reference = f"{NAME}:{inputs[:12]}"
        labels = f'LABEL {VERSION}="{reference}" {INPUTS_SHA256}="{inputs}"\n'
        (self.folder / "low").write_bytes(b"x" * 5000)
        (self.folder / "high").write_bytes(os.urandom(size))
        (self.folder / "Dockerfile").write_text(f"FROM scratch\nCOPY low /low\nCOPY high /high\n{labels}")
        docker("build", "--quiet", "--tag", reference, str(self.folder))
        self.names.append(reference)
        return reference


@pytest.fixture
def images(tmp_path: Path) -> Iterator[Images]:
    folder = tmp_path / "context"
    folder.mkdir()
    images = Images(folder)
    yield images
    for name in images.names:
        subprocess.run(["docker", "rmi", name], capture_output=True, check=False)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


# save and load
@pytest.mark.parametrize("reader", ["toolkit", "docker"])
def test_a_saved_image_comes_back_as_itself(images: Images, work: Path, reader: str) -> None:
    names = [images.make(), images.make()]
    before = [id_of(name) for name in names]
    ok(work, "save", *names, "-o", "images.tar")
    docker("rmi", *names)
    assert [id_of(name) for name in names] == ["", ""]
    if reader == "toolkit":
        said = ok(work, "load", "images.tar")
        assert [image["loaded_now"] for image in said["images"]] == [True, True]
    else:
        docker("load", "--input", str(work / "images.tar"))
    assert [id_of(name) for name in names] == before


def test_saving_twice_gives_the_same_bytes_also_after_a_load(images: Images, work: Path) -> None:
    name = images.make()
    ok(work, "save", name, "-o", "first.tar")
    docker("rmi", name)
    ok(work, "load", "first.tar")
    ok(work, "save", name, "-o", "second.tar")
    assert (work / "first.tar").read_bytes() == (work / "second.tar").read_bytes()


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_another_tool_reads_the_file_in_either_form(images: Images, work: Path, form: str) -> None:
    """skopeo reads archives with the library that apptainer uses."""
    name = images.make()
    ok(work, "save", name, images.make(), "-o", "images.tar")
    argv = ["skopeo", "inspect", "--config", "--raw", f"{form}:{work / 'images.tar'}:{name}"]
    config = subprocess.run(argv, check=True, capture_output=True).stdout
    inspected = json.loads(docker("image", "inspect", name))[0]
    assert json.loads(config)["rootfs"]["diff_ids"] == inspected["RootFS"]["Layers"]
    assert json.loads(config)["config"]["Labels"] == inspected["Config"]["Labels"]


def test_a_damaged_file_never_reaches_the_engine(images: Images, work: Path) -> None:
    name = images.make(size=100_000)
    ok(work, "save", name, "-o", "images.tar")
    docker("rmi", name)
    content = bytearray((work / "images.tar").read_bytes())
    content[len(content) // 2] ^= 1
    (work / "images.tar").write_bytes(content)
    done = toolkit(work, "load", "images.tar")
    assert (done.returncode, id_of(name)) == (3, "")
    assert "has the SHA-256" in done.stderr


def test_a_save_that_is_interrupted_leaves_nothing(images: Images, work: Path) -> None:
    name = images.make(size=200_000_000)
    argv = [sys.executable, "-m", "toolkit", "save", name, "-o", "images.tar"]
    process = subprocess.Popen(
        argv, cwd=work, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    wait_for(lambda: any(work.glob(".toolkit-*/incoming")))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, b"interrupted" in errors) == (130, True)
    assert list(work.iterdir()) == []


# a registry
@dataclass(frozen=True)
class Registry:
    """Debian's docker-registry: its port, on every address of this machine."""

    port: int

    @property
    def host(self) -> str:
        """Where the engine takes http."""
        return f"127.0.0.1:{self.port}"


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start_registry(tmp_path: Path) -> Iterator[Callable[..., Registry]]:
    """Starts registries, and ends them by their process."""
    running: list[subprocess.Popen[bytes]] = []

    def start(auth: str = "") -> Registry:
        port, folder = free_port(), tmp_path / f"registry-{len(running)}"
        folder.mkdir()
        (folder / "htpasswd").write_text(HTPASSWD)
        (folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
            f"http: {{addr: ':{port}'}}\n{auth.format(folder=folder)}"
        )
        argv = [shutil.which("docker-registry") or "/usr/bin/docker-registry", "serve", str(folder / "config.yml")]
        with (folder / "log").open("wb") as log:
            running.append(subprocess.Popen(argv, stdout=log, stderr=log))
        wait_for(lambda: answers(port))
        return Registry(port)

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_an_image_goes_to_a_registry_and_comes_back(
    images: Images, work: Path, start_registry: Callable[..., Registry]
) -> None:
    registry, name = start_registry(), images.make()
    before, tag = id_of(name), name.partition(":")[2]
    address = f"{registry.host}/site/training:{tag}"
    said = ok(work, "push", name, "--to", f"{registry.host}/site/training")
    assert (said["address"], said["id"], said["digest"][:7]) == (address, before, "sha256:")
    assert id_of(address) == ""
    docker("rmi", name)
    images.names.append(address)
    assert ok(work, "pull", address) == {"address": address, "reference": name, "id": before}
    assert (id_of(name), id_of(address)) == (before, before)


def test_a_tag_that_names_another_version_is_refused(
    images: Images, work: Path, start_registry: Callable[..., Registry]
) -> None:
    registry, name = start_registry(), images.make()
    address = f"{registry.host}/site/training:{'0' * 12}"
    ok(work, "push", name, "--to", address)
    done = toolkit(work, "pull", address)
    assert (done.returncode, id_of(address)) == (3, "")
    assert f"the tag says {'0' * 12}, the image in it says {name.partition(':')[2]}" in done.stderr


def test_a_registry_that_asks_for_a_login_is_distinguished(
    images: Images, work: Path, start_registry: Callable[..., Registry]
) -> None:
    registry = start_registry("auth: {{htpasswd: {{realm: site, path: {folder}/htpasswd}}}}\n")
    done = toolkit(work, "push", images.make(), "--to", f"{registry.host}/x")
    assert done.returncode == 4
    assert f"toolkit: error C103 {registry.host} denied access to x:" in done.stderr
    assert f"next: docker login {registry.host}" in done.stderr


def test_http_where_https_is_expected_is_distinguished(
    images: Images, work: Path, start_registry: Callable[..., Registry]
) -> None:
    """The engine takes http from 127.0.0.0/8 alone: this machine's bridge is another address."""
    network = json.loads(docker("network", "inspect", "bridge"))[0]
    # An engine that was started for the first time does not tell the gateway: it is the subnet's first address.
    gateway = ipaddress.ip_network(network["IPAM"]["Config"][0]["Subnet"])[1]
    host = f"{gateway}:{start_registry().port}"
    done = toolkit(work, "push", images.make(), "--to", f"{host}/x")
    assert done.returncode == 3
    assert f"toolkit: error S100 {host} speaks http where the engine expects https" in done.stderr
    assert "insecure-registries" in done.stderr


@pytest.mark.parametrize("words", [["pull"], ["push", "--to"]])
def test_a_registry_that_is_not_there_is_distinguished(images: Images, work: Path, words: list[str]) -> None:
    host = f"127.0.0.1:{free_port()}"
    given = [words[0], images.make(), words[1]] if words[1:] else words
    done = toolkit(work, *given, f"{host}/x:1")
    assert done.returncode == 3
    assert f"toolkit: error S100 no registry answers at {host}" in done.stderr


def test_a_tag_that_the_registry_lacks_is_named(work: Path, start_registry: Callable[..., Registry]) -> None:
    host = start_registry().host
    done = toolkit(work, "pull", f"{host}/site/x:1")
    assert done.returncode == 3
    assert f"toolkit: error S103 {host} has no site/x:1" in done.stderr


# a bundle
@pytest.mark.slow
def test_a_bundle_is_all_that_a_machine_without_a_network_needs(images: Images, work: Path) -> None:
    """The tool is installed from the bundle alone, in an environment of its own, and loads the rest of it."""
    name, pool, folder = images.make(), Pool(work / "pool"), work / "wheels"
    before = id_of(name)
    folder.mkdir()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    wheels = gather_wheels(assets(), [python], folder, silent)
    pins = [pin_of(wheel) for wheel in wheels[:3]]
    for pin, wheel in zip(pins, wheels, strict=False):
        pool.add(wheel, pin)
    make_bundle(Contents((name,), tuple(pins), wheels, (python,)), pool, work / "site.tar", ImageStore(), silent)
    docker("rmi", name)

    there = work / "there"
    there.mkdir()
    (work / "site.tar").rename(there / "site.tar")
    subprocess.run(["tar", "-xf", "site.tar", "tool"], cwd=there, check=True)
    subprocess.run([sys.executable, "-m", "venv", "toolkit-venv"], cwd=there, check=True)
    program = str(there / "toolkit-venv" / "bin" / "python")
    install = [program, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", "tool", "toolkit"]
    subprocess.run(install, cwd=there, check=True)

    assert ok(there, "bundle", "load", "--no-images", "site.tar", program=program)["pool_files"] == 3
    assert id_of(name) == ""
    said = ok(there, "bundle", "load", "site.tar", program=program)
    assert (said["pool_files"], [image["id"] for image in said["images"]]) == (0, [before])
    assert id_of(name) == before
    taken = Pool(there / "home" / "cache" / "pool")
    assert [taken.path(pin).read_bytes() for pin in pins] == [wheel.read_bytes() for wheel in wheels[:3]]
    assert versions(program, there) == versions(sys.executable, work)


def pin_of(wheel: Path) -> WheelPin:
    digest = subprocess.run(["sha256sum", wheel], check=True, capture_output=True, text=True).stdout.split()[0]
    return WheelPin(wheel.name.partition("-")[0], "", wheel.name, digest, wheel.stat().st_size)


def versions(program: str, folder: Path) -> str:
    """Every image's version, as the tool that `program` runs would have it."""
    script = (
        "from toolkit.catalogue.reader import read_frameworks\n"
        "from toolkit.image.version import read_inputs\n"
        "from toolkit.image.tool_images import buckets_recipe\n"
        "from toolkit.paths import assets\n"
        "recipes = [row.recipe for row in read_frameworks(assets() / 'images', assets() / 'templates')]\n"
        "recipes = [recipe for recipe in (buckets_recipe(), *recipes) if recipe.lock.is_file()]\n"
        "print(*(read_inputs(recipe).reference for recipe in recipes))\n"
    )
    done = subprocess.run([program, "-c", script], cwd=folder, check=True, capture_output=True, text=True)
    assert len(done.stdout.split()) > 0
    return done.stdout
