"""A run as its bucket has it; the store is a stand-in: objects in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.buckets.store import StoredObject
from toolkit.errors import Code, ToolkitError
from toolkit.run.code_listing import Listed
from toolkit.run.events import Line
from toolkit.run.stored import StoredRun

from .keepers import RECORD

RUN = RECORD.training_id
OUTPUT, FINAL = f"{RUN}/_run/output.log", f"{RUN}/_run/record.json"


class StandInStore:
    """Objects in memory, read in pieces of `piece` bytes."""

    def __init__(self, objects: dict[str, bytes], piece: int = 7, refusal: str = "NoSuchKey") -> None:
        self._objects, self._piece, self._refusal = objects, piece, refusal

    def objects(self, _bucket: str, prefix: str) -> Iterator[StoredObject]:
        return (StoredObject(key, len(data), "") for key, data in self._objects.items() if key.startswith(prefix))

    def read(self, _bucket: str, key: str) -> bytes:
        return self._objects[key]

    def pieces(self, _bucket: str, key: str, offset: int) -> Iterator[bytes]:
        if key not in self._objects or offset >= len(self._objects[key]):
            raise ToolkitError(Code.LOADING_DATA, "cannot read", context={"reason": self._refusal})
        data = self._objects[key][offset:]
        for place in range(0, len(data), self._piece):
            yield data[place : place + self._piece]

    def get(self, _bucket: str, item: StoredObject, target: Path, _on_bytes: Callable[[int], None]) -> str:
        target.write_bytes(self._objects[item.key])
        return hashlib.sha256(self._objects[item.key]).hexdigest()


def stored(objects: dict[str, bytes], **more: object) -> StoredRun:
    return StoredRun(StandInStore(objects, **more), "models", RUN)  # type: ignore[arg-type]


def test_the_final_record_is_read() -> None:
    assert stored({FINAL: json.dumps(asdict(RECORD)).encode()}).record() == RECORD


@pytest.mark.parametrize("objects", [{}, {FINAL: b"{"}, {FINAL: b"{}"}, {FINAL: b"[]"}])
def test_what_is_no_record_is_none(objects: dict[str, bytes]) -> None:
    assert stored(objects).record() is None


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"))), st.integers(1, 50), st.data()
)
def test_the_output_goes_on_from_any_line_in_pieces_of_any_size(
    texts: list[str], piece: int, data: st.DataObject
) -> None:
    lines = [b"%d.500 %s\n" % (at, text.encode()) for at, text in enumerate(texts)]
    from_line = data.draw(st.integers(0, len(lines)))
    offset = sum(map(len, lines[:from_line]))
    found = list(stored({OUTPUT: b"".join(lines)}, piece=piece).lines(offset))
    assert [(one.text, one.at) for one in found] == [(texts[at], at + 0.5) for at in range(from_line, len(texts))]
    assert all(one.following > offset for one in found)


@pytest.mark.parametrize("refusal", ["NoSuchKey", "404", "InvalidRange", "416", "absent"])
def test_an_output_that_is_not_there_or_no_longer_has_no_line(refusal: str) -> None:
    assert list(stored({OUTPUT: b"1.000 a\n"}, refusal=refusal).lines(8)) == []
    assert list(stored({}, refusal=refusal).lines()) == []


def test_a_store_that_does_not_answer_is_told() -> None:
    with pytest.raises(ToolkitError, match="cannot read"):
        list(stored({}, refusal="unreachable").lines())


def test_a_line_without_an_end_is_no_line() -> None:
    assert list(stored({OUTPUT: b"1.000 a\n2.000 ha"}).lines()) == [Line("a", 1.0, 8)]


def test_the_submitted_code_comes_back_with_its_folders(tmp_path: Path) -> None:
    code = {f"{RUN}/_submitted_code/train.py": b"x", f"{RUN}/_submitted_code/lib/net.py": b"y", f"{RUN}/model/a": b"z"}
    assert stored(code).fetch_code(tmp_path) == 2
    assert {str(file.relative_to(tmp_path)): file.read_bytes() for file in tmp_path.rglob("*.py")} == {
        "train.py": b"x",
        "lib/net.py": b"y",
    }


@pytest.mark.parametrize("name", ["../out.py", "lib/../../out.py", "HERE/out.py"])
def test_code_that_would_leave_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    name = name.replace("HERE", str(tmp_path))
    with pytest.raises(ToolkitError, match="would leave the folder"):
        stored({f"{RUN}/_submitted_code/{name}": b"x"}).fetch_code(tmp_path / "code")
    assert list(tmp_path.rglob("*.py")) == []


def listed(name: str, data: bytes, *, executable: bool = False) -> Listed:
    return Listed(name, hashlib.sha256(data).hexdigest(), executable)


LISTING = (listed("lib/net.py", b"y"), listed("run.sh", b"x", executable=True))


def test_code_that_is_the_operators_own_list_comes_back_with_its_modes(tmp_path: Path) -> None:
    code = {f"{RUN}/_submitted_code/run.sh": b"x", f"{RUN}/_submitted_code/lib/net.py": b"y"}
    assert stored(code).fetch_code(tmp_path, LISTING) == 2
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.rglob("*.*")} == {
        "run.sh": 0o755,
        "net.py": 0o644,
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"run.sh": b"evil"}, "'run.sh': other bytes"),
        ({"run.sh": None}, "'run.sh': missing"),
        ({"sitecustomize.py": b"evil"}, "'sitecustomize.py': never submitted"),
        ({"../../home/.ssh/authorized_keys": b"evil"}, "'../../home/.ssh/authorized_keys': never submitted"),
        ({"lib": b"evil"}, "'lib': never submitted"),
        ({"a\x1b]0;x\x07": b"evil"}, "'a\\x1b]0;x\\x07': never submitted"),
    ],
)
def test_forged_code_is_refused_by_name_and_not_fetched(
    tmp_path: Path, change: dict[str, bytes | None], told: str
) -> None:
    whole: dict[str, bytes | None] = {"run.sh": b"x", "lib/net.py": b"y"} | change
    objects = {f"{RUN}/_submitted_code/{name}": data for name, data in whole.items() if data is not None}
    with pytest.raises(ToolkitError) as caught:
        stored(objects).fetch_code(tmp_path / "code", LISTING)
    assert caught.value.what == f"the bucket's code of {RUN} is not what was submitted: nothing of it was used"
    assert [problem.what for problem in caught.value.problems] == [told]
    assert not list(tmp_path.rglob("*evil*")) + list(tmp_path.rglob("authorized_keys"))


def test_more_than_any_code_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.run.stored.MAX_BYTES", 3)
    with pytest.raises(ToolkitError, match="than any submitted code"):
        stored({f"{RUN}/_submitted_code/a": b"1234"}).fetch_code(tmp_path)
