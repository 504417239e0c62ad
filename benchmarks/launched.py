"""What benchmarks of runs share: a manifest in a folder, launched on this machine, and what its ranks printed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = "benchmark-results"
EMBEDDED = {
    "endpoint_url": "embedded",
    **{name: f"${{embedded:{name}}}" for name in ("access_key_id", "secret_access_key")},
}
"""The connection to the store of this machine."""
Section = Mapping[str, object]
"""A part of a manifest."""


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

    def launch(
        self, commands: Sequence[str], compute: str, nodes: int, cluster: Path | None = None, last: str = "all"
    ) -> list[list[str]]:
        """Run `commands`, each on every rank, the last one on `last`; the words of each line, without its rank."""
        manifest = self._manifest(commands, compute, nodes, last)
        on = ("--cluster", cluster) if cluster else ()
        record = json.loads(self._toolkit("launch", "--json", *on, manifest))
        folder = self.folder / "home" / "buckets" / RESULTS / record["training_id"]
        logs = [folder / f"learner-{number + 1}" / "training-log.txt" for number in range(nodes)]
        return [line.split()[1:] for log in logs for line in log.read_text().splitlines()]

    def _manifest(self, commands: Sequence[str], compute: str, nodes: int, last: str = "all") -> Path:
        steps = {"steps": [{"command": command, "ranks": "all"} for command in commands]}
        steps["steps"][-1]["ranks"] = last
        data = {"source": {"path": str(self.data)}, "type": "path"}
        results = s3_reference(EMBEDDED, "target", RESULTS)
        return write_manifest(self.folder / "code", steps, compute, nodes, data=data, results=results)

    def _toolkit(self, *words: object) -> str:
        home = {**own_home(self.folder / "home"), "PYTHONPATH": str(ROOT)}
        return run([sys.executable, "-m", "toolkit", *words], **home)


def write_manifest(
    code: Path, execution: Section, compute: str, nodes: int, *, data: Section, results: Section
) -> Path:
    """A manifest of TensorFlow 2.19 with ddl, in the folder with its code; `execution`: its command or its steps."""
    runtimes = {"name": "python", "version": "3.11"}
    definition = {
        "name": "benchmark",
        "framework": {"name": "tensorflow-ddl", "version": "2.19", "runtimes": runtimes},
        "execution": {**execution, "compute_configuration": {"name": compute, "nodes": nodes}},
    }
    references = {"training_data_reference": data, "training_results_reference": results}
    file = code / "manifest.yml"
    file.write_text(json.dumps({"model_definition": definition, **references}, indent=1))
    return file


def s3_reference(connection: Mapping[str, str], role: str, bucket: str) -> dict[str, object]:
    """A manifest's reference to a bucket: `source` of data, or `target` of results."""
    return {"connection": connection, role: {"bucket": bucket}, "type": "s3"}


def own_home(folder: Path) -> dict[str, str]:
    """Variables that keep a benchmark's runs apart from the user's; what was fetched before is used."""
    cache = os.environ.get("TOOLKIT_CACHE") or str(Path.home() / ".toolkit" / "cache")
    return {"TOOLKIT_HOME": str(folder), "TOOLKIT_CACHE": cache}


def run(argv: Sequence[object], **variables: str) -> str:
    """A command's output; exits with what the command printed where it fails."""
    done = subprocess.run(
        [str(word) for word in argv],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=3600,
    )
    if done.returncode != 0:
        words = " ".join(map(str, argv))[:300]
        sys.exit(f"{words}: status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def say(what: str) -> None:
    """Progress, on standard error."""
    print(f"{what} …", file=sys.stderr, flush=True)


def load(average: int = 2) -> str:
    """How busy the machine was meanwhile: the average of the last 1, 5 or 15 minutes (0, 1, 2)."""
    return f"load of the machine meanwhile: {os.getloadavg()[average]:.1f} on {os.cpu_count()} processors"
