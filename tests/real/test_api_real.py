"""A script that uses `toolkit.api`: built, launched, followed, stopped and collected on the real parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from toolkit.paths import assets

from .bench import MANIFEST, Bench, ours

NOTHING: dict[str, list[str]] = {"containers": [], "volumes": [], "networks": [], "mounts": []}
LOOP = "import time\nwhile True:\n    print('still here', flush=True)\n    time.sleep(0.2)\n"

FOLLOW = """
import sys
from toolkit import api
from toolkit.run.follow.view import Choice, SilentView

class UntilSecondLine(SilentView):
    seen = 0
    def line(self, line):
        self.seen += 1
        if self.seen == 2:
            raise KeyboardInterrupt

run = api.launch(sys.argv[1], follow=False, id_file=sys.argv[2])
print("submitted", run.final)
view = UntilSecondLine(Choice.DETACH)
print("detached", api.follow(run, view=view).final)
print("lines", next(api.log_lines(run)).text)
notes = []
stopped = api.stop_run(run, report=lambda step: notes.append(step.note))
print(stopped.state.value, len(notes), [one.state.value for one in api.list_runs(active=True).runs])
"""


def test_the_script_in_examples_builds_launches_and_collects(bench: Bench, tmp_path: Path) -> None:
    script = assets() / "examples" / "train_and_collect.py"
    assert len(script.read_text().splitlines()) <= 20
    argv = [sys.executable, str(script), str(MANIFEST), str(tmp_path)]
    done = subprocess.run(argv, env=bench.environment, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    image, training_id, state, folder, metrics = done.stdout.splitlines()
    assert (image[:7], state, folder) == ("sha256:", "COMPLETED", str(tmp_path / training_id))
    assert (tmp_path / training_id / "model" / "saved_model.pb").is_file()
    assert "'digits': 360" in metrics


def test_the_script_says_what_is_wrong_without_a_traceback(bench: Bench, tmp_path: Path) -> None:
    script = assets() / "examples" / "train_and_collect.py"
    argv = [sys.executable, str(script), str(tmp_path / "none.yml"), str(tmp_path)]
    done = subprocess.run(argv, env=bench.environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error C101 ")
    assert "Traceback" not in done.stderr


def test_a_run_is_submitted_followed_for_a_while_and_stopped(bench: Bench, tmp_path: Path) -> None:
    manifest = bench.manifest(tmp_path / "code", "python program.py", LOOP, nodes=1)
    argv = [sys.executable, "-c", FOLLOW, str(manifest), str(tmp_path / "id")]
    done = subprocess.run(argv, env=bench.environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["submitted False", "detached False"]
    assert done.stdout.splitlines()[2].startswith("lines [")
    assert done.stdout.splitlines()[3] == "HALTED 1 []"
    assert bench.newest()["training_id"] == (tmp_path / "id").read_text().strip()
    assert ours(bench) == NOTHING
