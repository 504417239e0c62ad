"""1 and 6 of the table: an operator who is killed, and runs that are stopped, in every stage; on this machine."""

from __future__ import annotations

import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ..real.bench import MANIFEST, NOTHING, Bench, ours
from .local import STOP, LocalRun
from .page import Page, Row
from .program import WRITER, closed, stored
from .shell import processes_of, record_of, wait_for_end

STAGES = ("", "PENDING", "DOWNLOADING", "PROCESSING", "part-1-5", "STORING")
"""A line on the screen after which the operator is killed; the first: none, the command has only just begun."""
SEEDS = 5
AT_ONCE = 3
MODEL = WRITER + (
    "import shutil\n"
    "model = Path(os.environ['DATA_DIR']) / 'small-model'\n"
    "if rank == '0' and model.is_dir():\n"
    "    shutil.copytree(model, results / 'model')\n"
)


@pytest.fixture(scope="session")
def model(bench: Bench, image: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A small SavedModel in the data bucket: what a run leaves must be fit to be collected."""
    folder = tmp_path_factory.mktemp("model")
    folder.chmod(0o777)
    made = (
        "import tensorflow as tf\n"
        "class Twice(tf.Module):\n"
        "    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])\n"
        "    def __call__(self, x):\n"
        "        return {'twice': 2 * x}\n"
        "model = Twice()\n"
        "tf.saved_model.save(model, '/out/small-model', signatures=model.__call__)\n"
    )
    argv = ["docker", "run", "--rm", "--volume", f"{folder}:/out", image, "python", "-c", made]
    subprocess.run(argv, check=True, capture_output=True)
    bench.ok("bucket", "put", MANIFEST, folder)


_WITHIN = {"": 8.0, "DOWNLOADING": 5.0}


def killed(bench: Bench, folder: Path, stage: str, seed: int, within: float | None = None) -> tuple[str, float]:
    """Launch, kill the launcher some time after `stage` was reached, look from another shell; how and when it ended."""
    chance = random.Random(f"{stage} {seed}")  # noqa: S311  the same instants every time
    run = LocalRun(bench, folder, "python program.py 12 0.2 20000", MODEL)
    id_file = folder.with_name(f"{folder.name}.id")
    shell = run.launch("--id-file", str(id_file))
    if stage:
        shell.until(stage)
    time.sleep(chance.uniform(0, _WITHIN.get(stage, 1.5) if within is None else within))
    run.fault()
    shell.kill()
    if not id_file.exists() or not id_file.read_text().strip():
        return "not started", 0.0
    training = id_file.read_text().strip()
    if not (bench.home / "runs" / f"{training}.json").exists():
        wait_until_gone(bench, training)
        return "not started", time.monotonic() - run.at
    record = wait_for_end(bench, training)
    wait_until_gone(bench, training)
    over = time.monotonic() - run.at
    results = bench.results(training)
    if record["state"] == "HALTED":
        assert (record["end"], "killed before any command ran" in record["reason"]) == ("stopped", True)
        assert [file for file in results.rglob("*") if file.is_file()] == []
        return "not started", over
    assert (record["state"], record["end"]) == ("COMPLETED", "completed"), record
    said = bench.ok("logs", training).stdout
    files = closed(said)
    assert len(files) == 24, said
    assert stored(results, files) == files
    if seed == 0:
        bench.ok("collect", training, "--to", folder)
        assert (folder / training / "model" / "saved_model.pb").is_file()
    return "completed", over


def wait_until_gone(bench: Bench, run: str, timeout: float = 120) -> None:
    """Nothing is left of the run on this machine, in the end."""
    deadline = time.monotonic() + timeout
    while left := [name for names in ours(bench).values() for name in names if run in name] + processes_of(run):
        assert time.monotonic() < deadline, left
        time.sleep(1)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("stage", STAGES)
def test_an_operator_killed_with_9_leaves_a_whole_run_or_none(
    bench: Bench, tmp_path: Path, page: Page, model: None, stage: str
) -> None:
    kill_many(bench, tmp_path, page, stage, SEEDS)


def kill_many(bench: Bench, folder: Path, page: Page, stage: str, seeds: int) -> None:
    """Kill operators at `seeds` instants of one stage."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(lambda seed: killed(bench, folder / f"{seed}", stage, seed), range(seeds)))
    words = [end for end, _ in ends]
    reported = ", ".join(f"{words.count(word)} {word}" for word in ("not started", "completed") if word in words)
    when = f"after {stage.replace('part-1-5', 'some files')}" if stage else "right after the start"
    longest = max(over for _, over in ends)
    page.add(Row("1", f"the operator is killed with -9 {when}, at {seeds} instants", reported, None, longest))


STOPS = ("id", "DOWNLOADING", "PROCESSING", "part-1-5", "STORING")


@pytest.mark.parametrize("stage", STOPS)
def test_a_run_is_stopped_from_two_shells_at_once(bench: Bench, tmp_path: Path, page: Page, stage: str) -> None:
    stop_twice(bench, tmp_path, page, stage)


def stop_twice(bench: Bench, folder: Path, page: Page, stage: str) -> None:
    """Two shells stop the run at the same time: both say how it ended, what it wrote is stored, nothing is left."""
    count = 8 if stage == "STORING" else 300
    run = LocalRun(bench, folder / "run", f"python program.py {count} 0.2 20000", WRITER)
    shell = run.launch()
    shell.until("training-" if stage == "id" else stage)
    run.fault()
    stops = [bench.start("stop", shell.run) for _ in range(2)]
    said = [stop.communicate(timeout=120)[0] for stop in stops]
    over = time.monotonic() - run.at
    reported = f"{said}\n{shell.said}"
    assert not any("Traceback" in words for words in said), reported
    status = shell.end()
    record = record_of(bench, shell.run)
    ways = {("HALTED", "stopped", 130)}
    if stage == "STORING":
        ways.add(("COMPLETED", "completed", 0))
    assert (record["state"], record["end"], status) in ways, reported
    if stage not in ("id", "DOWNLOADING"):
        assert [stop.returncode for stop in stops] == [0, 0], reported
        assert all(record["state"] in words for words in said), reported
    run.must_leave_nothing()
    run.must_have_stored(shell.said)
    names = {"id": "as soon as it has an id", "part-1-5": "in the middle of writing"}
    fault = f"it is stopped from two shells at once, {names.get(stage, f'in {stage}')}"
    page.stopped(fault, over, STOP)
    page.add(Row("6", fault, f"{record['state']}, {record['end']}", None, over))
    assert {key: value for key, value in run.left().items() if key in NOTHING} == NOTHING
