"""Compares the files written here with the objects in the bucket, through an independent reader, for any file name.

The store's MD5 is accepted for an object uploaded in one piece, in a bucket whose ETags are MD5s. For a multipart
upload the MD5 may be only what its uploader claimed, which proves nothing about the stored bytes; the same holds for
all objects in a bucket with other ETags. Those objects are read back completely, and their SHA-256 is compared. A store
on this host gets no claims (`disable_checksum` in rclone's configuration): what it lists as MD5 it has computed itself.
"""

from __future__ import annotations

import configparser
import json
import math
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from toolkit.agent.checksums import Digest, digest_of, files_below, plain
from toolkit.agent.paths import CACHE, CONFIG
from toolkit.agent.rclone import LIST_SECONDS, rclone, seconds_for
from toolkit.agent.uploads import is_marked, root_of

WHOLE_BYTES = 200 << 20
"""rclone's `--s3-upload-cutoff`: from this size on it uploads in parts."""
_NAMED = 20
_AT_ONCE, _SHARES = 4, 256
_NO_SUCH_FOLDER = 3
_QUOTED = re.compile("‛(.)|([␀-␟])|(␡)|(／)", re.DOTALL)
_HASHED = re.compile(r"([0-9a-f]{64})  (.*)", re.DOTALL)


class NotRead(Exception):
    """The store's contents cannot be read; with its message."""


@dataclass(frozen=True)
class RemoteFile:
    """An object: rclone's encoding of its name, its size, and its MD5 if the store reports one."""

    path: str
    size: int
    md5: str


@dataclass(frozen=True)
class Comparison:
    """The result: the SHA-256 of each object that matches, and the problems, one line each; `sizes`, by key below the
    folder, is all that the store lists there."""

    sums: Mapping[str, str]
    wrong: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first problems, in one text; empty if there are none."""
        more = [f"and {len(self.wrong) - _NAMED} more"] if len(self.wrong) > _NAMED else []
        return "\n".join([*self.wrong[:_NAMED], *more])


def compare(
    filesystem: str,
    folder: str,
    *,
    shared: bool,
    cache: Path = Path(CACHE),
    config: str = CONFIG,
    retry: bool = True,
    mounted: bool = True,
) -> Comparison:
    """Compare what programs wrote here in a folder of `filesystem` ("results:bucket/prefix") with the bucket.

    Args:
        shared: whether others write to the folder, too. An object overwritten by someone else is then not an error, and
            gets no digest from here.
        retry: upload missing or different files once more, from the cache, and compare again.
        mounted: the cache is a mount's, in which not every file was written here. Else each was: the links of
            `toolkit.agent.local_results`.
    Raises:
        NotRead: the store cannot be read.
        OSError: a cached file cannot be read.
    """
    root = root_of(filesystem, cache) / folder
    written = {key: file for key, file in files_below(root) if not mounted or is_marked(file)}
    if not written:
        return Comparison({})
    place = f"{raw(filesystem)}/{folder}"
    listed, digests, stored = _both_sides(written, place, _most_by_md5(filesystem, shared, config), config)
    there = _by_key(written, listed)
    sums: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for key, digest in sorted(digests.items()):
        found = there.get(key)
        fault = _fault(digest, found, stored.get(key))
        if not fault:
            sums[f"{folder}/{key}"] = digest.sha256
        elif not (shared and found and _is_anothers(place, found, _written_at(cache, written[key]), config)):
            wrong[key] = fault
    if wrong and retry:
        for key in wrong:
            _put(place, path_of(key), written[key], config)
        return compare(filesystem, folder, shared=shared, cache=cache, config=config, retry=False, mounted=mounted)
    faults = tuple(f"{f'{folder}/{key}'!r}: {fault}" for key, fault in wrong.items())
    return Comparison(sums, faults, {key: found.size for key, found in listed.items()})


def _both_sides(
    written: Mapping[str, Path], place: str, most_by_md5: float, config: str
) -> tuple[dict[str, RemoteFile], dict[str, Digest], dict[str, str]]:
    """What the store lists, by key; at the same time the digests of what was written; then the SHA-256 of what must be
    read back.

    Of objects below `most_by_md5` bytes the store's MD5 is accepted. What has another size than was written is not read
    back.
    """
    sizes = {key: file.stat().st_size for key, file in written.items()}
    keys = list(written)

    def hashed(number: int) -> dict[str, Digest]:
        """Those of a share of the files: a task for each of a million would take a gigabyte."""
        return {key: digest_of(written[key], md5=sizes[key] < most_by_md5) for key in keys[number::_SHARES]}

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        shares = pool.map(hashed, range(_SHARES))
        listed = dict(_listed(place, config))
        there = _by_key(written, listed)
        by_md5 = {key for key, one in there.items() if sizes[key] < most_by_md5 and one.md5}
        again = {key: one.path for key, one in there.items() if key not in by_md5 and one.size == sizes[key]}
        stored = read_again(place, again.values(), config, sum(sizes[key] for key in again))
        digests = {key: digest for share in shares for key, digest in share.items()}
    finally:
        pool.shutdown(cancel_futures=True)
    return listed, digests, {key: stored[path] for key, path in again.items()}


def _by_key(wanted: Iterable[str], listed: Mapping[str, RemoteFile]) -> dict[str, RemoteFile]:
    """The requested objects that exist, by their own key: not every store lists them under it."""
    others = {plain(key): found for key, found in listed.items()}
    found = {key: listed.get(key) or others.get(plain(key)) for key in wanted}
    return {key: one for key, one in found.items() if one}


def _most_by_md5(filesystem: str, shared: bool, config: str) -> float:
    """From which size on the store's MD5 is not accepted, in bytes: 0 if none is, infinity if each is.

    Whether its ETags are MD5s was detected when rclone's configuration was written. In a `shared` folder, another
    uploader may have claimed one.
    """
    parser = configparser.RawConfigParser()
    parser.read(config, "utf-8")
    section = filesystem.partition(":")[0]
    facts = parser[section] if parser.has_section(section) else {}
    encrypted = facts.get("server_side_encryption") or facts.get("sse_customer_algorithm")
    if facts.get("directory_bucket") == "true" or encrypted:
        return 0
    return math.inf if facts.get("disable_checksum") == "true" and not shared else WHOLE_BYTES


def _fault(digest: Digest, found: RemoteFile | None, stored: str | None) -> str:
    """What is wrong with an object, briefly; empty if it holds what was written."""
    if found is None:
        return "is not in the bucket"
    if found.size != digest.size:
        return f"has {found.size} bytes there, but {digest.size} were written"
    if stored is not None:
        return "" if stored == digest.sha256 else f"has other contents: SHA-256 {stored or 'unknown'}"
    return "" if found.md5 == digest.md5 else f"has other contents: MD5 {found.md5}"


def raw(filesystem: str) -> str:
    """The same place with literal object keys: names are not decoded to the program's file names."""
    remote, _, place = filesystem.partition(":")
    return f"{remote},encoding=Raw:{place}"


