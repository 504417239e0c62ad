"""Every way of importing ddl, TensorFlow and Keras, in the images: all ranks must end with the same weights.

Half an hour and more: `tox -e imports`. One container for each image runs all programs, one after the other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .orders import Order, every_order
from .running import Outcome, check, in_container, read_outcomes, write_programs

ORDERS = every_order()
TF_KERAS = {"2.15": "2.15.1", "2.19": "2.19.0", "2.21": "2.21.0"}
"""The package `tf_keras` that goes with each TensorFlow. It is in no image; a program brings it."""

Results = dict[str, Outcome]


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Results]:
    """What became of all programs on a version of TensorFlow, by name."""
    known: dict[str, Results] = {}

    def of(version: str) -> Results:
        if version not in known:
            known[version] = run_in_image(version, tmp_path_factory.mktemp("imports"))
        return known[version]

    return of


def run_in_image(version: str, folder: Path) -> Results:
    build = [sys.executable, "-m", "toolkit", "build", "--json", "--image", f"tensorflow-ddl-{version}-py3.11-cpu"]
    image = json.loads(subprocess.run(build, check=True, capture_output=True, text=True).stdout)["image"]["reference"]
    get = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder / "extra")]
    subprocess.run([*get, f"tf_keras=={TF_KERAS[version]}"], check=True)
    write_programs(folder, ORDERS)
    environment = ("--env", "PYTHONPATH=/orders/extra")
    return read_outcomes(in_container(image, folder, *environment), ORDERS)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("version", TF_KERAS)
@pytest.mark.parametrize("order", ORDERS, ids=[order.name for order in ORDERS])
def test_ranks_end_with_the_same_weights(order: Order, version: str, results: Callable[[str], Results]) -> None:
    check(order, results(version)[order.name])
