"""Memory and start-up of the tool's own process, each beside a peer. Needs a running engine; about 5 minutes, 10 GB.

    python benchmarks/footprint.py

Prints a table: `toolkit --help` beside an empty Python; the largest process (peak resident memory) of a build of a 2 GB
image beside `docker build`, and of the collection of a 1 GB model beside `rclone copy`. Removes what it made.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "mnist"
GIGABYTE = 1_000_000_000
RUNS = 15

BUILD = """
import sys
from dataclasses import replace
from pathlib import Path
from toolkit.catalogue.model import Tree
from toolkit.image.version import sha256_of
from toolkit.api.resolve import named_row
from toolkit.image.build import Build
from toolkit.image.builders import builder_named
from toolkit.progress import silent
from toolkit.image.store import ImageStore
from toolkit.lock.file import read_lock, write_lock
from toolkit.lock.staleness import question
from toolkit.paths import cache
folder = Path(sys.argv[1])
row = named_row("tensorflow-ddl-2.19-py3.11-cpu")
recipe = replace(
    row.recipe, name="toolkit-benchmark", template=folder / "Dockerfile.j2", lock=folder / "benchmark.lock",
    trees=(Tree(folder / "payload", "/payload"),), requirements=(), native=None,
)
asked = replace(
    read_lock(row.recipe.lock), wheels=(), asked=question(recipe), template=sha256_of(recipe.template)
)
write_lock(asked, recipe.lock, "2 GB")
store = ImageStore()
print(Build(recipe, store, builder_named("classic", store), cache(), silent).run().reference)
"""

TRAIN = """
import os
import tensorflow as tf
class Big(tf.Module):
    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(tf.random.stateless_uniform([250_000_000], [1, 2]))
    @tf.function(input_signature=[tf.TensorSpec([1], tf.float32, name="x")])
    def serve(self, x):
        return {"y": x * self.weights[0]}
big = Big()
tf.saved_model.save(big, os.environ["RESULT_DIR"] + "/model", {"serving_default": big.serve})
"""


def measured(argv: Sequence[object], **environment: str) -> tuple[float, float, str]:
    """Run `argv`: seconds, peak resident memory in MB of its largest process, standard output."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        words = [str(word) for word in argv]
        process = subprocess.Popen(words, stdout=output, stderr=sys.stderr, env={**os.environ, **environment})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        output.seek(0)
        text = output.read()
    if status:
        raise SystemExit(f"{words}: wait status {status}\n{text}")
    return seconds, usage.ru_maxrss * 1024 / 1e6, text


def row(what: str, ours: float, peer: str, theirs: float, unit: str) -> None:
    """One line of the table."""
    print(f"{what:<34}{ours:8.1f} {unit:<4}{peer:<22}{theirs:8.1f} {unit:<4}ratio {ours / theirs:.2f}", flush=True)


def start_up() -> None:
    """`toolkit --help` beside an empty Python: medians of pairs, one after the other."""
    toolkit = Path(sys.executable).parent / "toolkit"
    pairs = [(measured([toolkit, "--help"])[0], measured([sys.executable, "-c", "pass"])[0]) for _ in range(RUNS)]
    ours, theirs = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    row("toolkit --help", ours, "python -c pass", theirs, "ms")


def build(folder: Path) -> None:
    """A 2 GB image: ours beside the engine's own client, on the same payload."""
    with (folder / "payload").open("wb") as payload:
        for _ in range(2 * GIGABYTE // 10_000_000):
            payload.write(os.urandom(10_000_000))
    (folder / "Dockerfile.j2").write_text(
        "FROM {{ parent }}\nCOPY lock.yml /usr/share/toolkit/lock.yml\n"
        "COPY {{ trees[0].context }} {{ trees[0].target }}\n"
    )
    _, ours, reference = measured([sys.executable, "-c", BUILD, folder])
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY payload /payload\n")
    _, theirs, _ = measured(
        ["docker", "build", "--quiet", "--tag", "toolkit-benchmark:peer", folder], DOCKER_BUILDKIT="0"
    )
    row("memory, building a 2 GB image", ours, "docker build", theirs, "MB")
    subprocess.run(["docker", "rmi", reference.strip(), "toolkit-benchmark:peer"], check=True, capture_output=True)
    (folder / "payload").unlink()


def collect(folder: Path) -> None:
    """A 1 GB model: ours, its check included, beside a plain copy by rclone."""
    code = folder / "code"
    code.mkdir()
    text = (EXAMPLE / "manifest.yml").read_text().replace("nodes: 2", "nodes: 1")
    (code / "manifest.yml").write_text(text.replace("python train.py ; python transform.py", "python train.py"))
    (code / "train.py").write_text(TRAIN)
    home = {"TOOLKIT_HOME": str(folder / "home")}
    toolkit = [sys.executable, "-m", "toolkit"]
    measured([*toolkit, "bucket", "put", code / "manifest.yml", code], **home)
    record = json.loads(measured([*toolkit, "launch", "--json", code / "manifest.yml"], **home)[2])
    seconds, ours, _ = measured([*toolkit, "collect", record["training_id"], "--to", folder / "models"], **home)
    stored = folder / "home" / "buckets" / record["results_bucket"] / record["training_id"]
    _, theirs, _ = measured([Path(sys.executable).parent / "rclone", "copy", stored, folder / "copy"])
    row(f"memory, collecting 1 GB ({seconds:.0f} s)", ours, "rclone copy", theirs, "MB")


def main() -> None:
    """All three, in a folder that is removed."""
    folder = Path(tempfile.mkdtemp())
    os.environ.setdefault("TOOLKIT_CACHE", str(Path.home() / ".toolkit" / "cache"))
    try:
        start_up()
        build(folder)
        collect(folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
