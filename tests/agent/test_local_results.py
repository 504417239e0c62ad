"""A folder on the host's disk and its uploads, with a store that does what a test says."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent import local_folder, results_bucket
from toolkit.agent.local_folder import Links
from toolkit.agent.local_results import LocalResults
from toolkit.agent.local_uploads import Outcome
from toolkit.agent.results_bucket import Bucket
from toolkit.agent.upload_progress import Progress, joined

RUN = "training-abcd2345"


class Done:
    """Work that has ended, or hangs."""

    def __init__(self, outcome: Outcome | None, sent: Mapping[str, int]) -> None:
        self._outcome, self._sent = outcome, sent

    def outcome(self) -> Outcome | None:
        return self._outcome

    def sent(self) -> Mapping[str, int]:
        return self._sent


class Store:
    """A store that has the contents of the links at the time of their upload."""

    def __init__(self, links: Path) -> None:
        self.links = links
        self.objects: dict[str, bytes] = {}
        self.uploads = list[tuple[str, ...]]()
        self.refuses = set[str]()
        self.hangs = False
        self.sent = dict[str, int]()

    def upload(self, names: Iterable[str]) -> Done:
        names = tuple(names)
        self.uploads.append(names)
        if self.hangs:
            return Done(None, self.sent)
        taken = frozenset(names) - self.refuses
        self.objects |= {name: (self.links / name).read_bytes() for name in taken}
        return Done(Outcome(taken, "507 Insufficient Storage" if self.refuses else ""), {})

    def remove(self, names: Iterable[str]) -> Done:
        names = frozenset(names)
        for name in names - self.refuses:
            self.objects.pop(name, None)
        return Done(Outcome(names - self.refuses, "503"), {})


class Host:
    """A run's volume: the folder of its results, and what the tool has beside it."""

    def __init__(self, volume: Path) -> None:
        self.volume, self.folder = volume, volume / "results"
        for name in ("results", "control"):
            (volume / name).mkdir()
        self.store = Store(volume / "cache" / RUN)
        self.now = 0.0
        self.results = self.again()

    def again(self) -> LocalResults:
        """As the next container with the keys has it."""
        return LocalResults(
            RUN, self.store, self.folder, self.store.links, self.volume / "control", self.volume / "said"
        )

    def steps(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += 10.0
            self.results.step(self.now)
            self.results._next_scan = 0.0

    @property
    def files(self) -> dict[str, bytes]:
        found = (file for file in self.folder.rglob("*") if file.is_file() and not file.is_symlink())
        return {str(file.relative_to(self.folder)): file.read_bytes() for file in found}

    @property
    def linked(self) -> dict[str, bytes]:
        links = self.store.links
        return {str(file.relative_to(links)): file.read_bytes() for file in links.rglob("*") if file.is_file()}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_file_is_uploaded_once_it_has_not_changed_between_two_scans(host: Host) -> None:
    (host.folder / "a").write_text("a")
    host.steps()
    assert (host.results.waiting().count, host.store.objects) == (0, {})
    host.steps(2)
    assert (host.results.waiting().count, host.store.objects) == (0, {"a": b"a"})
    host.steps(3)
    assert host.store.uploads == [("a",)]


def test_a_file_that_grows_during_its_upload_is_uploaded_again(host: Host) -> None:
    (host.folder / "a").write_text("a")
    host.steps(2)
    (host.folder / "a").write_text("and more")
    host.steps()
    assert not host.results.settled()
    host.steps(3)
    assert host.store.uploads == [("a",), ("a",)]
    assert (host.store.objects, host.results.settled()) == ({"a": b"and more"}, True)


def test_a_file_that_was_renamed_is_stored_under_its_new_name_alone(host: Host) -> None:
    (host.folder / "a.tmp").write_text("a")
    host.steps(3)
    (host.folder / "a.tmp").rename(host.folder / "a")
    host.steps(6)
    assert (host.store.objects, host.results.settled()) == ({"a": b"a"}, True)


def test_a_folder_in_place_of_a_file_and_a_file_in_place_of_a_folder_are_stored(host: Host) -> None:
    (host.folder / "a").write_text("file")
    (host.folder / "b").mkdir()
    (host.folder / "b" / "c").write_text("c")
    host.steps(3)
    (host.folder / "a").unlink()
    (host.folder / "a").mkdir()
    (host.folder / "a" / "x").write_text("x")
    (host.folder / "b" / "c").rename(host.folder / "c")
    (host.folder / "b").rmdir()
    (host.folder / "b").write_text("file")
    host.steps(8)
    assert host.store.objects == host.linked == {"a/x": b"x", "b": b"file", "c": b"c"}
    assert host.results.settled()


def test_an_object_of_another_is_not_removed(host: Host) -> None:
    host.store.objects["_submitted_code/train.py"] = b"code"
    host.steps(4)
    assert host.store.objects == {"_submitted_code/train.py": b"code"}


def test_what_was_written_after_the_last_scan_is_not_settled(host: Host) -> None:
    host.steps(2)
    (host.folder / "late").write_text("late")
    assert host.results.waiting().count == 0
    assert not host.results.settled()
    host.steps(2)
    assert host.results.waiting().files == {0: f"{RUN}/late"}


def test_a_file_that_a_program_keeps_appending_to_does_not_count_as_one_that_no_store_takes(host: Host) -> None:
    progress = Progress(0.0)
    for now in range(1, 6):
        with (host.folder / "log").open("a") as log:
            log.write("line\n")
        host.steps()
        assert host.results.waiting().count == 0
        assert progress.moved(now, host.results.waiting())
    assert not host.results.settled()
    host.steps(3)
    assert (host.store.objects, host.results.settled()) == ({"log": b"line\n" * 5}, True)


def test_a_refused_file_lets_others_pass_and_the_stores_message_is_kept(host: Host) -> None:
    host.store.refuses = {"a"}
    for name in "abc":
        (host.folder / name).write_text(name)
    host.steps(3)
    waiting = host.results.waiting()
    assert (waiting.count, waiting.errored, [*waiting.files.values()]) == (1, 1, [f"{RUN}/a"])
    assert (host.volume / "said").read_text() == "507 Insufficient Storage"
    host.store.refuses = set()
    host.steps(2)
    assert (host.results.waiting().count, host.results.waiting().errored) == (0, 0)
    assert host.store.objects == host.files


def test_where_nothing_arrives_many_files_are_no_progress(host: Host) -> None:
    names = [f"{number:04}" for number in range(1200)]
    for name in names:
        (host.folder / name).write_text("x")
    host.store.refuses = {*names}
    host.steps(2)
    progress = Progress(0.0)
    progress.moved(1.0, host.results.waiting())
    for now in range(2, 6):
        host.steps(2)
        assert not progress.moved(now, host.results.waiting())
    assert len({name for some in host.store.uploads for name in some}) > 300
    assert (host.results.waiting().count, len(host.results.waiting().files)) == (1200, 1000)


def test_an_object_that_cannot_be_removed_waits(host: Host) -> None:
    (host.folder / "a").write_text("a")
    host.steps(3)
    (host.folder / "a").unlink()
    host.store.refuses = {"a"}
    host.steps(3)
    assert (host.results.waiting().count, host.results.waiting().errored, host.results.settled()) == (1, 1, False)
    host.store.refuses = set()
    host.steps(3)
    assert (host.store.objects, host.results.settled()) == ({}, True)


def test_a_file_that_vanishes_while_it_is_uploaded_is_no_failure(host: Host) -> None:
    host.store.refuses = {"a"}
    (host.folder / "a").write_text("a")
    host.steps(2)
    (host.folder / "a").unlink()
    host.store.refuses = set()
    host.steps(3)
    assert (host.results.settled(), (host.volume / "said").exists()) == (True, False)


def test_bytes_of_a_large_file_in_progress_are_progress(host: Host) -> None:
    host.store.hangs = True
    (host.folder / "large").write_text("large")
    host.steps(3)
    progress, moved = Progress(0.0), []
    for now, sent in enumerate((1, 1, 5), start=1):
        host.store.sent["large"] = sent
        moved.append(progress.moved(now, host.results.waiting()))
    assert moved == [True, False, True]
    assert host.results.waiting().uploading == 1


def test_many_small_files_are_progress(host: Host) -> None:
    for number in range(250):
        (host.folder / str(number)).write_text("x")
    progress, counts = Progress(0.0), []
    for now in range(1, 7):
        host.steps()
        if progress.moved(now, host.results.waiting()):
            counts.append(host.results.waiting().count)
    assert [len(names) for names in host.store.uploads] == [100, 100, 50]
    assert counts == [0, 150, 50, 0, 0]


def test_a_sparse_file_waits_and_is_named(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_folder, "MAX_HOLE", 1 << 20)
    with (host.folder / "sparse").open("wb") as file:
        file.truncate(2 << 20)
    (host.folder / "a").write_text("a")
    host.steps(4)
    waiting = host.results.waiting()
    assert (waiting.count, waiting.sparse) == (1, (f"{RUN}/sparse ({2 << 20:,} bytes never written)",))
    assert host.store.objects == {"a": b"a"}


def test_what_no_bucket_can_have_is_named_and_the_rest_is_stored(host: Host) -> None:
    (host.folder / "a").write_text("a")
    (host.folder / "latest").symlink_to("/run/private/rclone.conf")
    os.mkfifo(host.folder / "pipe")
    host.steps(3)
    assert (host.results.settled(), host.store.objects) == (True, {"a": b"a"})
    assert host.results.unstorable() == (f"{RUN}/latest is a symbolic link", f"{RUN}/pipe is a FIFO")
    (host.folder / "latest").unlink()
    (host.folder / "pipe").unlink()
    assert (host.results.settled(), host.results.unstorable()) == (True, ())


def test_a_file_that_cannot_be_linked_waits_and_so_is_not_lost(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_links: Links, _name: str) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Links, "add", full)
        (host.folder / "a").write_text("a")
        host.steps(3)
        assert (host.results.waiting().errored, host.results.settled()) == (1, False)
        assert (host.volume / "said").read_text() == f"{RUN}/a: No space left on device"
    host.steps(4)
    assert (host.store.objects, host.results.settled()) == ({"a": b"a"}, True)


