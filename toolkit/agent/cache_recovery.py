"""Cached files that a killed mount left and no longer knows of: they are stored before the cache is deleted.

rclone keeps a small metadata file for each cached file, which says whether it must still be uploaded, and writes it in
place. A mount killed at that moment, or between the two renames of a renamed file, leaves a cached file without
metadata; the next mount removes it (`newItem` in rclone's vfs/vfscache/item.go: "metadata doesn't exist").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolkit.agent.checksums import Digest, digest_of, key_of
from toolkit.agent.compare import NotRead, path_of, raw, read_again
from toolkit.agent.paths import CONFIG, HOST, RECOVERED
from toolkit.agent.rclone import LIST_SECONDS, rclone, seconds_for
from toolkit.agent.uploads import place_of


def orphans(cache: Path, place: str, local: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """The cached files without metadata, by their names below `place` ("results/bucket/prefix").

    Those in the folders `local` are no mount's, but links of `toolkit.agent.local_results`, which knows them.

    Returns complete files and files with holes: those that a program had read or written only in parts.
    """
    files, metadata = cache / "vfs" / place, cache / "vfsMeta" / place
    whole: list[str] = []
    holed: list[str] = []
    for file in sorted(files.rglob("*")):
        name = file.relative_to(files)
        if name.parts[0] not in local and file.is_file() and not _is_metadata(metadata / name):
            facts = file.stat()
            (whole if facts.st_blocks * 512 >= facts.st_size else holed).append(str(name))
    return whole, holed


def recover(
    filesystem: str,
    cache: Path = Path(HOST) / "cache",
    config: str = CONFIG,
    sums: Path = Path(RECOVERED),
    local: Sequence[str] = (),
) -> int:
    """Upload the orphans of a mount of `filesystem` ("results:bucket/prefix"); returns their number.

    A newer object is kept, and any object whose cached file has holes, because the file may lack parts that were never
    read. The SHA-256 of each object, as read back from the bucket, is added to `sums`. `local` as in `orphans`. Raises
    `OSError` with rclone's message if the store refuses them or cannot be read.
    """
    place = place_of(filesystem)
    whole, holed = orphans(cache, place, local)
    _copy(config, cache / "vfs" / place, filesystem, whole, "--update")
    _copy(config, cache / "vfs" / place, filesystem, holed, "--ignore-existing")
    digests = {key_of(name): digest_of(cache / "vfs" / place / name, md5=False) for name in (*whole, *holed)}
    sums.write_text(json.dumps(_stored(filesystem, config, digests)))
    return len(digests)


def read_recovered(sums: Path = Path(RECOVERED)) -> dict[str, str]:
    """The SHA-256, by key, of the files stored by a recovery; empty if there were none."""
    try:
        return {str(key): str(sha256) for key, sha256 in json.loads(sums.read_text()).items()}
    except FileNotFoundError:
        return {}


def _stored(filesystem: str, config: str, digests: Mapping[str, Digest]) -> dict[str, str]:
    """The SHA-256, by key, of the objects with the same contents."""
    paths = {key: path_of(key) for key in digests}
    size = sum(digest.size for digest in digests.values())
    try:
        there = read_again(raw(filesystem), paths.values(), config, size)
    except NotRead as error:
        raise OSError(str(error)) from None
    return {key: digest.sha256 for key, digest in digests.items() if there[paths[key]] == digest.sha256}


def _copy(config: str, folder: Path, filesystem: str, names: Sequence[str], which: str) -> None:
    size = sum((folder / name).stat().st_size for name in names)
    data = "".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")
    if not data:
        return
    # Raw: a name may begin with "#" or end in a space.
    words = ("copy", which, "--use-server-modtime", "--no-traverse", "--files-from-raw", "-")
    done = rclone(*words, str(folder), filesystem, data=data, seconds=seconds_for(size, LIST_SECONDS), config=config)
    if done.returncode != 0:
        raise OSError(done.stderr.decode("utf-8", "replace")[-2000:])


def _is_metadata(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_text("utf-8", "replace")), dict)
    except (OSError, ValueError):
        return False