def _listed(place: str, config: str) -> Iterator[tuple[str, RemoteFile]]:
    """The objects below a folder of the bucket, by their keys below it."""
    words = ("lsjson", "--recursive", "--files-only", "--hash", "--hash-type", "md5", "--no-modtime", "--no-mimetype")
    done = rclone(*words, place, seconds=LIST_SECONDS, config=config)
    if done.returncode == _NO_SUCH_FOLDER:
        return
    if done.returncode != 0:
        raise NotRead(done.stderr.decode("utf-8", "replace")[-2000:])
    for text in done.stdout.decode("utf-8", "surrogateescape").split("\n"):  # one object per line, as rclone prints it
        if text.startswith("{"):
            found = json.loads(text.rstrip(","))
            md5 = str((found.get("Hashes") or {}).get("md5", ""))
            yield key_of_path(found["Path"]), RemoteFile(found["Path"], int(found["Size"]), md5)


def key_of_path(path: str) -> str:
    """The key that rclone prints as `path` when its flags say to keep keys as they are: control characters are printed
    as symbols, with a quote before characters that look like one."""
    return _QUOTED.sub(_unquoted, path)


def path_of(key: str) -> str:
    """How rclone prints a key; see `key_of_path`."""
    return "".join(map(_written_as, key))


def _written_as(one: str) -> str:
    if one == "‛" or _QUOTED.fullmatch(one):
        return f"‛{one}"
    if one == "\x7f":
        return "␡"
    return chr(ord("␀") + ord(one)) if one < " " else one


def _put(place: str, path: str, file: Path, config: str) -> None:
    """Upload a cached file under its own name; the following comparison shows whether it arrived."""
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        words = ("rcat", "--size", str(size), f"{place}/{path}")
        rclone(*words, file=stream.fileno(), seconds=seconds_for(size), config=config)


def _unquoted(match: re.Match[str]) -> str:
    quoted, control, delete, _ = match.groups()
    if quoted:
        return str(quoted)
    return chr(ord(control) - ord("␀")) if control else "\x7f" if delete else "/"


def read_again(place: str, paths: Collection[str], config: str, size: int) -> dict[str, str]:
    """The SHA-256 of the objects' contents in the store, by `RemoteFile.path`: each object is downloaded, none is kept.
    `size` is their total size in bytes."""
    if not paths:
        return {}
    # A HEAD request for each would tell nothing new, and some stores read the whole object for it.
    words = ("hashsum", "sha256", "--download", "--s3-no-head-object", "--files-from-raw", "-", place)
    names = "".join(f"{path}\n" for path in paths).encode()
    done = rclone(*words, data=names, seconds=seconds_for(size, LIST_SECONDS), config=config)
    if done.returncode != 0:
        raise NotRead(done.stderr.decode("utf-8", "replace")[-2000:])
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")
    return dict.fromkeys(paths, "") | {match[2]: match[1] for text in lines if (match := _HASHED.fullmatch(text))}


def _is_anothers(place: str, found: RemoteFile, mine: str, config: str) -> bool:
    """Whether someone else has uploaded an object since: its time differs from that of the file cached here."""
    done = rclone("lsjson", "--stat", f"{place}/{found.path}", seconds=LIST_SECONDS, config=config)
    if done.returncode != 0:
        raise NotRead(done.stderr.decode("utf-8", "replace")[-2000:])
    return _moment(json.loads(done.stdout).get("ModTime", "")) != _moment(mine)


def _written_at(cache: Path, file: Path) -> str:
    """When a cached file was last written, from rclone's metadata; its upload carries the same time."""
    try:
        metadata = json.loads((cache / "vfsMeta" / file.relative_to(cache / "vfs")).read_text("utf-8", "replace"))
        return str(metadata.get("ModTime", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _moment(text: str) -> float | None:
    """Seconds since 1970, to the microsecond, from a time in rclone's format."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
