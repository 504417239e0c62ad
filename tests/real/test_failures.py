"""What a person sees when it goes wrong: one message, a status that scripts can use, nothing left behind."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from .bench import EXAMPLE, MANIFEST, Bench, interrupt, read_until

pytestmark = pytest.mark.usefixtures("left_nothing")


def wrong(tmp_path: Path, old: str, new: str) -> Path:
    """The example with one thing wrong."""
    text = MANIFEST.read_text()
    assert old in text
    (tmp_path / "train.py").write_text((EXAMPLE / "train.py").read_text())
    (tmp_path / "manifest.yml").write_text(text.replace(old, new))
    return tmp_path / "manifest.yml"


@pytest.mark.parametrize(
    ("old", "new", "status", "message"),
    [
        ("name: tensorflow-ddl", "name: tensorflow-dll", 2, "did you mean `tensorflow-ddl`?"),
        ('version: "2.19"', 'version: "2.18"', 2, "the catalogue has: 1.5, 2.15, 2.19, 2.21"),
        ("nodes: 2", "nodes: two", 2, "expected a whole number, found 'two'"),
        ("bucket: mnist-training-data", "{}", 2, "training_data_reference.source.bucket: required, but missing"),
        ("${embedded:access_key_id}", "AKIAWRONG", 4, "the keys are refused"),
        ("${embedded:secret_access_key}", "not-the-secret", 4, "the keys are refused"),
        ("bucket: mnist-training-data", "bucket: not-there", 4, "there is no such bucket"),
        ("${embedded:access_key_id}", "${env:TOOLKIT_TEST_UNSET}", 4, "no such environment variable"),
    ],
)
def test_a_wrong_manifest_is_one_clear_message(
    bench: Bench, tmp_path: Path, old: str, new: str, status: int, message: str
) -> None:
    runs = list((bench.home / "runs").glob("*"))
    done = bench.run("launch", wrong(tmp_path, old, new), timeout=30)
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert done.stderr.count("toolkit: error") == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert list((bench.home / "runs").glob("*")) == runs


def test_a_store_that_does_not_answer_is_named(bench: Bench, tmp_path: Path) -> None:
    manifest = wrong(tmp_path, "endpoint_url: embedded", "endpoint_url: http://127.0.0.1:9")
    manifest.write_text(
        manifest.read_text().replace("${embedded:access_key_id}", "a").replace("${embedded:secret_access_key}", "b")
    )
    done = bench.run("launch", manifest, timeout=30)
    assert (done.returncode, "http://127.0.0.1:9 does not answer" in done.stderr) == (3, True)


def test_a_rank_that_fails_fails_the_run_and_its_log_is_kept(bench: Bench, tmp_path: Path) -> None:
    program = "import os, sys; print('about to fall'); sys.exit(3 * int(os.environ['OMPI_COMM_WORLD_RANK']))"
    manifest = bench.manifest(tmp_path, "python program.py ; echo not reached", program)
    done = bench.run("launch", manifest)
    record = bench.newest()
    assert done.returncode == 1
    assert "C201 command 1 of 2, `python program.py`: rank 1 exited with status 3" in done.stderr
    assert (record["state"], record["error_code"]) == ("FAILED", "C201")
    assert [step["ranks"] for step in record["steps"]] == [[0, 3]]
    assert "[1] about to fall" in bench.log(record["training_id"], 2)
    assert "not reached" not in "\n".join(bench.log(record["training_id"], 1))


def test_a_second_command_that_fails_has_its_own_status(bench: Bench, tmp_path: Path) -> None:
    program = "from pathlib import Path; import os; (Path(os.environ['RESULT_DIR']) / 'checkpoint').write_text('kept')"
    done = bench.run("launch", bench.manifest(tmp_path, "python program.py ; sh -c 'exit 7' ; echo never", program))
    record = bench.newest()
    assert done.returncode == 1
    assert [step["exit_status"] for step in record["steps"]] == [0, 7]
    assert "command 2 of 3" in done.stderr
    assert (bench.results(record["training_id"]) / "checkpoint").read_text() == "kept"


def test_a_rank_killed_by_a_signal_ends_the_run(bench: Bench, tmp_path: Path) -> None:
    program = (
        "import os, signal, time\n"
        "if os.environ['OMPI_COMM_WORLD_RANK'] == '1': os.kill(os.getpid(), signal.SIGKILL)\n"
        "time.sleep(60)\n"
    )
    start = time.monotonic()
    done = bench.run("launch", bench.manifest(tmp_path, "python program.py", program), timeout=50)
    assert done.returncode == 1
    assert "rank 1 exited with status 137" in done.stderr
    assert time.monotonic() - start < 50


LONG = (
    "from pathlib import Path; import os, time\n"
    "(Path(os.environ['RESULT_DIR']) / ('by-' + os.environ['OMPI_COMM_WORLD_RANK'])).write_text('early')\n"
    "print('begun', flush=True); time.sleep({seconds})\n"
)


def test_ctrl_c_of_a_script_halts_stores_and_cleans(bench: Bench, tmp_path: Path) -> None:
    process = bench.start("launch", bench.manifest(tmp_path, "python program.py", LONG.format(seconds=300)))
    said = read_until(process, "[1] begun")
    interrupt(process)
    said += process.communicate(timeout=60)[0]
    record = bench.newest()
    assert process.returncode == 130, said
    assert (record["state"], record["end"]) == ("HALTED", "stopped")
    assert "its results are in the bucket" in record["reason"]
    results = bench.results(record["training_id"])
    assert [(results / f"by-{rank}").read_text() for rank in (0, 1)] == ["early", "early"]
    assert "[1] begun" in bench.log(record["training_id"], 2)
    document = json.loads(bench.ok("record", "show", "--json", record["training_id"]).stdout)
    assert (document["end"]["state"], document["end"]["reason"]) == ("HALTED", "stopped")
    assert {one["path"] for one in document["results"]["files"]} >= {"by-0", "by-1"}
    assert "the same as this machine recorded" in bench.ok("record", "verify", record["training_id"]).stderr


def test_ctrl_c_before_the_first_command_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    process = bench.start("launch", bench.manifest(tmp_path, "sleep 300"))
    said = read_until(process, "DOWNLOADING")
    interrupt(process)
    said += process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    record = bench.newest()
    assert record["state"] == "HALTED"
    absent = bench.run("record", "show", record["training_id"])
    assert (absent.returncode, "a run that never started has none" in absent.stderr) == (3, True), absent.stderr


def test_a_terminal_that_is_closed_leaves_the_run_alone_and_another_shell_takes_over(
    bench: Bench, tmp_path: Path
) -> None:
    process = bench.start("launch", bench.manifest(tmp_path, "python program.py", LONG.format(seconds=10)))
    read_until(process, "[1] begun")
    assert process.stdout is not None
    process.stdout.close()
    process.send_signal(signal.SIGHUP)
    process.wait(timeout=60)
    run = bench.newest()
    assert run["state"] == "PROCESSING"
    followed = bench.ok("logs", "--follow", run["training_id"].removeprefix("training-"))
    assert [line for line in followed.stdout.splitlines() if "begun" in line] in (
        ["[0] begun", "[1] begun"],
        ["[1] begun", "[0] begun"],
    )
    assert bench.newest()["state"] == "COMPLETED"


def test_a_launcher_that_is_killed_leaves_a_run_that_another_shell_stops(bench: Bench, tmp_path: Path) -> None:
    process = bench.start("launch", bench.manifest(tmp_path, "python program.py", LONG.format(seconds=300)))
    read_until(process, "[1] begun")
    process.kill()
    process.wait()
    run = bench.newest()["training_id"]
    first, second = bench.start("stop", run), bench.start("stop", run)
    said = [stop.communicate(timeout=60)[0] for stop in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    record = bench.newest()
    assert (record["state"], record["end"]) == ("HALTED", "stopped")
    assert (bench.results(run) / "by-1").read_text() == "early"


def test_a_run_without_a_model_cannot_be_collected(bench: Bench, tmp_path: Path) -> None:
    record = bench.launch(bench.manifest(tmp_path, "echo no model", nodes=1))
    done = bench.run("collect", record["training_id"], "--to", tmp_path / "models")
    assert (done.returncode, "has no folder model/" in done.stderr) == (5, True)
    assert not (tmp_path / "models" / record["training_id"]).exists()
