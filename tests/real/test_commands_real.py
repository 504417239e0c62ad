"""What a manifest's commands are worth: bash, pipelines and statuses, with real mpirun in real learners."""

from __future__ import annotations

from pathlib import Path

import pytest

from .bench import Bench

pytestmark = pytest.mark.usefixtures("left_nothing")

FAILS = "import sys, time\ntime.sleep(1)\nprint('training is broken')\ntime.sleep(2)\nsys.exit(7)\n"
SLOW = "import os, time\ntime.sleep(3)\nopen(os.environ['RESULT_DIR'] + '/finished', 'w').write('yes')\nprint('done')\n"


def assert_ended_with_7(ranks: list[int | None]) -> None:
    """mpirun ends the others once it has seen one end: one that was a little later has no status of its own."""
    assert 7 in ranks
    assert set(ranks) <= {7, None}


def test_both_streams_into_a_file_is_no_background_job(bench: Bench, tmp_path: Path) -> None:
    """dash reads `&>` as a background job: this run was COMPLETED, both files empty, the second program cut off."""
    command = "python program.py &> $RESULT_DIR/said.$OMPI_COMM_WORLD_RANK ; python slow.py &> $RESULT_DIR/slow.txt"
    manifest = bench.manifest(tmp_path, command, FAILS)
    (tmp_path / "slow.py").write_text(SLOW)
    done, record = bench.run("launch", manifest), bench.newest()
    assert (done.returncode, record["state"], record["error_code"]) == (1, "FAILED", "C201")
    assert "exited with status 7" in record["reason"]
    (step,) = record["steps"]
    assert_ended_with_7(step["ranks"])
    assert (step["argv"][0], step["attempts"], step["folder"]) == ("/usr/bin/mpirun", 1, "/job/code")
    assert all(end - start >= 3 for start, end in filter(None, step["times"]))
    assert record["placement"] == [[1, "", [0]], [2, "", [1]]]
    results = bench.results(record["training_id"])
    assert [(results / f"said.{rank}").read_text() for rank in (0, 1)] == ["training is broken\n"] * 2
    assert not (results / "finished").exists()
    assert ": status 7, 3." in bench.ok("show").stdout


def test_what_both_streams_say_is_whole_where_all_is_well(bench: Bench, tmp_path: Path) -> None:
    command = "python program.py &> $RESULT_DIR/said.$OMPI_COMM_WORLD_RANK ; python slow.py |& tee $RESULT_DIR/slow.txt"
    program = "import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr)\n"
    manifest = bench.manifest(tmp_path, command, program)
    (tmp_path / "slow.py").write_text(SLOW)
    record = bench.launch(manifest)
    assert [(step["exit_status"], step["ranks"]) for step in record["steps"]] == [(0, [0, 0]), (0, [])]
    results = bench.results(record["training_id"])
    assert [(results / f"said.{rank}").read_text() for rank in (0, 1)] == ["out\nerr\n"] * 2
    assert ((results / "finished").read_text(), (results / "slow.txt").read_text()) == ("yes", "done\n")


@pytest.mark.parametrize(
    "command",
    [
        "python program.py | tee $RESULT_DIR/log.$OMPI_COMM_WORLD_RANK",
        pytest.param(
            'bash -c "python program.py | tee $RESULT_DIR/log.$OMPI_COMM_WORLD_RANK | tail -1"', marks=pytest.mark.slow
        ),
        pytest.param("bash -c 'python program.py; echo done'", marks=pytest.mark.slow),
    ],
)
def test_a_program_that_fails_in_a_pipeline_or_a_script_fails_the_run(
    bench: Bench, tmp_path: Path, command: str
) -> None:
    done, record = bench.run("launch", bench.manifest(tmp_path, command, FAILS)), bench.newest()
    assert (done.returncode, record["state"]) == (1, "FAILED")
    assert_ended_with_7(record["steps"][0]["ranks"])
    assert "[1] training is broken" in bench.log(record["training_id"], 2)


def test_a_part_whose_reader_is_done_is_no_failure_on_any_learner(bench: Bench, tmp_path: Path) -> None:
    command = "yes | head -1 && bash -c 'yes | head -1' && [[ -n $SHLVL ]] ; yes | head -1 | tee $RESULT_DIR/one"
    record = bench.launch(bench.manifest(tmp_path, command))
    assert [(step["exit_status"], step["ranks"]) for step in record["steps"]] == [(0, [0, 0]), (0, [])]
