"""What a mount that was killed has left in its cache and does not know of any more: stored before it is thrown away.

rclone keeps a small file beside each cached one that says whether it still must be uploaded, and writes it in place.
A mount that is killed just then, or between the two renames of a renamed file, leaves a cached file without a word
about it; the next mount removes it (`newItem` in rclone's vfs/vfscache/item.go: "metadata doesn't exist").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolkit.agent.checksums import Digest, digest_of, key_of
from toolkit.agent.compare import NotRead, path_of, raw, read_again
from toolkit.agent.paths import CONFIG, HOST, RECOVERED
from toolkit.agent.rclone import LIST_SECONDS, rclone, seconds_for


def orphans(cache: Path, place: str) -> tuple[list[str], list[str]]:
    """The cached files that no metadata tells of, by their names below `place` ("results/bucket/prefix").

    Returns those that are whole and those with holes: what a program had only read in parts, or had written so.
    """
    files, metadata = cache / "vfs" / place, cache / "vfsMeta" / place
    whole: list[str] = []
    holed: list[str] = []
    for file in sorted(files.rglob("*")):
        name = file.relative_to(files)
        if file.is_file() and not _is_metadata(metadata / name):
            facts = file.stat()
            (whole if facts.st_blocks * 512 >= facts.st_size else holed).append(str(name))
    return whole, holed


def recover(
    filesystem: str, cache: Path = Path(HOST) / "cache", config: str = CONFIG, sums: Path = Path(RECOVERED)
) -> int:
    """Upload the orphans of a mount of `filesystem` ("results:bucket/prefix"); how many there were.

    An object that is newer than the cached file stays; so does any where the cached file has holes, as it may lack
    what was never read. The SHA-256 of each that the bucket then holds, as it is read again, is kept in `sums`. Raises
    `OSError` with rclone's words where the store does not take them, or does not tell.
    """
    place = filesystem.replace(":", "/")
    whole, holed = orphans(cache, place)
    _copy(config, cache / "vfs" / place, filesystem, whole, "--update")
    _copy(config, cache / "vfs" / place, filesystem, holed, "--ignore-existing")
    digests = {key_of(name): digest_of(cache / "vfs" / place / name, md5=False) for name in (*whole, *holed)}
    sums.write_text(json.dumps(_stored(filesystem, config, digests)))
    return len(digests)


def read_recovered(sums: Path = Path(RECOVERED)) -> dict[str, str]:
    """The SHA-256, by key, of what a recovery has stored; none where there was nothing."""
    try:
        return {str(key): str(sha256) for key, sha256 in json.loads(sums.read_text()).items()}
    except FileNotFoundError:
        return {}


def _stored(filesystem: str, config: str, digests: Mapping[str, Digest]) -> dict[str, str]:
    """The SHA-256, by key, of those whose object holds the same bytes."""
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
