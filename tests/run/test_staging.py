"""A collection that was cut off continues with what is here and right; one process at a time collects a run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.run.finish.own_folder import OwnFolder
from toolkit.run.finish.staging import Staging, staged, staging_path
from toolkit.run.plan.training_id import TrainingId
from toolkit.storage.s3 import StoredObject

RUN = TrainingId("training-abcd2345")
FILES = {f"files/{number}/x": b"%d" % number for number in range(4)}
WANTED = [(name, StoredObject(f"{RUN}/{name.removeprefix('files/')}", len(data), "")) for name, data in FILES.items()]
SUMS = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
DIGESTS = {item.key: SUMS[name] for name, item in WANTED}
HOLD = """
import sys
from pathlib import Path
from toolkit.run.finish.own_folder import OwnFolder
from toolkit.run.finish.staging import staged
with staged(OwnFolder(Path(sys.argv[1]), "training-abcd2345"), lambda: None):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def own(tmp_path: Path) -> OwnFolder:
    return OwnFolder(tmp_path / "models" / RUN, RUN)


def never() -> None:
    raise AssertionError("nobody else collects")


def write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*"))


def test_what_arrived_before_an_interruption_is_kept_and_nothing_else(own: OwnFolder) -> None:
    with pytest.raises(KeyboardInterrupt), staged(own, never) as staging:
        write(staging.new / "files/0/x", b"0")
        write(staging.new / "files/1/x", b"half")
        write(staging.new / "gone/from/the/bucket", b"0")
        write(staging.downloads(f"{RUN}-aaaa2222") / "2/x", b"2")
        write(staging.downloads(f"{RUN}-aaaa2222") / "3/x", b"")
        raise KeyboardInterrupt
    with staged(own, never) as staging:
        assert staging.earlier_labels() == [f"{RUN}-aaaa2222"]
        assert staging.kept(WANTED, DIGESTS) == {name: SUMS[name] for name in ("files/0/x", "files/2/x")}
        assert names(staging.new) == ["files", "files/0", "files/0/x", "files/2", "files/2/x"]
        assert names(staging.path) == ["lock", "new", *(f"new/{name}" for name in names(staging.new))]


def test_a_file_without_a_known_checksum_is_not_kept(own: OwnFolder) -> None:
    with staged(own, never) as staging:
        write(staging.new / "files/0/x", b"0")
        assert staging.kept(WANTED, {}) == {}
        assert names(staging.new) == []


@pytest.mark.parametrize("hard_links", [True, False])
def test_what_the_target_has_is_taken_from_there_and_stays(
    own: OwnFolder, hard_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    with staged(own, never) as staging:
        for name, data in FILES.items():
            write(staging.new / name, data)
        staging.finish(SUMS)
    if not hard_links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    (own.path / "files/0/x").write_bytes(b"changed")
    with staged(own, never) as staging:
        kept = staging.kept(WANTED, DIGESTS)
        assert (own.path / "files/1/x").read_bytes() == b"1"
    assert sorted(kept) == ["files/1/x", "files/2/x", "files/3/x"]


def test_nothing_is_left_beside_a_target_that_is_complete(own: OwnFolder) -> None:
    for _ in range(2):
        with staged(own, never) as staging:
            for name, data in FILES.items():
                write(staging.new / name, data)
            write(staging.downloads(f"{RUN}-aaaa2222") / "other", b"")
            staging.finish(SUMS)
        assert names(own.path.parent)[0] == RUN
        assert [one.name for one in own.path.parent.iterdir()] == [RUN]


def test_a_collection_that_was_killed_between_its_last_steps_leaves_the_earlier_one(own: OwnFolder) -> None:
    with staged(own, never) as staging:
        write(staging.new / "files/0/x", b"0")
        staging.finish({"files/0/x": SUMS["files/0/x"]})
    staging_path(own).mkdir(0o700)
    own.path.rename(staging_path(own) / "old")
    with staged(own, never):
        assert own.holds(own.listed())
    assert [one.name for one in own.path.parent.iterdir()] == [RUN]


def test_someone_elses_folder_in_the_place_of_the_earlier_one_is_not_removed(own: OwnFolder) -> None:
    write(staging_path(own) / "old" / "thesis.txt", b"years of work")
    staging_path(own).chmod(0o700)
    own.path.mkdir()
    with pytest.raises(ToolkitError, match="was not created by toolkit collect"), staged(own, never):
        pass
    assert (staging_path(own) / "old" / "thesis.txt").read_bytes() == b"years of work"


def test_two_collections_take_turns_and_a_killed_one_gives_way(own: OwnFolder) -> None:
    argv = [sys.executable, "-c", HOLD, str(own.path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        waits: list[str] = []

        def on_wait() -> None:
            waits.append("waiting")
            holder.kill()

        with staged(own, on_wait) as staging:
            assert isinstance(staging, Staging)
    assert waits == ["waiting"]


def test_a_folder_that_was_removed_while_one_waited_is_made_again(own: OwnFolder) -> None:
    argv = [sys.executable, "-c", HOLD, str(own.path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        assert holder.stdin
        with staged(own, holder.stdin.close) as staging:  # it ends, and removes its folder
            assert (staging.path / "lock").is_file()
            assert staging.new.is_dir()


@pytest.mark.parametrize("kind", ["link", "file", "open to others"])
def test_a_folder_of_that_name_that_others_can_write_is_not_used(own: OwnFolder, kind: str, tmp_path: Path) -> None:
    own.path.parent.mkdir()
    place = staging_path(own)
    if kind == "link":
        place.symlink_to(tmp_path)
    elif kind == "file":
        place.write_text("")
    else:
        place.mkdir()
        place.chmod(0o777)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ToolkitError, match="was not created by toolkit collect"), staged(own, never):
        pass
    assert sorted(tmp_path.iterdir()) == before
