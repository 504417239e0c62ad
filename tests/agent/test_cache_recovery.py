"""Cached files that a killed mount has left without metadata; rclone is real, over a folder in a store's place."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from toolkit.agent.cache_recovery import orphans, read_recovered, recover

PLACE = "results/bucket/part:1"
META = '{"ModTime":"2026-01-01T00:00:00Z","Size":3,"Rs":null,"Fingerprint":"","Dirty":true}'


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Cache:
    """A mount's cache and the bucket that it was of."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bucket, self.config = folder / "cache", folder / "bucket", folder / "rclone.conf"
        self.objects = self.bucket / "part:1"
        self.objects.mkdir(parents=True)
        self.config.write_text(f"[results]\ntype = alias\nremote = {folder}\n")

    def file(self, name: str, data: bytes, metadata: str | None, at: float = 2000.0) -> Path:
        file = self.folder / "vfs" / PLACE / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (at, at))
        if metadata is not None:
            reported = self.folder / "vfsMeta" / PLACE / name
            reported.parent.mkdir(parents=True, exist_ok=True)
            reported.write_text(metadata)
        return file

    def object(self, name: str, data: bytes, at: float) -> None:
        (self.objects / name).write_bytes(data)
        os.utime(self.objects / name, (at, at))

    def recover(self) -> int:
        return recover("results:bucket/part:1", self.folder, str(self.config), self.folder.with_name("sums.json"))

    @property
    def sums(self) -> dict[str, str]:
        return read_recovered(self.folder.with_name("sums.json"))

    @property
    def stored(self) -> dict[str, bytes]:
        found = self.objects.rglob("*")
        return {str(file.relative_to(self.objects)): file.read_bytes() for file in found if file.is_file()}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    return Cache(tmp_path)


def test_a_file_that_no_metadata_tells_of_is_stored_and_what_a_mount_knows_is_left_to_it(cache: Cache) -> None:
    cache.file("run/known", b"abc", META)
    cache.file("run/alone", b"abcd", None)
    cache.file("run/half known", b"abcde", META[:20])
    cache.file("run/#known by nothing ", b"abcdef", "")
    assert cache.recover() == 3
    assert cache.stored == {"run/alone": b"abcd", "run/half known": b"abcde", "run/#known by nothing ": b"abcdef"}
    assert (cache.folder / "vfs" / PLACE / "run" / "known").read_bytes() == b"abc"
    assert cache.sums == {name: sha256(data) for name, data in cache.stored.items()}


def test_links_to_results_on_the_hosts_disk_are_no_orphans(cache: Cache) -> None:
    for name in ("run/linked", "_wml_checkpoints/alone"):
        cache.file(name, b"abc", None)
    assert orphans(cache.folder, PLACE, ["run"]) == (["_wml_checkpoints/alone"], [])


def test_an_object_is_written_over_only_by_what_is_newer(cache: Cache) -> None:
    for name, at in (("older", 1000.0), ("newer", 3000.0)):
        cache.object(name, b"in the bucket", at)
        cache.file(name, b"in the cache", None, at=2000.0)
    cache.recover()
    assert cache.stored == {"older": b"in the cache", "newer": b"in the bucket"}
    assert cache.sums == {"older": sha256(b"in the cache")}


def test_a_file_with_holes_never_covers_an_object_that_may_be_whole(cache: Cache) -> None:
    cache.object("read in part", b"x" * (1 << 20), 1000.0)
    for name in ("read in part", "written so"):
        os.truncate(cache.file(name, b"", None), 1 << 20)
    assert orphans(cache.folder, PLACE) == ([], ["read in part", "written so"])
    cache.recover()
    assert cache.stored == {"read in part": b"x" * (1 << 20), "written so": bytes(1 << 20)}


def test_without_a_cache_there_is_nothing_to_do(cache: Cache) -> None:
    assert cache.recover() == 0
    assert cache.stored == cache.sums == {}


def test_a_store_that_refuses_is_reported_in_its_own_words(cache: Cache) -> None:
    cache.file("alone", b"abc", None)
    cache.config.write_text("[other]\ntype = alias\nremote = /nowhere\n")
    with pytest.raises(OSError, match="didn't find section in config file"):
        cache.recover()
