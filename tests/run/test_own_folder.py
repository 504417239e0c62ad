"""Only a folder that the tool made is replaced: whatever else lies there is left as it is."""

from __future__ import annotations

import hashlib
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agent.checksums import SUMS, line, parse_line
from toolkit.errors import ToolkitError
from toolkit.run.finish.own_folder import MARKER, OwnFolder
from toolkit.run.finish.staging import staged
from toolkit.run.plan.training_id import TrainingId

RUN = TrainingId("training-abcd2345")
NAMES = ("model/a", " b ", "#c", "new\nline", "back\\slash", "back\\nslash", "end\r")


def never() -> None:
    raise AssertionError("nobody else collects")


def filled(path: Path, text: str = "x", *names: str) -> OwnFolder:
    """The folder as a collection leaves it."""
    own = OwnFolder(path, RUN)
    with staged(own, never) as staging:
        sums = {}
        for name in names or NAMES:
            (staging.new / name).parent.mkdir(exist_ok=True)
            (staging.new / name).write_text(text)
            sums[name] = hashlib.sha256(text.encode()).hexdigest()
        staging.finish(sums)
    return own


def put_at(path: Path) -> None:
    """What another collection of the same run left, and someone moved to `path`."""
    other = filled(path.parent / "other" / RUN)
    other.path.rename(path)
    other.path.parent.rmdir()


def is_whole(own: OwnFolder) -> bool:
    return own.holds(own.listed())


def test_what_was_collected_is_whole_and_its_list_is_sha256sums(tmp_path: Path) -> None:
    own = filled(tmp_path / "deep" / "er" / RUN)
    assert is_whole(own)
    assert (own.path / MARKER).read_text() == f"{RUN}\n"
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=own.path, check=True)
    assert [one.name for one in own.path.parent.iterdir()] == [RUN]


def test_it_has_the_mode_that_a_persons_own_folder_would_have(tmp_path: Path) -> None:
    own = filled(tmp_path / RUN)
    (tmp_path / "other").mkdir()
    assert stat.S_IMODE(own.path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


@pytest.mark.parametrize("damage", ["changed", "gone", "link", "sums", "no sums", "marker", "other run"])
def test_what_is_damaged_is_not_whole(tmp_path: Path, damage: str) -> None:
    own = filled(tmp_path / RUN)
    file, sums, marker = own.path / "model/a", own.path / SUMS, own.path / MARKER
    match damage:
        case "changed":
            file.write_text("y")
        case "gone":
            file.unlink()
        case "link":
            file.rename(tmp_path / "a")
            file.symlink_to(tmp_path / "a")
        case "sums":
            sums.write_bytes(b"\xff no list\n")
        case "no sums":
            sums.write_text("")
        case "marker":
            marker.unlink()
        case "other run":
            marker.write_text("training-zzzz2222\n")
    assert not is_whole(own)


def test_a_damaged_one_is_replaced_whole(tmp_path: Path) -> None:
    (filled(tmp_path / RUN).path / "model/a").unlink()
    own = filled(tmp_path / RUN, "new", "model/a")
    assert is_whole(own)
    assert not (own.path / "#c").exists()
    assert [one.name for one in tmp_path.iterdir()] == [RUN]


def someone_elses(path: Path, kind: str, tmp_path: Path) -> str:
    """Something that is not ours at `path`; what the error says of it."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    match kind:
        case "a folder":
            precious.rename(path)
            return "has no .toolkit-collected"
        case "an empty folder":
            path.mkdir()
            return "has no .toolkit-collected"
        case "a file":
            (precious / "thesis.txt").rename(path)
            return "is not a folder"
        case "a link to a folder":
            path.symlink_to(precious)
            return "is not a folder"
        case "a link to nothing":
            path.symlink_to(tmp_path / "nothing")
            return "is not a folder"
        case "a folder with a list of its own":
            precious.rename(path)
            (path / SUMS).write_text(line("thesis.txt", hashlib.sha256(b"years of work").hexdigest()) + "\n")
            return "has no .toolkit-collected"
        case "another run's":
            put_at(path)
            (path / MARKER).write_text("training-zzzz2222\n")
            return "has no .toolkit-collected"
        case "ours with a file of theirs":
            put_at(path)
            (path / "model" / "notes.txt").write_text("mine")
            return "holds 'model/notes.txt'"
        case "ours with a link of theirs":
            put_at(path)
            (path / "data").symlink_to(precious)
            return "holds 'data'"
    raise AssertionError(kind)


KINDS = [
    *("a folder", "an empty folder", "a file", "a link to a folder", "a link to nothing"),
    *("a folder with a list of its own", "another run's", "ours with a file of theirs", "ours with a link of theirs"),
]


def everything(folder: Path) -> dict[str, str]:
    return {str(one.relative_to(folder)): content(one) for one in sorted(folder.rglob("*"))}


def others(folder: Path) -> dict[str, str]:
    """Everything but what arrived of a collection."""
    return {name: text for name, text in everything(folder).items() if ".toolkit-collect-" not in name}


def content(one: Path) -> str:
    if one.is_symlink():
        return str(one.readlink())
    return one.read_text() if one.is_file() else ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("late", [False, True])
def test_what_is_someone_elses_is_refused_by_name_and_left_as_it_is(tmp_path: Path, kind: str, late: bool) -> None:
    own = OwnFolder(tmp_path / RUN, RUN)
    said = "" if late else someone_elses(own.path, kind, tmp_path)
    before = everything(tmp_path)
    with pytest.raises(ToolkitError) as caught:
        if not late:
            own.refuse_foreign()
        with staged(own, never) as staging:
            (staging.new / "a").write_text("x")
            said = someone_elses(own.path, kind, tmp_path)
            before = others(tmp_path)
            staging.finish({"a": hashlib.sha256(b"x").hexdigest()})
    assert said in caught.value.what
    assert str(own.path) in caught.value.what
    assert others(tmp_path) == before


def test_an_interruption_leaves_what_was_there(tmp_path: Path) -> None:
    own = filled(tmp_path / RUN)
    with pytest.raises(KeyboardInterrupt), staged(own, never) as staging:
        (staging.new / "half").write_text("x")
        raise KeyboardInterrupt
    assert is_whole(own)
    assert (tmp_path / f".toolkit-collect-{RUN}" / "new" / "half").read_text() == "x"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1))
def test_any_name_comes_back_from_its_line(name: str) -> None:
    assert "\n" not in line(name, "0" * 64)
    assert parse_line(line(name, "0" * 64)) == (name, "0" * 64)
