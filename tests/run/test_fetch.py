"""What is fetched in bulk counts only if it is what the run wrote; the rest comes another way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from toolkit.run.finish import fetch as module
from toolkit.run.finish.fetch import Fetch, is_bulk
from toolkit.storage.s3 import StoredObject

RUN = "training-abcd2345"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Shelf:
    """A store: notes which objects it was asked for, and whether their own checksum was to be compared."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects, self.asked = objects, list[tuple[str, bool]]()

    def get(
        self, _bucket: str, item: StoredObject, target: Path, on_bytes: Callable[[int], None], *, compare: bool
    ) -> str:
        self.asked.append((item.key, compare))
        data = self.objects[item.key]
        target.write_bytes(data)
        on_bytes(len(data))
        return sha256(data)


class Bulk:
    """A bulk download that leaves what `arrives` says."""

    def __init__(self, folder: Path, arrives: Callable[[Path], None]) -> None:
        self.folder, self._arrives = folder, arrives
        self.asked: list[tuple[tuple[str, ...], int]] = []

    def name_of(self, key: str) -> str:
        return key.removeprefix(f"{RUN}/")

    def file_of(self, key: str) -> Path:
        return self.folder / key.removeprefix(f"{RUN}/")

    def fetch(self, paths: list[str], sizes: list[int], on_bytes: Callable[[int], None]) -> None:
        self.asked.append((tuple(paths), sum(sizes)))
        (self.folder / "plots").mkdir(parents=True)
        self._arrives(self.folder / "plots")
        on_bytes(sum(sizes))


def fetched(tmp_path: Path, arrives: Callable[[Path], None]) -> tuple[dict[str, str], Shelf, Bulk]:
    """The files `a` and `b` of the run's folder `plots`; `b` has no known checksum."""
    shelf = Shelf({f"{RUN}/plots/a": b"good", f"{RUN}/plots/b": b"unlisted"})
    wanted = [(f"files/plots/{key[-1]}", StoredObject(key, len(data), "")) for key, data in shelf.objects.items()]
    bulk = Bulk(tmp_path / "downloads", arrives)
    digests = {f"{RUN}/plots/a": sha256(b"good")}
    fetch = Fetch(shelf, "bucket", tmp_path / "new", digests, lambda *_: None, bulk)  # type: ignore[arg-type]
    return fetch.fetch(wanted), shelf, bulk


@pytest.fixture
def one_is_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MANY", 1)


@pytest.mark.usefixtures("one_is_many")
def test_what_arrives_as_it_was_written_is_put_in_its_place(tmp_path: Path) -> None:
    sums, shelf, bulk = fetched(tmp_path, lambda plots: (plots / "a").write_bytes(b"good"))  # type: ignore[arg-type]
    assert sums == {"files/plots/a": sha256(b"good"), "files/plots/b": sha256(b"unlisted")}
    assert (tmp_path / "new/files/plots/a").read_bytes() == b"good"
    assert shelf.asked == [(f"{RUN}/plots/b", True)]
    assert bulk.asked == [(("plots/a",), 4)]


def test_few_files_are_fetched_one_by_one(tmp_path: Path) -> None:
    sums, shelf, bulk = fetched(tmp_path, lambda _: None)
    assert sums == {"files/plots/a": sha256(b"good"), "files/plots/b": sha256(b"unlisted")}
    assert (bulk.asked, len(shelf.asked)) == ([], 2)


@pytest.mark.usefixtures("one_is_many")
@pytest.mark.parametrize(
    "arrives",
    [
        lambda _: None,
        lambda plots: (plots / "a").write_bytes(b"evil"),
        lambda plots: (plots / "a").write_bytes(b"goo"),
        lambda plots: (plots / "a").mkdir(),
        lambda plots: (plots / "a").symlink_to("/etc/hostname"),
    ],
    ids=["nothing", "changed", "cut short", "a folder", "a link"],
)
def test_what_did_not_arrive_whole_is_fetched_by_its_key(tmp_path: Path, arrives: Callable[[Path], None]) -> None:
    sums, shelf, _ = fetched(tmp_path, arrives)
    assert sums["files/plots/a"] == sha256(b"good")
    assert shelf.asked == [(f"{RUN}/plots/a", False), (f"{RUN}/plots/b", True)]
    assert (tmp_path / "new/files/plots/a").read_bytes() == b"good"


@pytest.mark.parametrize(
    ("count", "size", "key", "bulk"),
    [(64, 1, "m", True), (63, 1, "m", False), (1, 64 << 20, "m", True), (100, 1 << 20, "␀", False)],
    ids=["many", "few", "large", "names that rclone changes"],
)
def test_only_much_is_worth_a_container(count: int, size: int, key: str, bulk: bool) -> None:
    wanted = [(f"{number}", StoredObject(f"{key}{number}", size, "")) for number in range(count)]
    assert is_bulk(wanted, {item.key: "0" * 64 for _, item in wanted}) is bulk
    assert not is_bulk(wanted, {})
