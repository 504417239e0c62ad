"""A cluster file: what is read, and how a mistake is pointed at."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.cluster.model import DEFAULT_BINDING, Cluster, Deadlines
from toolkit.cluster.reader import read_cluster
from toolkit.errors import ToolkitError
from toolkit.paths import assets

SMALL = "name: mine\nengine: local\ngpu: none\n"


def read(folder: Path, text: str) -> Cluster:
    file = folder / "mine.yml"
    file.write_text(text)
    return read_cluster(file)


def test_this_machine_is_the_cluster_that_ships() -> None:
    assert read_cluster(assets() / "clusters" / "local.yml") == Cluster(
        "local", "local", "none", Deadlines(60, 10, 600)
    )


def test_deadlines_have_defaults_one_by_one(tmp_path: Path) -> None:
    assert read(tmp_path, SMALL).deadlines == Deadlines(start=60, stop=10, store=600)
    assert read(tmp_path, f"{SMALL}deadlines:\n  stop: 1\n").deadlines == Deadlines(start=60, stop=1, store=600)


@pytest.mark.parametrize("binding", ["none", "cores"])
def test_what_ranks_are_bound_to(tmp_path: Path, binding: str) -> None:
    assert read(tmp_path, f"{SMALL}binding: {binding}\n").binding == binding
    assert read(tmp_path, SMALL).binding == DEFAULT_BINDING


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SMALL.replace("local", "slurm"), ":2:9: engine: input should be 'local' or 'ssh'"),
        (SMALL.replace("none", "p100"), ":3:6: gpu: input should be 'none'"),
        (SMALL.replace("gpu: none\n", ""), "gpu: required, but missing"),
        (f"{SMALL}deadline: {{}}\n", ":4:1: deadline: unknown field; did you mean `deadlines`?"),
        (f"{SMALL}deadlines:\n  start: 0\n", ":5:10: deadlines.start: input should be greater than or equal to 1"),
        (f"{SMALL}deadlines:\n  stop: 0\n", ":5:9: deadlines.stop: input should be greater than or equal to 1"),
        (f"{SMALL}deadlines:\n  store: 0\n", ":5:10: deadlines.store: input should be greater than or equal to 1"),
        (f"{SMALL}deadlines:\n  start: 1m\n", "deadlines.start: expected a whole number, found '1m'"),
        (f"{SMALL}binding: socket\n", ":4:10: binding: input should be 'none' or 'cores'"),
        (f"{SMALL}deadlines: 60\n", "expected fields below this name (start, stop, store, quiet), found a number"),
    ],
)
def test_a_mistake_is_pointed_at(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        read(tmp_path, text)
    assert caught.value.code.label == "C104"
    assert words in str(caught.value)
