"""The `toolkit` command of a test, with a home of its own, and what its runs leave on this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.paths import assets, cache

EXAMPLE = assets() / "examples" / "mnist"
MANIFEST = EXAMPLE / "manifest.yml"
MODEL = """import os, tensorflow as tf
class Double(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        return 2 * x
tf.saved_model.save(Double(), os.environ["RESULT_DIR"] + "/model")
"""
"""The smallest program with a model, for tests of something other than training."""


def heed_signals() -> None:
    """A shell's background job ignores Ctrl-C, and nohup a closed terminal; ignoring is inherited."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What `process` prints up to the line with `words`."""
    assert process.stdout is not None
    said = ""
    while words not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


@dataclass(frozen=True)
class Bench:
    """The `toolkit` command with a home of its own, and what it leaves there."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TOOLKIT_HOME": str(self.home), "TOOLKIT_CACHE": str(cache())}

    def argv(self, *words: object) -> list[str]:
        return [sys.executable, "-m", "toolkit", *map(str, words)]

    def run(self, *words: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """One command to its end, whatever its status."""
        return subprocess.run(
            self.argv(*words), env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def ok(self, *words: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """One command that must succeed."""
        done = self.run(*words, timeout=timeout)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *words: object) -> subprocess.Popen[str]:
        """One command, running."""
        return subprocess.Popen(
            self.argv(*words),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=heed_signals,
        )

    def launch(self, manifest: Path) -> dict[str, Any]:
        """Launch to a completed end; the record."""
        record: dict[str, Any] = json.loads(self.ok("launch", "--json", manifest).stdout)
        return record

    def newest(self) -> dict[str, Any]:
        """The newest run's record."""
        record: dict[str, Any] = json.loads(self.ok("show", "--json").stdout)
        return record

    def results(self, training_id: str) -> Path:
        """A run's folder in the results bucket, as the embedded store keeps it."""
        return self.home / "buckets" / "mnist-training-models" / training_id

    def log(self, training_id: str, learner: int) -> list[str]:
        """A learner's stored log."""
        return (self.results(training_id) / f"learner-{learner}" / "training-log.txt").read_text().splitlines()

    def manifest(self, folder: Path, command: str, program: str = "", nodes: int = 2) -> Path:
        """A manifest in `folder` that runs `command`, with `program` beside it as `program.py`."""
        folder.mkdir(parents=True, exist_ok=True)
        text = MANIFEST.read_text().replace("nodes: 2", f"nodes: {nodes}")
        text = text.replace("command: python train.py ; python transform.py", f"command: {json.dumps(command)}")
        (folder / "manifest.yml").write_text(text)
        (folder / "program.py").write_text(program)
        return folder / "manifest.yml"


def ours(bench: Bench) -> dict[str, list[str]]:
    """Everything of this bench's runs that the engine and the kernel know of; others may train on this machine."""
    docker = shutil.which("docker") or "docker"
    runs = [file.stem for file in (bench.home / "runs").glob("*.json")]

    def names(*words: str) -> set[str]:
        return set(subprocess.run([docker, *words], check=True, capture_output=True, text=True).stdout.split())

    def of_runs(found: set[str]) -> list[str]:
        return sorted(name for name in found if any(run in name for run in runs))

    mounts = {line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if "fuse.rclone" in line}
    stores = names("ps", "--all", "--format", "{{.Names}}", "--filter", f"volume={bench.home / 'buckets'}")
    return {
        "containers": sorted({*of_runs(names("ps", "--all", "--format", "{{.Names}}")), *stores}),
        "volumes": of_runs(names("volume", "ls", "--format", "{{.Name}}")),
        "networks": of_runs(names("network", "ls", "--format", "{{.Name}}")),
        "mounts": of_runs(mounts),
    }


NOTHING: dict[str, list[str]] = {"containers": [], "volumes": [], "networks": [], "mounts": []}


def interrupt(process: subprocess.Popen[str]) -> None:
    """Send SIGINT, as Ctrl-C does."""
    process.send_signal(signal.SIGINT)
