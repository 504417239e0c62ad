"""A collection that is killed half-way and repeated, from the embedded store: nothing that arrived is fetched again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.agent.checksums import sha256_of, write_list
from toolkit.image.store import ImageStore
from toolkit.run.plan.training_id import TrainingId, new_training_id
from toolkit.run.records.record import Record, State
from toolkit.run.records.record_store import Records

from .bench import MANIFEST, Bench

FILES, SIZE = 400, 200_000
BUCKET = "mnist-training-models"


@pytest.fixture
def ended(bench: Bench, image: str) -> TrainingId:
    """A run that wrote `FILES` files, as its agent left it: objects, the list of their checksums, the record."""
    run = new_training_id()
    sums = {}
    for number in range(FILES):
        file = bench.results(run) / "plots" / f"{number % 20:02}" / f"{number:05}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        data = os.urandom(SIZE)
        file.write_bytes(data)
        sums[f"{run}/plots/{file.parent.name}/{file.name}"] = hashlib.sha256(data).hexdigest()
    listed = write_list(sums)
    (bench.results(run) / "_run").mkdir()
    (bench.results(run) / "_run" / "SHA256SUMS").write_bytes(listed)
    what = (
        run,
        "plots",
        State.COMPLETED,
        image,
        ImageStore().get(image).image_id,
        "local",
        1,
        1,
        True,
        "embedded",
        BUCKET,
    )
    record = Record(*what, "mnist-training-data", str(MANIFEST), str(MANIFEST.parent), checksums=sha256_of(listed))
    Records(bench.home).save(record.at(State.COMPLETED, 1_764_100_000.0))
    return run


def files_of(folder: Path) -> dict[str, int]:
    """The number (inode) of each file that is as large as it must be, by name."""
    return {
        file.name: file.stat().st_ino
        for file in folder.glob("**/*.png")
        if file.is_file() and file.stat().st_size == SIZE
    }


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_collection_that_was_ended_half_way_is_completed(
    bench: Bench, ended: TrainingId, tmp_path: Path, number: int
) -> None:
    staging, target = tmp_path / f".toolkit-collect-{ended}", tmp_path / ended
    words = ("collect", ended, "--to", tmp_path, "--what", "plots/")
    with bench.start(*words) as first:
        wait_for(lambda: len(files_of(staging)) >= FILES // 4)
        first.send_signal(number)
        first.wait(timeout=60)
    arrived = files_of(staging)
    assert FILES // 4 <= len(arrived) < FILES, "it was not ended half-way"
    assert not target.exists()
    said = json.loads(bench.ok(*words, "--json").stdout)
    assert (said["files"], said["bytes"], said["unchecked"]) == (FILES, FILES * SIZE, [])
    collected = files_of(target)
    assert len(collected) == FILES
    fetched_again = [name for name, inode in arrived.items() if collected[name] != inode]
    assert len(fetched_again) <= 16, "only what rclone was just writing, as large as it must be but not yet closed"
    assert [one.name for one in tmp_path.iterdir()] == [ended]
    sums = dict(reversed(line.split("  ", 1)) for line in (target / "SHA256SUMS").read_text().splitlines())
    assert {name: hashlib.sha256((target / name).read_bytes()).hexdigest() for name in sums} == sums


def test_two_collections_of_a_run_at_once_both_end_well(bench: Bench, ended: TrainingId, tmp_path: Path) -> None:
    words = ("collect", ended, "--to", tmp_path, "--what", "plots/")
    with bench.start(*words) as first, bench.start(*words) as second:
        said = [one.communicate(timeout=120)[0] for one in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert [one.name for one in tmp_path.iterdir()] == [ended]
    assert len(files_of(tmp_path / ended)) == FILES


def test_a_model_that_is_not_there_says_what_is(bench: Bench, ended: TrainingId, tmp_path: Path) -> None:
    done = bench.run("collect", ended, "--to", tmp_path)
    assert done.returncode == 5
    assert "has no folder model/" in done.stderr
    assert f"plots/  {FILES} files, {FILES * SIZE / 1e6:.1f} MB" in done.stderr


TRAIN = """
import os, sys
from pathlib import Path
results = Path(os.environ["RESULT_DIR"])
if sys.argv[1] == "train":
    for step in (1, 2):
        (results / f"weights-{step}.pt").write_text(f"weights {step}")
    (results / "vocabulary.txt").write_text("words")
else:
    there = sorted(file.name for file in results.glob("*.pt"))
    text = f"{Path(os.environ['CHECKPOINT']).read_text()}, {os.environ['CHECKPOINT_NUMBER']}, {there}"
    (results / "made.txt").write_text(text)
"""


def test_the_later_commands_run_on_another_checkpoint_without_training(bench: Bench, tmp_path: Path) -> None:
    command = 'python program.py train ; test -z "$CHECKPOINT" || python program.py later'
    trained = bench.launch(bench.manifest(tmp_path / "code", command, TRAIN, nodes=1))["training_id"]
    listed = json.loads(bench.ok("checkpoints", trained, "--json").stdout)["checkpoints"]
    assert [(one["number"], one["path"], one["fault"]) for one in listed] == [
        (number, f"{trained}/weights-{number}.pt", "") for number in (1, 2)
    ]
    words = ("collect", trained, "--checkpoint", 1, "--to", tmp_path, "--what", "*.txt", "--what", "!learner-*/")
    folder = Path(json.loads(bench.ok(*words, "--json").stdout)["folder"])
    assert (folder / "files/made.txt").read_text() == "weights 1, 1, ['weights-1.pt']"
    assert (folder / "files/vocabulary.txt").read_text() == "words"
    made = bench.newest()
    assert (made["training_id"], made["resumed_from"]) == (folder.name, trained)
    assert [step["command"].split()[1] for step in made["steps"]] == ["_toolkit_checkpoint.py", "-z"]
    bench.ok(*words)
    assert bench.newest()["training_id"] == folder.name, "what is there already is used"
    again = bench.run("retry", folder.name)
    assert (again.returncode, f"collect {trained} --checkpoint" in again.stderr) == (2, True)
