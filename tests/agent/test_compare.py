"""Comparing what was written through a mount with the bucket.

rclone is real, its cache as well, which is the mount's: files come into it by WebDAV, as no FUSE is needed for that.
The store is a stand-in (`stand_in_s3`), as no real one damages what it is given.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage.stand_in_s3 import Held, StandInS3, md5, standing_in
from toolkit.agent import compare as module
from toolkit.agent.compare import NotRead, compare, key_of_path, path_of
from toolkit.agent.uploads import is_marked, last_failure, root_of, watch

RCLONE = Path(sys.executable).with_name("rclone")
FILESYSTEM = "results:models/part"
ODD = [
    *(
        b"#a",
        b";b",
        b" lead",
        b"trail ",
        b"new\nline",
        b"\xe9t\xe9",
        b"d\xe9r/x",
        b"back\\slash",
        b"esc\x1b",
        b"del\x7f",
    ),
    *(
        b"plus+pct%41",
        b"empty",
        "q‛q".encode(),
        "‛E9".encode(),
        "␊".encode(),
        b"*?[x]{y}",
        b"-dash",
        b"'\"$(x)`",
        b"cr\rx",
    ),
]


class Mounted:
    """A mount's cache over a stand-in store; `write` and `read` go through it."""

    def __init__(self, folder: Path, server: StandInS3, options: str) -> None:
        self.folder, self.server, self.cache = folder, server, folder / "cache"
        self.config = str(folder / "rclone.conf")
        Path(self.config).write_text(
            f"[results]\ntype = s3\nprovider = Other\nforce_path_style = true\nno_check_bucket = true\n{options}"
            f"endpoint = {server.url}\naccess_key_id = abc\nsecret_access_key = defghijk\n"
        )
        self.url = ""

    def serve(self) -> subprocess.Popen[bytes]:
        words = ("--vfs-cache-mode", "full", "--vfs-write-back", "100ms", "--dir-cache-time", "1s")
        argv = (RCLONE, "--config", self.config, "serve", "webdav", FILESYSTEM, *words, "--cache-dir", str(self.cache))
        log = ("--use-json-log", "--log-level", "INFO", "--use-server-modtime", "--low-level-retries", "1")
        process = subprocess.Popen((*argv, "--addr", "127.0.0.1:0", *log), stderr=subprocess.PIPE)
        root = [root_of(FILESYSTEM, self.cache)]
        threading.Thread(target=watch, args=(self._reported(process), self.folder / "said", root), daemon=True).start()
        until(lambda: bool(self.url))
        return process

    def _reported(self, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
        assert process.stderr
        for line in process.stderr:
            if b"started on [" in line:
                self.url = line.split(b"started on [")[1].split(b"]")[0].decode()
            yield line

    def write(self, name: bytes, data: bytes) -> Path:
        """A file as a program writes it; its place in the cache, once it is known to be written here."""
        *folders, _ = name.split(b"/")
        for depth in range(len(folders)):
            self.ask("MKCOL", b"/".join(folders[: depth + 1]))
        self.ask("PUT", name, data)
        return self.cached(name)

    def read(self, name: bytes) -> bytes:
        return self.ask("GET", name)

    def ask(self, method: str, name: bytes, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + urllib.parse.quote(name), data=data, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            assert error.code == 405, (method, name, error)  # the folder is there
            return b""

    def cached(self, name: bytes) -> Path:
        return root_of(FILESYSTEM, self.cache) / os.fsdecode(name)

    def settle(self, count: int, others: int = 0) -> None:
        """Wait until so many files are known to be written here, and are in the bucket."""
        until(lambda: sum(is_marked(file) for file in self.cache.joinpath("vfs").rglob("*") if file.is_file()) >= count)
        until(lambda: sum(key.startswith("models/part/") for key in self.server.objects) >= count + others)
        until(lambda: not any(b'"Dirty": true' in file.read_bytes() for file in self._metadata()))

    def _metadata(self) -> list[Path]:
        return [file for file in self.cache.joinpath("vfsMeta").rglob("*") if file.is_file()]

    def compare(self, folder: str = "run", *, shared: bool = False, retry: bool = False) -> module.Comparison:
        return compare(FILESYSTEM, folder, shared=shared, cache=self.cache, config=self.config, retry=retry)


def until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("it never came to that")


@contextmanager
def mounted(folder: Path, options: str = "", **how: object) -> Iterator[Mounted]:
    with standing_in(**how) as server:
        server.buckets.add("models")
        mount = Mounted(folder, server, options)
        process = mount.serve()
        try:
            yield mount
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mounted]:
    monkeypatch.setenv("PATH", str(RCLONE.parent), prepend=os.pathsep)
    with mounted(tmp_path) as mount:
        yield mount


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_every_name_is_compared_and_gets_a_digest(mount: Mounted) -> None:
    for name in ODD:
        mount.write(b"run/" + name, b"" if name == b"empty" else b"data of " + name)
    mount.settle(len(ODD))
    found = mount.compare()
    assert found.summary == ""
    assert set(found.sums) == {key.removeprefix("models/part/") for key in mount.server.objects}
    assert set(found.sums.values()) == {sha256(b"" if name == b"empty" else b"data of " + name) for name in ODD}


@pytest.mark.parametrize("damage", ["removed", "shorter", "changed"])
def test_what_is_not_in_the_bucket_as_it_was_written_is_named(mount: Mounted, damage: str) -> None:
    for one in (written := [*ODD[:7], b"empty"]):
        mount.write(b"run/" + one, b"data" if one != b"empty" else b"")
    mount.settle(8)
    objects = mount.server.objects
    for name in ("#a", ";b", " lead", "trail ", "new\nline", "‛E9t‛E9", "d‛E9r/x", "empty"):
        key = f"models/part/run/{name}"
        held = objects.pop(key)
        if damage == "shorter":
            objects[key] = Held(b"longer", md5(b"longer").hex(), held.metadata)
        elif damage == "changed":
            objects[key] = Held(b"date", md5(b"date").hex(), held.metadata)
        for shared in (False, True):
            found = mount.compare(shared=shared)
            assert found.summary.startswith(f"{f'run/{name}'!r}: ")
            assert len(found.wrong) == 1
            assert f"run/{name}" not in found.sums
            assert len(found.sums) == len(written) - 1
        objects[key] = held


def test_what_is_missing_or_damaged_is_uploaded_once_more(mount: Mounted) -> None:
    for name in ODD:
        mount.write(b"run/" + name, b"" if name == b"empty" else b"data of " + name)
    mount.settle(len(ODD))
    whole = {key: held.data for key, held in mount.server.objects.items()}
    for number, key in enumerate(whole):
        if number % 2:
            del mount.server.objects[key]
        else:
            mount.server.objects[key].data, mount.server.objects[key].etag = b"x", md5(b"x").hex()
    found = mount.compare(retry=True)
    assert found.summary == ""
    assert len(found.sums) == len(ODD)
    assert {key: held.data for key, held in mount.server.objects.items()} == whole


def test_what_was_only_read_here_gets_no_digest(mount: Mounted) -> None:
    mount.server.objects["models/part/run/theirs"] = Held(b"theirs", md5(b"theirs").hex())
    mount.write(b"run/mine", b"mine")
    mount.settle(1, others=1)
    assert mount.read(b"run/theirs") == b"theirs"
    assert mount.cached(b"run/theirs").is_file()
    assert mount.compare().sums == {"run/mine": sha256(b"mine")}


def test_what_another_host_has_written_over_is_its_own_and_no_fault(mount: Mounted) -> None:
    mount.write(b"run/shared", b"mine")
    mount.settle(1)
    later = {"x-amz-meta-mtime": "1795906176.205939165"}
    mount.server.objects["models/part/run/shared"] = Held(b"theirs", md5(b"theirs").hex(), later)
    assert mount.compare(shared=True) == module.Comparison({}, sizes={"shared": 6})
    assert "has 6 bytes there, but 4 were written" in mount.compare(shared=False).summary


def test_a_renamed_file_keeps_its_digest(mount: Mounted) -> None:
    mount.write(b"run/.tmp", b"weights")
    mount.settle(1)
    request = urllib.request.Request(  # noqa: S310
        f"{mount.url}run/.tmp", method="MOVE", headers={"Destination": f"{mount.url}run/weights"}
    )
    urllib.request.urlopen(request).close()  # noqa: S310
    until(lambda: "models/part/run/weights" in mount.server.objects)
    assert mount.compare().sums == {"run/weights": sha256(b"weights")}


CUSTOMER_KEY = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize("damages", ["", "weights"])
@pytest.mark.parametrize(
    ("options", "customer_key"),
    [
        ("directory_bucket = true\n", ""),
        ("server_side_encryption = aws:kms\nsse_kms_key_id = k\n", ""),
        (f"sse_customer_algorithm = AES256\nsse_customer_key_base64 = {CUSTOMER_KEY}\n", CUSTOMER_KEY),
    ],
    ids=["other ETags", "KMS", "customer's key"],
)
def test_where_etags_are_no_md5s_what_is_stored_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, customer_key: str, damages: str
) -> None:
    monkeypatch.setenv("PATH", str(RCLONE.parent), prepend=os.pathsep)
    with mounted(tmp_path, options, md5_etags=False, customer_key=customer_key) as mount:
        mount.server.damages = damages
        for name in (b"run/weights", b"run/trail ", b"run/new\nline", b"run/\xe9"):
            mount.write(name, b"data of " + name)
        mount.settle(4)
        found = mount.compare()
        assert len(found.sums) == (3 if damages else 4)
        assert found.summary.startswith("'run/weights': has other contents: SHA-256" if damages else "")


