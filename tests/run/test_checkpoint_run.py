"""A run of the later commands on a checkpoint: what it asks for, what it copies, what it changes in the code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.manifest.model import Step
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets
from toolkit.run import in_container
from toolkit.run.plan.checkpoint_run import manifest_again, manifest_on, plan_text, with_number
from toolkit.run.plan.training_id import TrainingId
from toolkit.run.records.checkpoints import Checkpoint, Stored, find_checkpoints

from .clients import RECORD

EXAMPLE = read_manifest(assets() / "examples" / "mnist" / "manifest.yml")
OLD, NEW = RECORD.training_id, TrainingId("training-newe2345")
BUCKET = "mnist-training-models"
FILES = ("mnist-10.index", "mnist-10.data-00000-of-00001", "mnist-20.index", "mnist-20.data-00000-of-00001")
TEN, TWENTY = find_checkpoints(Stored(f"{OLD}/ck/{name}", 1, 1.0) for name in FILES)


def test_the_later_commands_run_on_one_host_after_the_checkpoint_was_taken() -> None:
    manifest = manifest_on(EXAMPLE, RECORD, TEN, NEW)
    assert [(step.command, step.ranks) for step in manifest.steps] == [
        ("python _toolkit_checkpoint.py _toolkit_checkpoint.json", "one"),
        ("python transform.py", "one"),
    ]
    assert (manifest.compute.nodes, manifest.compute.name, manifest.resume) == (1, EXAMPLE.compute.name, OLD)
    assert dict(manifest.environment) == {
        "CHECKPOINT": f"/mnt/results/{BUCKET}/{NEW}/ck/mnist-10",
        "CHECKPOINT_NUMBER": "10",
    }


def test_a_later_command_on_every_rank_gets_all_hosts() -> None:
    steps = (*EXAMPLE.steps, Step("python evaluate.py", "all"))
    assert manifest_on(replace(EXAMPLE, steps=steps), RECORD, TEN, NEW).compute == EXAMPLE.compute


def test_a_checkpoint_that_all_runs_share_stays_where_it_is() -> None:
    shared = Checkpoint(None, "pytorch", "_wml_checkpoints/x/best.pt", ("_wml_checkpoints/x/best.pt",), 1, 1.0)
    manifest = manifest_on(EXAMPLE, RECORD, shared, NEW)
    assert dict(manifest.environment) == {"CHECKPOINT": f"/mnt/results/{BUCKET}/_wml_checkpoints/x/best.pt"}
    assert json.loads(plan_text(RECORD, shared, [shared]))["states"] == {}


@pytest.mark.parametrize("path", [f"{OLD}/ck/mnist-10", "_wml_checkpoints/x/best.pt"])
def test_repeated_it_takes_the_same_checkpoint_from_a_folder_of_its_own(path: str) -> None:
    chosen, again = Checkpoint(10, "tensorflow", path, (path,), 1, 1.0), TrainingId("training-agan2345")
    manifest = manifest_on(EXAMPLE, RECORD, chosen, NEW)
    assert manifest_again(manifest, NEW, again) == (manifest_on(EXAMPLE, RECORD, chosen, again), path)


def test_repeated_a_run_that_trains_stays_as_it_is() -> None:
    manifest = replace(EXAMPLE, environment=(("CHECKPOINT", f"/mnt/results/{BUCKET}/{NEW}/mine"),))
    assert manifest_again(manifest, NEW, OLD) == (manifest, "")


def test_a_manifest_that_only_trains_has_nothing_to_run_and_the_files_are_named() -> None:
    with pytest.raises(ToolkitError, match="has no command after the training") as caught:
        manifest_on(replace(EXAMPLE, steps=EXAMPLE.steps[:1]), RECORD, TEN, NEW)
    assert f"toolkit collect {OLD} --what '/ck/mnist-10*'" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        (b'chkptnumber = "-20"', b'chkptnumber = "-7"'),
        (b"chkptnumber='-20'  # the last\r", b"chkptnumber='-7'  # the last\r"),
        (b"  chkptnumber = 20", b"  chkptnumber = 7"),
        (b'chkptnumber = "20', None),
        (b"chkptnumber = 20 + 1", None),
        (b'chkptnumber = os.getenv("N")', None),
        (b"mychkptnumber = 20", None),
        (b"print(chkptnumber == 20)", None),
    ],
)
def test_the_constant_of_an_old_script_gets_the_number(line: bytes, changed: bytes | None) -> None:
    found = with_number(b"import os\n" + line + b"\nlast", 7)
    assert found.text == b"import os\n" + (changed or line) + b"\nlast"
    assert found.lines == (((2, line.decode().strip()),) if changed else ())


@given(st.binary(), st.integers(0, 10**18))
def test_other_programs_stay_as_they_are(text: bytes, number: int) -> None:
    if b"chkptnumber" not in text:
        assert with_number(text, number).text == text


def taken(tmp_path: Path, plan: str, *more: str) -> dict[str, str]:
    """What the first command makes of a run's folder in RESULT_DIR, as a learner starts it; it has `more` files."""
    old, new = tmp_path / OLD, tmp_path / NEW
    there = [f"ck/{name}" for name in FILES]
    there += [
        *more,
        "ck/checkpoint",
        "graph.meta",
        "model/saved_model.pb",
        "learner-1/training-log.txt",
        "plots/deep/1.png",
    ]
    for name in there:
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text("old")
    (old / "link").symlink_to("/etc/hostname")
    (tmp_path / "plan.json").write_text(plan)
    program = Path(in_container.__file__).parent / "take_checkpoint.py"
    environment = {**os.environ, "RESUME_DIR": str(old), "RESULT_DIR": str(new)}
    subprocess.run([sys.executable, program, "plan.json"], cwd=tmp_path, env=environment, check=True)
    return {file.relative_to(new).as_posix(): file.read_text() for file in new.rglob("*") if file.is_file()}


def test_the_chosen_checkpoint_is_the_only_one_and_the_newest(tmp_path: Path) -> None:
    assert taken(tmp_path, plan_text(RECORD, TEN, [TEN, TWENTY])) == {
        "ck/mnist-10.index": "old",
        "ck/mnist-10.data-00000-of-00001": "old",
        "ck/checkpoint": 'model_checkpoint_path: "mnist-10"\nall_model_checkpoint_paths: "mnist-10"\n',
        "graph.meta": "old",
        "plots/deep/1.png": "old",
    }


def test_the_list_that_is_written_is_read_again_as_it_was_meant(tmp_path: Path) -> None:
    states = {f"r/{path}": text.encode() for path, text in json.loads(plan_text(RECORD, TEN, [TEN]))["states"].items()}
    assert [(one.path, one.latest) for one in find_checkpoints([], states)] == [("r/ck/mnist-10", True)]


def test_the_trainings_record_is_not_taken_for_one_of_the_programs_files(tmp_path: Path) -> None:
    plan = plan_text(RECORD, TEN, [TEN])
    assert "record.json" not in taken(tmp_path / "one", plan, "record.json")
    found = taken(tmp_path / "other", plan, "record.json", "_run/record.json")
    assert [name for name in found if name.endswith("record.json")] == ["record.json"], "a program wrote that one"
