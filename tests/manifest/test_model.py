"""The canonical manifest's own words."""

from __future__ import annotations

from dataclasses import replace

from toolkit.manifest.model import Connection, FolderReference
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.secrets import parse_secret

EXAMPLE = read_manifest(assets() / "examples" / "mnist" / "manifest.yml")
KEY = parse_secret("KEY")


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
