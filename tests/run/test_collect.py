"""What comes home from a run: its model, its code, and what the manifest wants besides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.api.models import note_of_interrupted
from toolkit.errors import Code, ToolkitError
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.run.finish.collect import Collection
from toolkit.run.finish.selection import Selection
from toolkit.run.finish.wanted import read_wanted
from toolkit.run.plan.code_listing import Listed, code_digest, load_listing, save_listing
from toolkit.run.records.record import Record, State
from toolkit.storage.s3 import StoredObject

EXAMPLE = read_manifest(assets() / "examples" / "mnist" / "manifest.yml")
RECORD = Record(
    *("training-abcd2345", "name", State.COMPLETED, "image", "sha256:i", "local", 1, 1, True, "embedded"),
    *("models", "data", "manifest.yml", "code"),
)


class Shelf:
    """A store that holds some keys."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def objects(self, _bucket: str, prefix: str) -> list[StoredObject]:
        return [StoredObject(key, 1, "") for key in self._keys if key.startswith(prefix)]


def wanted(collect: tuple[str, ...], *keys: str) -> list[str]:
    shelf = Shelf(*(f"training-abcd2345/{key}" for key in keys))
    selection = Selection(("model",), collect)
    return [name for name, _ in read_wanted(shelf, RECORD, selection, {}).all]  # type: ignore[arg-type]


def test_files_and_folders_come_home_besides_the_model() -> None:
    keys = (
        "model/saved_model.pb",
        "_submitted_code/t.py",
        "metrics.json",
        "metrics.json.old",
        "plots/x/y.png",
        "plots2/z",
        "other",
    )
    assert wanted(("metrics.json", "plots"), *keys) == [
        "model/saved_model.pb",
        "code/t.py",
        "files/metrics.json",
        "files/plots/x/y.png",
    ]


def test_without_a_wish_model_and_code_come_home_alone() -> None:
    assert wanted((), "model/saved_model.pb", "model2/b", "metrics.json") == ["model/saved_model.pb"]


SUBMITTED = (Listed("check_model.py", "a" * 64, True), Listed("t.py", "b" * 64, False))


def compare(tmp_path: Path, *sums: str) -> None:
    """What a collection does with the checksums of what it fetched; `SUBMITTED` is the operator's own list."""
    (tmp_path / "runs").mkdir()
    save_listing(tmp_path, RECORD.training_id, SUBMITTED)
    record = replace(RECORD, code_digest=code_digest(SUBMITTED))
    collection = Collection(record, EXAMPLE, tmp_path, tmp_path, "side", lambda *_: None)
    for name in ("check_model.py", "t.py"):
        (tmp_path / "code").mkdir(exist_ok=True)
        (tmp_path / "code" / name).write_text("x")
    found = (line.split("  ", 1) for line in sums)
    collection._compare_code(tmp_path, {name: sha for sha, name in found})


def test_collected_code_is_what_was_submitted_with_its_modes(tmp_path: Path) -> None:
    compare(tmp_path, f"{'a' * 64}  code/check_model.py", f"{'b' * 64}  code/t.py", f"{'c' * 64}  model/code/x")
    assert (tmp_path / "code" / "check_model.py").stat().st_mode & 0o777 == 0o755


def test_a_forged_check_is_refused_by_name_before_it_runs(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="is not what was submitted") as caught:
        compare(tmp_path, f"{'f' * 64}  code/check_model.py", f"{'b' * 64}  code/t.py", f"{'c' * 64}  code/site.py")
    assert [one.what for one in caught.value.problems] == [
        "'check_model.py': changed",
        "'site.py': never submitted",
    ]


@pytest.mark.parametrize(
    ("error", "kept", "said"),
    [
        (KeyboardInterrupt(), Path("/m/.x"), "what arrived is kept in /m/.x; the same command continues with it"),
        (
            ToolkitError(Code.LOADING_DATA, "the store does not answer"),
            Path("/m/.x"),
            "what arrived is kept in /m/.x; the same command continues with it",
        ),
        (KeyboardInterrupt(), None, ""),
        (ToolkitError(Code.CODE, "the bucket's code is not what was submitted"), Path("/m/.x"), ""),
    ],
)
def test_who_was_interrupted_may_continue_but_not_with_a_forged_code(
    error: BaseException, kept: Path | None, said: str
) -> None:
    assert note_of_interrupted(error, kept) == said


@pytest.mark.parametrize("damage", ["gone", "changed", "none"])
def test_a_list_that_is_not_the_records_is_not_believed(tmp_path: Path, damage: str) -> None:
    (tmp_path / "runs").mkdir()
    save_listing(tmp_path, RECORD.training_id, SUBMITTED)
    file = tmp_path / "runs" / f"{RECORD.training_id}.code"
    if damage == "gone":
        file.unlink()
    else:
        file.write_text("x" if damage == "none" else file.read_text().replace("b", "c"))
    with pytest.raises(ToolkitError, match="is missing or damaged"):
        load_listing(tmp_path, RECORD.training_id, code_digest(SUBMITTED))
    assert load_listing(tmp_path, RECORD.training_id, "") == ()  # a run of an earlier version


def written(*paths: str) -> dict[str, str]:
    return {f"training-abcd2345/{path}": "a" * 64 for path in paths}


def test_a_model_that_the_program_wrote_whole_and_the_bucket_lost_in_part_is_left_to_its_checksums() -> None:
    shelf = Shelf("training-abcd2345/model/other")
    digests = written("model/saved_model.pb", "model/other", "plots/x")
    found = read_wanted(shelf, RECORD, Selection(), digests)  # type: ignore[arg-type]
    assert found.unloaded == ""
    assert found.written(found.checked) == written("model/saved_model.pb", "model/other")
    assert found.written(found.besides) == {}


def test_a_model_that_the_program_did_not_finish_is_an_error_that_says_what_is_there() -> None:
    shelf = Shelf("training-abcd2345/model/other", "training-abcd2345/mnist-10.index")
    for digests in ({}, written("model/other", "mnist-10.index")):
        with pytest.raises(ToolkitError, match=r"has a folder model/ without saved_model\.pb") as caught:
            read_wanted(shelf, RECORD, Selection(), digests)  # type: ignore[arg-type]
        assert caught.value.evidence == "there is:\nmnist-10.index  1 B\nmodel/  1 file, 1 B"
        found = read_wanted(shelf, RECORD, Selection(("all",)), digests)  # type: ignore[arg-type]
        assert [name for name, _ in found.all] == ["model/other", "files/mnist-10.index"]
        assert found.unloaded == "has a folder model/ without saved_model.pb"


def test_a_pattern_without_a_match_is_an_error() -> None:
    with pytest.raises(ToolkitError, match=r"nothing in models/training-abcd2345/ matches '\*\.h5'"):
        read_wanted(Shelf("training-abcd2345/a"), RECORD, Selection(("*.h5",)), {})  # type: ignore[arg-type]


def test_what_the_run_wrote_and_the_bucket_has_no_more_is_expected_by_its_pattern() -> None:
    digests = written("a.h5", "b.h5", "c.txt")
    found = read_wanted(Shelf("training-abcd2345/a.h5"), RECORD, Selection(("*.h5",)), digests)  # type: ignore[arg-type]
    assert found.written(found.besides) == written("a.h5", "b.h5")
    assert list(found.sums({"files/a.h5": "b" * 64})) == [("files/a.h5", "a" * 64)]
