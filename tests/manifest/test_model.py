"""The canonical manifest's own words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.manifest.model import COMPUTE, Compute, Connection, FolderReference
from toolkit.manifest.reader import read_manifest
from toolkit.places import house
from toolkit.secrets import parse_secret

EXAMPLE = read_manifest(house() / "examples" / "mnist" / "manifest.yml")
KEY = parse_secret("KEY")


@pytest.mark.parametrize(
    ("name", "kind", "gpus"),
    [
        ("k80", "k80", 1),
        ("k80x2", "k80", 2),
        ("k80x4", "k80", 4),
        ("p100", "p100", 1),
        ("p100x2", "p100", 2),
        ("v100", "v100", 1),
        ("v100x2", "v100", 2),
    ],
)
def test_a_compute_configuration_is_a_kind_and_a_number_of_gpus(name: str, kind: str, gpus: int) -> None:
    asked = Compute(name, 3)
    assert (asked.gpu_kind, asked.gpus_per_node, asked.ranks) == (kind, gpus, 3 * gpus)


def test_every_compute_configuration_is_in_the_table_above() -> None:
    assert list(COMPUTE) == ["k80", "k80x2", "k80x4", "p100", "p100x2", "v100", "v100x2"]


def test_the_embedded_store_is_meant_by_its_word_alone() -> None:
    urls = ("embedded", "https://embedded", "http://127.0.0.1:9000")
    assert [Connection(url, KEY, KEY).is_embedded for url in urls] == [True, False, False]


def test_buckets_are_data_then_results_and_a_folder_is_none() -> None:
    results = replace(EXAMPLE.training_results, bucket="other")
    assert list(replace(EXAMPLE, training_results=results).buckets.items()) == [
        ("data", EXAMPLE.training_data),
        ("results", results),
    ]
    assert list(replace(EXAMPLE, training_data=FolderReference("", "/data")).buckets) == ["results"]