def test_the_next_container_uploads_only_what_is_missing(host: Host) -> None:
    for name in ("same", "changed", "removed"):
        (host.folder / name).write_text(name)
    host.steps(3)
    host.store.uploads.clear()
    (host.folder / "changed").write_text("changed since")
    (host.folder / "removed").unlink()
    (host.folder / "new").write_text("new")
    host.results = host.again()
    host.steps(6)
    assert {name for names in host.store.uploads for name in names} == {"changed", "new"}
    assert host.store.objects == host.files
    assert host.results.settled()


def test_files_of_a_mount_and_of_the_folder_keep_their_own_numbers(host: Host) -> None:
    (host.folder / "a").write_text("a")
    host.steps(2)
    both = joined(host.results.waiting(), host.results.waiting())
    assert (both.count, both.files) == (2, {0: f"{RUN}/a", 1: f"{RUN}/a"})


def test_the_run_waits_for_its_folder_and_for_the_mount_of_checkpoints(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()

    def ask(call: str, about: Mapping[str, str]) -> Mapping[str, object]:
        asked.append(about.get("fs", ""))
        return {
            "vfs/queue": {"queue": [{"id": 0, "name": "model", "uploading": False, "tries": 0}]},
            "vfs/stats": {"diskCache": {"erroredFiles": 0}},
            "core/stats": {"transferring": [{"name": "a", "bytes": 7}]},
        }[call]

    monkeypatch.setattr(results_bucket.rc, "ask", ask)
    bucket = Bucket(RUN, "results:models", "mnt/results/models", host.results)
    (host.folder / "a").write_text("a")
    host.steps(2)
    waiting = bucket.waiting()
    assert (waiting.count, waiting.files) == (2, {0: "_wml_checkpoints/model", 1: f"{RUN}/a"})
    assert (waiting.sent, bucket.whole()) == ({"a": 7}, False)
    host.steps(3)
    assert (bucket.whole(), bucket.unstorable()) == (True, ())
    assert not [fs for fs in asked if RUN in fs]


NAMES = st.sampled_from(["a", "b", "sub/a", "sub/b", "sub/deep/a"])
ACTS = st.one_of(
    st.tuples(st.sampled_from(["write", "append", "remove", "link"]), NAMES, NAMES),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("step"), NAMES, NAMES),
    st.tuples(st.just("restart"), NAMES, NAMES),
)


def act(host: Host, what: str, name: str, other: str, content: str) -> None:
    file = host.folder / name
    if what == "step":
        host.steps()
    elif what == "restart":
        host.results = host.again()
    elif what == "write" or not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    elif what == "append":
        with file.open("a") as stream:
            stream.write(content)
    elif what == "remove":
        file.unlink()
    elif what == "rename":
        (host.folder / other).parent.mkdir(parents=True, exist_ok=True)
        file.rename(host.folder / other)
    elif what == "link" and not (host.folder / other).exists():
        (host.folder / other).parent.mkdir(parents=True, exist_ok=True)
        (host.folder / other).hardlink_to(file)


@given(st.lists(ACTS, max_size=25))
def test_whatever_a_program_does_links_and_bucket_end_as_its_folder(acts: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as volume:
        host = Host(Path(volume))
        for number, (what, name, other) in enumerate(acts):
            act(host, what, name, other, f"content {number}")
        host.steps(8)
        assert host.results.settled()
        assert host.linked == host.files
        assert host.store.objects == host.files
