"""Every way of importing ddl and PyTorch, over mpirun of this machine: part of `tox -e torch`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .orders import Order, torch_orders
from .running import Outcome, check, read_outcomes, write_programs

ORDERS = torch_orders()
PACKAGE = Path(__file__).parents[2] / "images" / "ddl"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    folder, libraries = tmp_path_factory.mktemp("imports"), tmp_path_factory.mktemp("libraries")
    subprocess.run([sys.executable, PACKAGE / "native" / "build.py", libraries], check=True, capture_output=True)
    write_programs(folder, ORDERS)
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(libraries),
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PYTHONPATH": str(PACKAGE),
    }
    return read_outcomes([sys.executable, str(folder / "run_all.py"), str(folder)], ORDERS, environment)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("order", ORDERS, ids=[order.name for order in ORDERS])
def test_ranks_end_with_the_same_weights(order: Order, results: dict[str, Outcome]) -> None:
    check(order, results[order.name])
