"""Fetches a run's files from its results bucket: in bulk by rclone where that is faster, else by boto3.

What rclone fetched counts only if it is what the run wrote, by its SHA-256; the rest is fetched by boto3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from toolkit.agent.checksums import digest_of, plain
from toolkit.storage.bulk_download import BulkDownload
from toolkit.storage.s3 import Store, StoredObject

Named = tuple[str, StoredObject]
"""A path below a folder, and the object that goes there."""
OnBytes = Callable[[str, int], None]
"""Called with a path (empty if several files arrive at once) and a number of bytes."""
_MANY, _LARGE = 64, 64 << 20
"""Fewer files with fewer bytes take less time than the start of a container."""


def is_bulk(wanted: Sequence[Named], digests: Mapping[str, str]) -> bool:
    """Whether there is so much to fetch that rclone is faster."""
    sizes = [item.size for _, item in wanted if _is_plain(item.key, digests)]
    return len(sizes) >= _MANY or sum(sizes) >= _LARGE


class Fetch:
    """Fetches objects of `bucket` into `folder`, with `bulk` if there is one and enough to fetch.

    `digests` is the SHA-256 by key of what the run wrote.
    """

    def __init__(
        self,
        store: Store,
        bucket: str,
        folder: Path,
        digests: Mapping[str, str],
        on_bytes: OnBytes,
        bulk: BulkDownload | None = None,
    ) -> None:
        self.digests = digests
        self._store, self._bucket, self._folder = store, bucket, folder
        self._on_bytes, self._bulk = on_bytes, bulk

    def fetch(self, wanted: Sequence[Named]) -> dict[str, str]:
        """Fetch all of `wanted`; returns each one's SHA-256 by its path."""
        sums = self._in_bulk(self._bulk, wanted) if self._bulk and is_bulk(wanted, self.digests) else {}
        return sums | self._one_by_one([(name, item) for name, item in wanted if name not in sums])

    def _one_by_one(self, wanted: Sequence[Named]) -> dict[str, str]:
        """With boto3. An object without a known SHA-256 must match the checksum that the store has of it, if any."""
        sums: dict[str, str] = {}
        for name, item in wanted:
            file = self._folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            count, known = partial(self._on_bytes, name), item.key in self.digests
            sums[name] = self._store.get(self._bucket, item, file, count, compare=not known)
        return sums

    def _in_bulk(self, bulk: BulkDownload, wanted: Sequence[Named]) -> dict[str, str]:
        """What arrives as it was written."""
        items = [item for _, item in wanted if _is_plain(item.key, self.digests)]
        names = [bulk.name_of(item.key) for item in items]
        bulk.fetch(names, [item.size for item in items], partial(self._on_bytes, ""))
        sums: dict[str, str] = {}
        for name, item in wanted:
            with suppress(OSError):  # it has not arrived, or as something else than a file
                if self._take(bulk.file_of(item.key), item, self._folder / name):
                    sums[name] = self.digests[item.key]
        return sums

    def _take(self, there: Path, item: StoredObject, target: Path) -> bool:
        """Move a file to its place if it is what the run wrote; returns whether it was. Raises `OSError`."""
        expected = self.digests.get(item.key)
        if not expected or there.lstat().st_size != item.size or digest_of(there, md5=False).sha256 != expected:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        there.rename(target)
        return True


def _is_plain(key: str, digests: Mapping[str, str]) -> bool:
    """Whether rclone can fetch an object whose result can be verified: names with unusual characters are not literal
    in its paths."""
    return key in digests and key.isprintable() and plain(key) == key
