"""Uploads of links and removals of objects: rclone is real, and so is its daemon; the store is a stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.storage.stand_in_s3 import Held, StandInS3, standing_in
from toolkit.agent import local_uploads as module
from toolkit.agent import rc
from toolkit.agent.checksums import key_of
from toolkit.agent.compare import compare
from toolkit.agent.local_files import first_of, is_odd
from toolkit.agent.local_folder import scan
from toolkit.agent.local_results import LocalResults
from toolkit.agent.local_uploads import Job, Outcome, Store, Work
from toolkit.agent.rclone import rclone
from toolkit.agent.uploads import root_of

from .test_compare import ODD, until

RUN = "training-abcd2345"
FILESYSTEM = "results:models/part"
PREFIX = f"models/part/{RUN}/"


class Daemon:
    """rclone's daemon, the links of a run, and the store."""

    def __init__(self, folder: Path, server: StandInS3) -> None:
        self.server, self.folder = server, folder
        server.buckets.add("models")
        self.config, self.socket = str(folder / "rclone.conf"), str(folder / "rc.sock")
        Path(self.config).write_text(
            "[results]\ntype = s3\nprovider = Other\nforce_path_style = true\nno_check_bucket = true\n"
            f"endpoint = {server.url}\naccess_key_id = abc\nsecret_access_key = defghijk\n"
        )
        self.links = root_of(FILESYSTEM, folder / "cache") / RUN
        self.links.mkdir(parents=True)
        self.store = Store(f"{FILESYSTEM}/{RUN}", self.links, rc.ask, folder / "names")

    def start(self) -> subprocess.Popen[bytes]:
        argv = ("rclone", "rcd", "--rc-addr", f"unix://{self.socket}", "--rc-no-auth", "--config", self.config)
        process = subprocess.Popen((*argv, "--low-level-retries", "1"), stderr=subprocess.DEVNULL)
        until(lambda: "pid" in rc.ask("core/pid", {}))
        return process

    def write(self, name: str, data: bytes) -> None:
        (self.links / name).parent.mkdir(parents=True, exist_ok=True)
        (self.links / name).write_bytes(data)

    @property
    def objects(self) -> dict[str, bytes]:
        return {key.removeprefix(PREFIX): held.data for key, held in self.server.objects.items()}


def ended(work: Work) -> Outcome:
    while (outcome := work.outcome()) is None:
        time.sleep(0.02)
    return outcome


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    with standing_in() as server:
        daemon = Daemon(tmp_path, server)
        monkeypatch.setattr(rc, "SOCKET", daemon.socket)
        monkeypatch.setattr(module, "rclone", partial(rclone, config=daemon.config))
        process = daemon.start()
        yield daemon
        process.kill()
        process.wait()


def test_files_are_uploaded_together_and_each_is_reported(daemon: Daemon) -> None:
    names = [f"sub/{number}" for number in range(100)]
    for name in names:
        daemon.write(name, name.encode())
    assert ended(daemon.store.upload(names)) == Outcome(frozenset(names))
    assert daemon.objects == {name: name.encode() for name in names}
    assert not any(line.startswith("GET") for line in daemon.server.seen)  # nothing is listed


def test_what_is_there_is_written_over_though_it_is_newer_and_has_the_same_size(daemon: Daemon) -> None:
    daemon.server.objects[f"{PREFIX}a"] = Held(b"old", "etag")
    daemon.write("a", b"new")
    os.utime(daemon.links / "a", (1000, 1000))
    assert ended(daemon.store.upload(["a"])).done == {"a"}
    assert daemon.objects == {"a": b"new"}


def test_a_file_that_is_gone_is_not_reported_as_uploaded(daemon: Daemon) -> None:
    daemon.write("a", b"a")
    assert ended(daemon.store.upload(["a", "gone"])).done == {"a"}


def test_what_the_store_refuses_is_not_reported_as_uploaded_and_its_message_is(daemon: Daemon) -> None:
    for name in ("refused", "taken"):
        daemon.write(name, b"x")
    daemon.server.refuses[f"{PREFIX}refused"] = 403
    outcome = ended(daemon.store.upload(["refused", "taken"]))
    assert outcome.done == {"taken"}
    assert outcome.said.startswith("refused: ")
    assert "403" in outcome.said