@pytest.mark.parametrize("damages", ["", "parts"])
def test_what_went_up_in_parts_is_read_again(mount: Mounted, monkeypatch: pytest.MonkeyPatch, damages: str) -> None:
    """Its MD5 is what its uploader said, and no word of the store's about what it holds."""
    monkeypatch.setattr(module, "WHOLE_BYTES", 1000)
    data = os.urandom(5000)
    mount.write(b"run/weights", data)
    mount.settle(1)
    held = mount.server.objects["models/part/run/weights"]
    mount.server.damages = damages
    mount.server.objects["models/part/run/weights"] = Held(
        mount.server.damaged("", data, in_parts=True), f"{held.etag}-1", held.metadata
    )
    found = mount.compare()
    assert found.sums == ({} if damages else {"run/weights": sha256(data)})
    assert ("has other contents: SHA-256" in found.summary) is bool(damages)


@pytest.mark.parametrize("damages", ["", "weights"])
@pytest.mark.parametrize("shared", [False, True])
def test_a_store_that_gets_no_claims_and_names_an_md5_has_computed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool, damages: str
) -> None:
    """It is accepted for what went up in parts, too; in a folder that others write to, they may have claimed it."""
    monkeypatch.setenv("PATH", str(RCLONE.parent), prepend=os.pathsep)
    monkeypatch.setattr(module, "WHOLE_BYTES", 1000)
    with mounted(tmp_path, "disable_checksum = true\n") as mount:
        data = os.urandom(5000)
        mount.write(b"run/weights", data)
        mount.settle(1)
        held = mount.server.objects["models/part/run/weights"]
        assert "x-amz-meta-md5chksum" not in {name.lower() for name in held.metadata}
        mount.server.damages = damages
        there = mount.server.damaged("weights", data, in_parts=True)
        mount.server.objects["models/part/run/weights"] = Held(there, md5(there).hex(), held.metadata)
        mount.server.seen.clear()
        found = mount.compare(shared=shared)
        assert found.sums == ({} if damages else {"run/weights": sha256(data)})
        kind = "SHA-256" if shared else "MD5"
        assert (f"has other contents: {kind}" in found.summary) is bool(damages)
        assert any(line.startswith("GET models/part/run/weights") for line in mount.server.seen) is shared


