"""The divergence guard on PyTorch, over real mpirun."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

UNSYNCHRONISED = 86


@pytest.fixture(autouse=True)
def interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranks compare every 10 steps."""
    monkeypatch.setenv("DDL_GUARD", "10")
    monkeypatch.setenv("TRAINING_ID", "training-x")


def said(done: object) -> dict:
    assert done.returncode == UNSYNCHRONISED, done.stdout + done.stderr
    found = re.search(r"^\x1etoolkit unsynchronised (.*)$", done.stdout, re.MULTILINE)
    assert found, done.stdout
    return json.loads(found[1])


@pytest.mark.parametrize("wrong", ["nothing", "little", "bfloat16"])
def test_weights_that_are_the_same_or_nearly_so_are_no_fault(ranks: Callable, wrong: str) -> None:
    done = ranks(2, "training.py", "guarded", wrong)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("ranks' weights differ in their last bits") == (wrong != "nothing")


@pytest.mark.parametrize("wrong", ["much", "average-much", "ddp-much"])
def test_weights_beyond_the_tolerance_end_the_job(ranks: Callable, wrong: str) -> None:
    found = said(ranks(2, "training.py", "guarded", wrong))
    assert (found["first_step"], found["last_step"]) == (11, 20)
    assert 1e-3 < found["difference"] < 1


def test_a_rank_that_trains_by_itself_while_another_waits_is_found(ranks: Callable) -> None:
    found = said(ranks(2, "training.py", "guarded", "alone"))
    assert "rank 1 trains by itself" in found["why"]


def test_programs_that_average_nothing_anywhere_may(ranks: Callable) -> None:
    done = ranks(2, "training.py", "guarded", "all-alone")
    assert done.returncode == 0, done.stdout + done.stderr
