"""What comes home from a run: its model, its code, and what the manifest wants besides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from toolkit.buckets.store import StoredObject
from toolkit.manifest.reader import read_manifest
from toolkit.places import house
from toolkit.run.collect import Collection
from toolkit.run.record import Record, State

EXAMPLE = read_manifest(house() / "examples" / "mnist" / "manifest.yml")
RECORD = Record(
    *("training-abcd2345", "name", State.COMPLETED, "image", "sha256:i", "local", 1, 1, True, "embedded"),
    *("models", "data", "manifest.yml", "code"),
)


class Shelf:
    """A store that holds some keys."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def objects(self, _bucket: str, prefix: str) -> list[StoredObject]:
        return [StoredObject(key, 1, "") for key in self._keys if key.startswith(prefix)]


def wanted(tmp_path: Path, collect: tuple[str, ...], *keys: str) -> list[str]:
    collection = Collection(RECORD, replace(EXAMPLE, collect=collect), tmp_path, tmp_path, "side", lambda *_: None)
    shelf = Shelf(*(f"training-abcd2345/{key}" for key in keys))
    return [name for name, _ in collection._wanted(shelf)]  # type: ignore[arg-type]


def test_files_and_folders_come_home_besides_the_model(tmp_path: Path) -> None:
    keys = ("model/a", "_submitted_code/t.py", "metrics.json", "metrics.json.old", "plots/x/y.png", "plots2/z", "other")
    assert wanted(tmp_path, ("metrics.json", "plots"), *keys) == [
        "model/a",
        "code/t.py",
        "files/metrics.json",
        "files/plots/x/y.png",
    ]


def test_without_a_wish_model_and_code_come_home_alone(tmp_path: Path) -> None:
    assert wanted(tmp_path, (), "model/a", "model2/b", "metrics.json") == ["model/a"]
