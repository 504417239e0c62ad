"""A record and what it describes: every difference is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.agent.run_document import document_bytes
from toolkit.api import run_records
from toolkit.api.run_records import read_record, verify_record
from toolkit.errors import ToolkitError
from toolkit.progress import Progress
from toolkit.run.records.record import State

from .sample import CODE_FILES, FILES, RUN, document, record
from .stored import StoredRun


def test_a_run_that_nobody_changed_is_as_recorded(run: StoredRun) -> None:
    found = verify_record(RUN)
    assert (found.differences, found.files, found.not_here) == ((), len(FILES) + len(CODE_FILES), 0)
    assert (found.is_own, found.signed) == (True, False)


@pytest.mark.parametrize("path", [*FILES, "_submitted_code/train.py"])
def test_one_byte_of_any_file_is_noticed(run: StoredRun, path: str) -> None:
    data = run.data(path)
    run.put(path, data[:-1] + bytes([data[-1] ^ 1]))
    (said,) = verify_record(RUN).differences
    assert said.startswith(f"{path!r}: SHA-256 ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: run.remove("model/saved_model.pb"), "'model/saved_model.pb': missing"),
        (lambda run: run.put("model/variables/more", b"x"), "'model/variables/more': not in the record"),
        (lambda run: run.put("_run/more", b"x"), "'_run/more': not in the record"),
        (lambda run: run.remove("_run/SHA256SUMS"), "'_run/SHA256SUMS': missing"),
        (lambda run: run.put("_run/SHA256SUMS", b""), "'_run/SHA256SUMS': SHA-256 e3b0"),
    ],
)
def test_what_was_added_removed_or_replaced_is_named(
    run: StoredRun, change: Callable[[StoredRun], None], said: str
) -> None:
    change(run)
    (found,) = verify_record(RUN).differences
    assert found.startswith(said)


def forged(stored: StoredRun, **more: Any) -> None:
    stored.put("record.json", document_bytes(document() | more))


def test_a_record_and_a_result_that_were_changed_together_are_noticed_where_the_run_was_launched(
    run: StoredRun,
) -> None:
    run.put("metrics.json", b'{"loss": 0.0}')
    results = document()["results"]
    forged_list = b"".join(
        line for line in run.data("_run/SHA256SUMS").splitlines(keepends=True) if b"metrics.json" not in line
    )
    run.put("_run/SHA256SUMS", forged_list)
    files = [one for one in results["files"] if one["path"] != "metrics.json"]
    forged(run, results=results | {"files": files})
    assert any("list_sha256" in said or "SHA256SUMS" in said for said in verify_record(RUN).differences)


@pytest.mark.parametrize(
    ("part", "field", "said"),
    [
        ("image", "id", "image.id: 'other'"),
        ("image", "lock_sha256", "image: not what this machine launched"),
        ("code", "sha256", "code.sha256: "),
        ("end", "reason", "end.reason: 'other'"),
        ("end", "evidence", "end: not what this machine recorded"),
        ("metrics", "loss", "metrics: not what this machine recorded"),
        ("tool", "version", "tool: not what this machine launched"),
        ("manifest", "model_definition", "manifest: not what this machine launched"),
    ],
)
def test_a_record_that_says_something_else_than_this_machine_knows_is_named(
    run: StoredRun, part: str, field: str, said: str
) -> None:
    other = "f" * 64 if field.endswith("sha256") else "other"
    forged(run, **{part: document()[part] | {field: other}})
    assert any(one.startswith(said) for one in verify_record(RUN).differences)


@pytest.mark.parametrize(
    ("part", "field", "value"), [("steps", "exit_status", 1), ("stages", "at", 0.5), ("host_stages", "offset", None)]
)
def test_a_history_that_was_rewritten_is_named(run: StoredRun, part: str, field: str, value: object) -> None:
    first, *rest = document()[part]
    forged(run, **{part: [first | {field: value}, *rest]})
    assert verify_record(RUN).differences == (f"{part}: not what this machine recorded",)


def test_files_named_without_a_list_of_checksums_are_not_believed(run: StoredRun) -> None:
    forged(run, results=document()["results"] | {"list_sha256": ""})
    assert "results.files: named, but without a list of checksums" in verify_record(RUN).differences


def test_a_files_list_that_is_not_the_runs_own_list_is_named(run: StoredRun) -> None:
    results = document()["results"]
    forged(run, results=results | {"files": results["files"][1:]})
    said = f"results: {len(FILES) - 1} files, but {len(FILES)} in the list of checksums"
    assert said in verify_record(RUN).differences


def test_a_programs_own_record_json_is_not_taken_for_the_runs(run: StoredRun) -> None:
    run.put("_run/record.json", run.data("record.json"))
    run.put("record.json", b'{"artist": "a program"}')
    assert read_record(RUN).source == f"models/{RUN}/_run/record.json"


def test_what_a_program_put_in_the_records_other_place_was_overwritten_by_the_record(run: StoredRun) -> None:
    results = document()["results"]
    listed = [*results["files"], {"path": "_run/record.json", "sha256": "a" * 64}]
    forged(run, results=results | {"files": listed, "list_sha256": ""})
    run.put("_run/record.json", run.data("record.json"))
    assert not [said for said in verify_record(RUN).differences if "record.json" in said]


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000])
def test_what_stands_in_the_records_place_and_is_none_is_refused(run: StoredRun, data: bytes) -> None:
    run.put("record.json", data)
    with pytest.raises(ToolkitError, match=f"models/{RUN}/record.json is not a record of a run") as caught:
        verify_record(RUN)
    assert caught.value.code.exit_status == 5


def test_another_runs_record_is_refused(run: StoredRun) -> None:
    forged(run, run=document()["run"] | {"id": "training-zzzz2345"})
    with pytest.raises(ToolkitError, match="is of another run, training-zzzz2345"):
        verify_record(RUN)


def test_a_run_without_a_record_says_what_to_do(run: StoredRun) -> None:
    run.remove("record.json")
    with pytest.raises(ToolkitError, match=f"models/{RUN} has no record.json") as caught:
        read_record(RUN)
    assert "toolkit rescue" in caught.value.hint


def test_a_copy_is_verified_where_nobody_knows_the_run(
    run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = run.download(tmp_path / "copy")
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "another home"))
    file = copy / "record.json"
    with pytest.raises(ToolkitError, match="was not launched from here") as caught:
        verify_record(file)
    assert "--folder" in caught.value.hint
    found = verify_record(file, folder=copy)
    assert (found.differences, found.is_own, found.files) == ((), False, len(FILES) + len(CODE_FILES))
    (copy / "metrics.json").write_bytes(b"{}")
    (copy / "learner-1" / "training-log.txt").unlink()
    (copy / "learner-1" / "training-log.txt").symlink_to("/etc/hostname")
    said = verify_record(file, folder=copy).differences
    assert said[0] == "'learner-1/training-log.txt': missing"
    assert said[1].startswith("'metrics.json': SHA-256 ")


def collected(run: StoredRun, folder: Path) -> Path:
    """As `toolkit collect` leaves it."""
    copy = run.download(folder.with_name("all"))
    folder.mkdir()
    shutil.copytree(copy / "model", folder / "model")
    shutil.copytree(copy / "_submitted_code", folder / "code")
    (folder / "files").mkdir()
    shutil.copy(copy / "metrics.json", folder / "files")
    (folder / "SHA256SUMS").write_text("")
    (folder / ".toolkit-collected").write_text(f"{RUN}\n")
    return folder


def test_a_collected_model_is_verified_and_what_was_not_collected_is_counted(run: StoredRun, tmp_path: Path) -> None:
    folder = collected(run, tmp_path / "collected")
    found = verify_record(_file(run, tmp_path), folder=folder)
    assert (found.differences, found.files, found.not_here) == ((), 3 + len(CODE_FILES), 2)
    (folder / "model" / "saved_model.pb").unlink()
    assert verify_record(_file(run, tmp_path), folder=folder).differences == ("'model/saved_model.pb': missing",)


def _file(run: StoredRun, folder: Path) -> Path:
    file = folder / "record.json"
    file.write_bytes(run.data("record.json"))
    return file


def test_a_collected_model_of_a_run_that_is_known_here_is_compared_with_the_buckets_record(
    run: StoredRun, tmp_path: Path
) -> None:
    found = verify_record(RUN, folder=collected(run, tmp_path / "collected"))
    assert (found.differences, found.is_own) == ((), True)
    assert found.found.source == f"models/{RUN}/record.json"


def test_a_run_that_goes_on_has_no_record_yet(run: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_records, "find_run", lambda _: record(state=State.PROCESSING))
    with pytest.raises(ToolkitError, match="has not ended") as caught:
        verify_record(RUN)
    assert caught.value.hint == f"toolkit logs -f {RUN}"


def test_progress_is_in_bytes(run: StoredRun) -> None:
    steps: list[Progress] = []
    verify_record(RUN, report=steps.append)
    assert steps[-1].done >= sum(map(len, FILES.values()))


def test_files_that_two_hosts_wrote_differently_may_be_there(run: StoredRun) -> None:
    run.put("both", b"of one of them")
    forged(run, results=document()["results"] | {"disputed": ["both"]})
    assert verify_record(RUN).differences == ()


def test_a_record_with_a_line_that_a_terminal_would_obey_is_shown_as_text(run: StoredRun) -> None:
    run.put("model/\x1b[31mred", b"x")
    (said,) = verify_record(RUN).differences
    assert "\x1b" not in said
    assert json.dumps(said)