@pytest.mark.parametrize("damages", ["", "parts"])
def test_an_upload_in_parts_whose_md5_is_unknown_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damages: str
) -> None:
    monkeypatch.setenv("PATH", str(RCLONE.parent), prepend=os.pathsep)
    monkeypatch.setattr(module, "WHOLE_BYTES", 1000)
    options = "disable_checksum = true\nupload_cutoff = 0\nchunk_size = 5Mi\n"
    with mounted(tmp_path, options) as mount:
        mount.server.damages = damages
        data = os.urandom(6 << 20)
        mount.write(b"run/weights", data)
        mount.settle(1)
        assert mount.server.objects["models/part/run/weights"].etag.endswith("-2")
        found = mount.compare()
        assert found.sums == ({} if damages else {"run/weights": sha256(data)})
        assert ("has other contents: SHA-256" in found.summary) is bool(damages)


def test_why_nothing_arrives_is_kept_in_rclones_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(RCLONE.parent), prepend=os.pathsep)
    with mounted(tmp_path, md5_etags=False) as mount:
        mount.write(b"run/weights", b"data")
        until(lambda: bool(last_failure(tmp_path / "said")))
        assert "corrupted on transfer: md5 hashes differ" in last_failure(tmp_path / "said")


def test_a_store_that_does_not_tell_is_no_store_that_has_it(mount: Mounted) -> None:
    mount.write(b"run/weights", b"data")
    mount.settle(1)
    mount.server.buckets.clear()
    mount.server.region = "elsewhere"
    with pytest.raises(NotRead):
        mount.compare()


def test_nothing_written_asks_nothing(mount: Mounted) -> None:
    mount.server.seen.clear()
    assert mount.compare("_wml_checkpoints") == module.Comparison({})
    assert mount.server.seen == []


@pytest.mark.parametrize(
    ("reported", "key"), [("new␊line", "new\nline"), ("‛␊", "␊"), ("‛‛E9", "‛E9"), ("a␡", "a\x7f")]
)
def test_rclones_names_become_keys_and_back(reported: str, key: str) -> None:
    assert key_of_path(reported) == key
    assert path_of(key) == reported


@given(st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("‛␊␡／．\n\x7f"))))
def test_any_key_comes_back_from_rclones_name(key: str) -> None:
    assert key_of_path(path_of(key)) == key
