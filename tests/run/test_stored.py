"""A run as its bucket has it; the store is a stand-in: objects in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage.stand_in_s3 import standing_in
from toolkit.agent.host_stages import ClockOffset, HostStage, HostStages
from toolkit.agent.signed import signed
from toolkit.errors import Code, ToolkitError
from toolkit.run.follow.events import Line
from toolkit.run.follow.reported import read_outcome
from toolkit.run.plan.code_listing import Listed
from toolkit.run.records.record import State, StepResult
from toolkit.run.records.stored_run import StoredRun, fetch_code
from toolkit.secrets import Secret
from toolkit.storage.client import Access
from toolkit.storage.s3 import Store, StoredObject

from .clients import RECORD

RUN = RECORD.training_id
OUTPUT, FINAL, KEY = f"{RUN}/_run/output.log", f"_toolkit/{RUN}/record.json", "the run's key"


class StandInStore:
    """Objects in memory, read in pieces of `piece` bytes."""

    def __init__(self, objects: dict[str, bytes], piece: int = 7, refusal: str = "NoSuchKey") -> None:
        self._objects, self._piece, self._refusal = objects, piece, refusal

    def objects(self, _bucket: str, prefix: str) -> Iterator[StoredObject]:
        return (StoredObject(key, len(data), "") for key, data in self._objects.items() if key.startswith(prefix))

    def read(self, _bucket: str, key: str, limit: int) -> bytes:
        return self._objects[key][:limit]

    def pieces(self, _bucket: str, key: str, offset: int = 0) -> Iterator[bytes]:
        if key not in self._objects or offset >= len(self._objects[key]):
            raise ToolkitError(Code.LOADING_DATA, "cannot read", context={"reason": self._refusal})
        data = self._objects[key][offset:]
        for place in range(0, len(data), self._piece):
            yield data[place : place + self._piece]

    def get(
        self, _bucket: str, item: StoredObject, target: Path, _on_bytes: Callable[[int], None], *, compare: bool
    ) -> str:
        assert compare in (True, False)
        target.write_bytes(self._objects[item.key])
        return hashlib.sha256(self._objects[item.key]).hexdigest()


def stored(objects: dict[str, bytes], **more: object) -> StoredRun:
    return StoredRun(StandInStore(objects, **more), "models", RECORD, KEY)  # type: ignore[arg-type]


NONE = (b"{", b"{}", b"[]", b"[" * 100_000, b'{"training_id":' * 60_000, b"\xff\xfe", b"9" * 100_000, b"")
DONE = replace(RECORD, end="completed", reason="all is well", stored_files=3).at(State.COMPLETED, 4.0)


def reported(**facts: object) -> dict[str, bytes]:
    return {FINAL: signed(asdict(DONE) | facts, KEY, "record.json")}


def staged(*stages: HostStage, offset: ClockOffset | None = None) -> bytes:
    return reported(host_stages=[asdict(HostStages("one", stages, (), offset))])[FINAL]


def test_the_end_of_the_run_is_read() -> None:
    assert stored(reported()).record() == DONE


def test_stages_of_hosts_are_part_of_the_end() -> None:
    stages = (HostStages("", (HostStage("agent", 1.0, 2.0, "x"),), (), ClockOffset(-3.0, 0.5)), HostStages("two"))
    assert stored(reported(host_stages=[asdict(one) for one in stages])).record().host_stages == stages


@pytest.mark.parametrize("objects", [{}, {f"{FINAL}.old": b"{}"}])
def test_where_the_bucket_has_no_record_it_tells_no_end(objects: dict[str, bytes]) -> None:
    assert stored(objects).record() is None


@given(st.dictionaries(st.sampled_from(sorted(asdict(RECORD))), st.none() | st.integers() | st.text(), max_size=4))
def test_what_a_run_is_comes_from_the_record_here(forged: dict[str, object]) -> None:
    try:
        found = stored(reported(**forged)).record()
    except ToolkitError as error:
        assert error.context["reason"] == "refused"
        return
    assert found is not None
    assert {name: getattr(found, name) for name in IDENTITY} == {name: getattr(RECORD, name) for name in IDENTITY}


IDENTITY = (
    *("training_id", "name", "image", "image_id", "cluster", "learners", "ranks", "on_cpu", "endpoint_url", "hosts"),
    *("results_bucket", "data_bucket", "manifest_file", "code_folder", "mpirun", "cluster_file", "resumed_from"),
    "collected",
)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        *((data, "was not written by an agent of this run") for data in NONE),
        (reported(training_id="training-zzzz2222")[FINAL], "another run, training-zzzz2222"),
        (reported(training_id="/elsewhere/victim")[FINAL], "is not a training ID"),
        (reported(training_id=["training-abcd2345"])[FINAL], "training_id"),
        (reported(state="PROCESSING")[FINAL], "state PROCESSING is not final"),
        (reported(state="DONE")[FINAL], "state"),
        (reported(state="FAILED")[FINAL], "exclude each other"),
        (reported(end="")[FINAL], "exclude each other"),
        (reported(end="nice")[FINAL], "not one of the list"),
        (reported(error_code="S303")[FINAL], "COMPLETED, but with an error"),
        (reported(states=[["COMPLETED", 1e300]])[FINAL], r"states\.0\.1"),
        (reported(states=[["COMPLETED", float("nan")]])[FINAL], r"states\.0\.1"),
        (reported(states=[["COMPLETED", 1.0]] * 5000)[FINAL], "states"),
        (reported(steps=[asdict(StepResult(1, "x", False, 1, 1.0))])[FINAL], "or a failed command"),
        (reported(steps=[asdict(StepResult(1, "x", False, 0, float("inf")))])[FINAL], "finite"),
        (reported(stored_files=-1)[FINAL], "stored_files"),
        (reported(stored_bytes=True)[FINAL], "stored_bytes"),
        (reported(reason=7)[FINAL], "reason"),
        (reported(evidence="x" * 300_000)[FINAL], "evidence"),
        (reported(kept="abc")[FINAL], "kept"),
        (reported(host_stages=[{}])[FINAL], "host_stages"),
        (staged(HostStage("agent", 2.0, 1.0)), "times that are none"),
        (staged(HostStage("agent", 1.0, 1e300)), "times that are none"),
        (staged(HostStage("agent", float("nan"), 2.0)), "host_stages"),
        (staged(HostStage("agent", 1.0, 2.0, "x" * 256)), "more than 255 characters"),
        (staged(*[HostStage("agent", 1.0, 2.0)] * 65), "too many stages"),
        (staged(offset=ClockOffset(0.0, -1.0)), "an offset that is none"),
    ],
    ids=lambda one: None if isinstance(one, bytes) else one,
)
def test_what_is_no_end_of_this_run_is_refused_by_its_name(data: bytes, why: str) -> None:
    with pytest.raises(ToolkitError, match=why) as caught:
        stored({FINAL: data}).record()
    assert caught.value.what.startswith(f"object models/{FINAL} is refused: ")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("data", NONE)
def test_what_an_agent_would_never_write_is_no_end_whoever_tells_it(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_outcome(data, RECORD)


def test_of_metrics_what_is_none_is_left_out() -> None:
    metrics = {"loss": 0.5, "best": True, "note": "x", "bad": float("inf"), "deep": {"a": [1]}, "long": "x" * 9999}
    found = stored(reported(metrics=metrics)).record()
    assert found is not None
    assert found.metrics == {"loss": 0.5, "best": 1, "note": "x"}


def test_a_half_of_a_character_harms_nothing() -> None:
    found = stored(reported(metrics={"note": "\ud800"})).record()
    assert found is not None
    assert found.metrics == {"note": "?"}


def test_the_bucket_does_not_tell_the_operator_what_to_type() -> None:
    facts = {"end": "bucket write", "state": "FAILED", "kept": ["p100-01"], "hint": "curl evil | sh"}
    found = stored(reported(**facts)).record()
    assert found is not None
    assert found.hint == f"its results are still on p100-01; toolkit rescue {RUN}"


def test_a_line_without_an_end_is_not_held_in_memory() -> None:
    long = b"1.000 " + b"x" * (5 << 20)
    lines = list(stored({OUTPUT: long + b"\n2.000 end\n"}, piece=1 << 20).lines())
    assert max(len(line.text) for line in lines) <= 2 << 20
    assert "".join(line.text for line in lines[:-1]) == "x" * (5 << 20)
    assert lines[-1] == Line("end", 2.0, len(long) + 11)


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


def test_a_store_that_does_not_answer_is_reported() -> None:
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


@pytest.mark.parametrize("name", ["../out.py", "lib/../../out.py", "HERE/out.py", "/out.py"])
def test_code_that_would_leave_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    name = name.replace("HERE", str(tmp_path))
    with pytest.raises(ToolkitError, match="leads out of the folder"):
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
    ("change", "reported"),
    [
        ({"run.sh": b"evil"}, "'run.sh': changed"),
        ({"run.sh": None}, "'run.sh': missing"),
        ({"sitecustomize.py": b"evil"}, "'sitecustomize.py': never submitted"),
        ({"../../home/.ssh/authorized_keys": b"evil"}, "'../../home/.ssh/authorized_keys': never submitted"),
        ({"lib": b"evil"}, "'lib': never submitted"),
        ({"a\x1b]0;x\x07": b"evil"}, "'a\\x1b]0;x\\x07': never submitted"),
    ],
)
def test_forged_code_is_refused_by_name_and_not_fetched(
    tmp_path: Path, change: dict[str, bytes | None], reported: str
) -> None:
    whole: dict[str, bytes | None] = {"run.sh": b"x", "lib/net.py": b"y"} | change
    objects = {f"{RUN}/_submitted_code/{name}": data for name, data in whole.items() if data is not None}
    with pytest.raises(ToolkitError) as caught:
        stored(objects).fetch_code(tmp_path / "code", LISTING)
    assert caught.value.what == f"the bucket's code of {RUN} is not what was submitted: it was not used"
    assert [problem.what for problem in caught.value.problems] == [reported]
    assert not list(tmp_path.rglob("*evil*")) + list(tmp_path.rglob("authorized_keys"))


def test_a_bucket_without_any_code_is_not_taken_for_one_that_was_changed(tmp_path: Path) -> None:
    assert stored({f"{RUN}/model/a": b"z"}).fetch_code(tmp_path / "code", LISTING) == 0


def test_more_than_any_code_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.run.records.stored_run.MAX_CODE_BYTES", 3)
    with pytest.raises(ToolkitError, match="than any submitted code"):
        stored({f"{RUN}/_submitted_code/a": b"1234"}).fetch_code(tmp_path)


@pytest.mark.parametrize("data", [b"print(1)", b"another"])
def test_listed_code_is_judged_by_its_list_where_a_stores_etags_are_no_md5(tmp_path: Path, data: bytes) -> None:
    listing = [Listed("a.py", hashlib.sha256(b"print(1)").hexdigest(), False)]
    with standing_in(md5_etags=False) as server:
        server.buckets.add("models")
        store = Store(Access(server.url, Secret("AKIDEXAMPLE"), Secret("secret")))
        (tmp_path / "a.py").write_bytes(data)
        store.put("models", f"{RUN}/_submitted_code/a.py", tmp_path / "a.py")
        if data == b"print(1)":
            assert fetch_code(store, "models", RUN, tmp_path / "code", listing) == 1
            assert (tmp_path / "code" / "a.py").read_bytes() == data
        else:
            with pytest.raises(ToolkitError) as caught:
                fetch_code(store, "models", RUN, tmp_path / "code", listing)
            assert (caught.value.code, "a.py" in str(caught.value)) == (Code.CODE, True)
