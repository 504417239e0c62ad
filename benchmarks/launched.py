"""What benchmarks of runs share: a manifest in a folder, launched on this machine, and what its ranks printed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
RESULTS = "benchmark-results"


@dataclass(frozen=True)
class Bench:
    """A folder with a home of the toolkit's own (`home`), code (`code`) and training data (`data`) of its runs."""

    folder: Path

    @property
    def data(self) -> Path:
        """The ranks' DATA_DIR."""
        return self.folder / "data"

    def make(self, programs: Sequence[Path]) -> None:
        """Make the folders; every run has `programs` as its code."""
        self.data.mkdir(parents=True, exist_ok=True)
        (self.folder / "home" / "buckets" / RESULTS).mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(self.folder / "code", ignore_errors=True)
        (self.folder / "code").mkdir()
        for program in programs:
            shutil.copy(program, self.folder / "code")

    def build(self) -> None:
        """Build the image of TensorFlow 2.19 with ddl and the side container's, unless they are there."""
        self._toolkit("build", self._manifest(["true"], "p100", 1))

    def launch(self, commands: Sequence[str], compute: str, nodes: int, cluster: Path | None = None) -> list[list[str]]:
        """Run `commands`, each on every rank; the words of each line that a rank printed, without its number."""
        manifest = self._manifest(commands, compute, nodes)
        on = ("--cluster", cluster) if cluster else ()
        record = json.loads(self._toolkit("launch", "--json", *on, manifest))
        folder = self.folder / "home" / "buckets" / RESULTS / record["training_id"]
        logs = [folder / f"learner-{number + 1}" / "training-log.txt" for number in range(nodes)]
        return [line.split()[1:] for log in logs for line in log.read_text().splitlines()]

    def _manifest(self, commands: Sequence[str], compute: str, nodes: int) -> Path:
        runtimes = {"name": "python", "version": "3.11"}
        keys = {name: f"${{embedded:{name}}}" for name in ("access_key_id", "secret_access_key")}
        manifest = {
            "model_definition": {
                "name": "benchmark",
                "framework": {"name": "tensorflow-ddl", "version": "2.19", "runtimes": runtimes},
                "execution": {
                    "steps": [{"command": command, "ranks": "all"} for command in commands],
                    "compute_configuration": {"name": compute, "nodes": nodes},
                },
            },
            "training_data_reference": {"source": {"path": str(self.data)}, "type": "path"},
            "training_results_reference": {
                "connection": {"endpoint_url": "embedded", **keys},
                "target": {"bucket": RESULTS},
                "type": "s3",
            },
        }
        file = self.folder / "code" / "manifest.yml"
        file.write_text(json.dumps(manifest, indent=1))
        return file

    def _toolkit(self, *words: object) -> str:
        cache = os.environ.get("TOOLKIT_CACHE") or Path.home() / ".toolkit" / "cache"
        home = {"TOOLKIT_HOME": str(self.folder / "home"), "TOOLKIT_CACHE": str(cache), "PYTHONPATH": str(HOUSE)}
        return run([sys.executable, "-m", "toolkit", *words], **home)


def run(argv: Sequence[object], **variables: str) -> str:
    """A command's output; exits with what the command printed where it fails."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [str(word) for word in argv],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=3600,
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, argv))[:300]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def say(what: str) -> None:
    """Progress, on standard error."""
    print(f"{what} …", file=sys.stderr, flush=True)


def load() -> str:
    """How busy the machine was meanwhile."""
    return f"load of the machine meanwhile: {os.getloadavg()[2]:.1f} on {os.cpu_count()} processors"