def test_names_of_all_kinds_are_stored_as_a_mount_stores_them(daemon: Daemon) -> None:
    contents = {os.fsdecode(name): b"data of " + name for name in ODD}
    for name, data in contents.items():
        daemon.write(name, data)
    names = scan(daemon.links).files
    uploads = [[name] for name in names if is_odd(name)] + [[name for name in names if not is_odd(name)]]
    assert {name for some in uploads for name in ended(daemon.store.upload(some)).done} == contents.keys()
    assert daemon.objects == {key_of(name): data for name, data in contents.items()}
    compared = compare(
        FILESYSTEM, RUN, shared=False, cache=daemon.folder / "cache", config=daemon.config, mounted=False
    )
    assert (compared.summary, compared.sums.keys()) == ("", {f"{RUN}/{key}" for key in daemon.objects})
    for some in uploads:
        assert ended(daemon.store.remove(some)).done == frozenset(some)
    assert daemon.objects == {}


def test_only_the_named_objects_are_removed_and_one_that_is_not_there_is_no_error(daemon: Daemon) -> None:
    for name in ("a", "ab", "a/b", "_submitted_code/a"):
        daemon.server.objects[f"{PREFIX}{name}"] = Held(b"x", "etag")
    assert ended(daemon.store.remove(["a", "gone"])).done == {"a", "gone"}
    assert ended(daemon.store.remove(["go\nne"])).done == {"go\nne"}
    assert daemon.objects.keys() == {"ab", "a/b", "_submitted_code/a"}


def test_how_far_a_file_with_an_odd_name_is_can_be_seen(daemon: Daemon) -> None:
    daemon.write("a\n", bytes(30 << 20))
    seen = set[int]()
    daemon.server.turn = lambda: time.sleep(0.2)
    work = daemon.store.upload(["a\n"])
    while work.outcome() is None:
        seen |= {*work.sent().values()}
    assert max(seen) > 0
    assert ended(work).done == {"a\n"}


def test_what_an_earlier_upload_did_does_not_count(daemon: Daemon) -> None:
    daemon.write("a", b"a")
    daemon.write("b", b"b")
    daemon.server.refuses[f"{PREFIX}b"] = 403
    assert ended(daemon.store.upload(["a", "b"])).done == {"a"}
    (daemon.links / "a").unlink()
    (daemon.links / "b").unlink()
    daemon.write("c", b"c")
    assert ended(daemon.store.upload(["a", "b", "c"])) == Outcome(frozenset({"c"}))


class Asked:
    """A daemon that answers as a test says."""

    def __init__(self, **answers: Mapping[str, Any]) -> None:
        self.answers = answers

    def __call__(self, call: str, _about: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.answers.get(call.rpartition("/")[2], {})


@pytest.mark.parametrize("names_done", [True, False])
def test_what_a_daemon_does_not_answer_for_is_not_uploaded(names_done: bool) -> None:
    def outcome(begun: Mapping[str, Any], **answers: Mapping[str, Any]) -> Outcome | None:
        return Job(Asked(**answers), begun, frozenset({"a"}), names_done=names_done).outcome()

    assert outcome({}) == Outcome(frozenset(), "rclone does not answer")
    assert outcome({"error": "no such call"}) == Outcome(frozenset(), "no such call")
    assert outcome({"jobid": 1}) is None  # it may go on
    assert outcome({"jobid": 1}, status={"finished": False, "error": ""}) is None
    assert outcome({"jobid": 1}, status={"error": "job not found"}) == Outcome(frozenset(), "job not found")


def test_a_folder_is_stored_as_it_is_whatever_was_done_to_it(daemon: Daemon, tmp_path: Path) -> None:
    folder, control = tmp_path / "results", tmp_path / "control"
    for path in (folder / "sub", control):
        path.mkdir(parents=True)
    results = LocalResults(RUN, daemon.store, folder, daemon.links, control, tmp_path / "said")
    for number in range(150):
        (folder / "sub" / f"{number}").write_text(str(number))
    until(lambda: (results.step(time.monotonic()), results.settled())[1])
    (folder / "sub" / "0").write_text("changed")
    (folder / "sub" / "1").rename(folder / "renamed\n")
    (folder / "sub" / "2").unlink()
    (folder / "big").write_bytes(os.urandom(3 << 20))
    until(lambda: (results.step(time.monotonic()), results.settled())[1])
    files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert daemon.objects == files
    assert len(files) == 150


def test_odd_names_and_others_are_never_in_one_list() -> None:
    stamps = [(os.fsdecode(name), None) for name in ODD]
    first = [name for name, _ in first_of(stamps)]  # type: ignore[arg-type]
    assert all(is_odd(name) for name in first) or not any(is_odd(name) for name in first)
