"""The real parts, once for all tests of a worker: the images built, digits in the embedded store, two labs."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from toolkit.api.builds import build_recipe
from toolkit.catalogue.choose import choose
from toolkit.catalogue.model import FrameworkRow
from toolkit.catalogue.reader import read_frameworks
from toolkit.image.tool_images import buckets_recipe, lab_recipe
from toolkit.image.version import read_inputs
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.progress import silent
from toolkit.validation.model import TOOL_IMAGE

from .bench import EXAMPLE, MANIFEST, NOTHING, Bench, ours
from .lab import NAME, RealLab, up


@pytest.fixture(scope="session")
def row() -> FrameworkRow:
    """The catalogue's row for the example."""
    return choose(read_frameworks(assets() / "images", assets() / "templates"), read_manifest(MANIFEST).framework)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A home with the images built and the digits in the data bucket; both results and data buckets are there."""
    bench = Bench(tmp_path_factory.mktemp("home"))
    bench.ok("build", MANIFEST, timeout=1500)
    put_digits(bench, tmp_path_factory.mktemp("digits"))
    return bench


def put_digits(bench: Bench, folder: Path) -> None:
    """The example's data in the data bucket."""
    subprocess.run([sys.executable, EXAMPLE / "make_digits.py", folder], check=True, capture_output=True)
    bench.ok("bucket", "put", MANIFEST, folder)


@pytest.fixture(scope="session")
def image(bench: Bench, row: FrameworkRow) -> str:
    """The example's image, built."""
    return read_inputs(row.recipe).reference


@pytest.fixture(scope="session")
def buckets_image() -> str:
    """The image that mounts buckets, built."""
    return build_recipe(buckets_recipe(), TOOL_IMAGE, "classic", silent).reference


@pytest.fixture(scope="session")
def lab_image() -> None:
    """The image of a lab's hosts, built: how long a lab takes is measured with its image there."""
    build_recipe(lab_recipe(), TOOL_IMAGE, "classic", silent)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, lab_image: None) -> Iterator[RealLab]:
    """Two hosts without any image at first."""
    with up(tmp_path_factory.mktemp("lab-home"), NAME) as lab:
        yield lab


@pytest.fixture(scope="session")
def training_lab(tmp_path_factory: pytest.TempPathFactory, bench: Bench, lab_image: None) -> Iterator[RealLab]:
    """Two hosts on which trainings run: the digits are in the lab's home, and what the first launch ships stays there.

    The images are built by `bench`, once for all tests.
    """
    with up(tmp_path_factory.mktemp("training-lab-home"), f"{NAME}-training") as lab:
        put_digits(lab.bench, tmp_path_factory.mktemp("digits"))
        yield lab


@pytest.fixture
def left_nothing(bench: Bench) -> Iterator[None]:
    """What a test's runs left behind must be nothing."""
    yield
    assert ours(bench) == NOTHING


_LABS = {
    "training_lab": ("launch_on_hosts", "openssh_lab_real", "results_folder_real", "where_commands_run"),
    "lab": ("doctor_real", "lab_real", "leases_real", "ship_to_hosts_real"),
}
"""The modules that use a lab; labs take longest, so they come first."""


_TURNS = pytest.StashKey[Path]()


def group_of(nodeid: str) -> str:
    """Which tests share a worker: those of one lab, for which it is made once; else those of one module."""
    module = Path(nodeid.partition("::")[0]).stem.removeprefix("test_")
    return next((lab for lab, modules in _LABS.items() if module in modules), module)


class Scheduling(LoadScopeScheduling):
    """Distributes `group_of`. Not xdist's own groups: 3.8 marks them in a way that pytest 9.2 does not keep."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """xdist's hook."""
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order of their groups."""
    order = {name: number for number, name in enumerate(_LABS)}
    items.sort(key=lambda item: order.get(group_of(item.nodeid), len(order)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that is marked `alone` runs beside no other, with all its fixtures."""
    folder = item.config.stash[_TURNS]
    with (folder / "turn").open("w") as turn, (folder / "running").open("w") as running:
        fcntl.flock(turn, fcntl.LOCK_EX)  # whoever waits to be alone is overtaken by no one
        fcntl.flock(running, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """The folder of the locks, which the workers of one call share."""
    call = os.getppid() if hasattr(config, "workerinput") else os.getpid()
    folder = Path(tempfile.gettempdir(), f"toolkit-tests-{os.getuid()}-{call}")
    folder.mkdir(mode=0o700, exist_ok=True)
    config.stash[_TURNS] = folder


def pytest_unconfigure(config: pytest.Config) -> None:
    """The call's own process comes last."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(config.stash[_TURNS], ignore_errors=True)
