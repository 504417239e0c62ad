"""The most telling of the faults in tests/faults, made shorter: each is done to a real run on this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ..faults import test_ranks
from ..faults.page import Page
from ..faults.store import S3Server
from ..faults.test_operator import killed, stop_twice
from ..faults.test_store import down_and_up
from .bench import Bench


@pytest.mark.slow
def test_an_operator_killed_with_9_leaves_a_whole_run_or_none(bench: Bench, tmp_path: Path) -> None:
    stages = ("DOWNLOADING", "PROCESSING", "STORING")
    with ThreadPoolExecutor(len(stages)) as pool:
        ends = list(pool.map(lambda stage: killed(bench, tmp_path / stage, stage, seed=1, within=0.5)[0], stages))
    assert ends == ["not started", "completed", "completed"]


@pytest.mark.slow
def test_a_learners_container_that_is_killed_is_named(bench: Bench, tmp_path: Path) -> None:
    test_ranks.test_a_learners_container_that_is_killed_is_named(bench, tmp_path, Page())


@pytest.mark.slow
def test_a_store_that_is_down_for_a_while_loses_nothing(bench: Bench, tmp_path: Path) -> None:
    server = S3Server(tmp_path / "store", tmp_path / "keys")
    server.start()
    try:
        down_and_up(bench, tmp_path, Page(), server, 5)
    finally:
        server.stop()


def test_a_run_is_stopped_from_two_shells_at_once(bench: Bench, tmp_path: Path) -> None:
    stop_twice(bench, tmp_path, Page(), "part-1-5")
