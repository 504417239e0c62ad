"""Two of the orders in which ddl and TensorFlow may be imported, in the image; `tox -e imports` runs all."""

from __future__ import annotations

import pytest

from ..imports.orders import QUICK, Order, every_order
from ..imports.running import Outcome, check, in_container, read_outcomes, write_programs

ORDERS = [order for order in every_order() if order.name in QUICK]


@pytest.fixture(scope="module")
def results(image: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    folder = tmp_path_factory.mktemp("imports")
    write_programs(folder, ORDERS)
    return read_outcomes(in_container(image, folder), ORDERS)


def test_both_are_there() -> None:
    assert len(ORDERS) == len(QUICK)


@pytest.mark.parametrize("order", ORDERS, ids=[order.name for order in ORDERS])
def test_ranks_end_with_the_same_weights(order: Order, results: dict[str, Outcome]) -> None:
    check(order, results[order.name])
