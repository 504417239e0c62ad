"""What the divergence guard costs a training step: the MNIST example's model, with it and without it, in turn.

    python benchmarks/guard.py [--blocks N]

Runs under `toolkit launch`, as the example does. Needs a running engine and the example's image (`toolkit build
examples/mnist/manifest.yml`); some minutes. One program trains two models like the example's: one is guarded as all are
by default, the other's variables are excluded, which adds nothing to its steps. They take turns step by step, as two
runs differ by more than what is to be measured. A block is 100 steps of each, of which one ends with a comparison.
Prints a step without the guard, and what it takes more with it: the mean over blocks, and that mean's standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
EXAMPLE = HOUSE / "examples" / "mnist"

TIMED = """
import json, os, sys, time
from pathlib import Path
import ddl
import tensorflow as tf
import train
from digits import TRAINING, read_digits

BLOCKS, STEPS, BATCH = int(sys.argv[1]), 100, 64

train.share_processors()
share = train.shard(read_digits(Path(os.environ["DATA_DIR"]), TRAINING))
models = {"with": train.make_model(0.001), "without": train.make_model(0.001)}
ddl.guard_exclude(*models["without"].trainable_variables)
take_step = {}
for name, model in models.items():
    pairs = tf.data.Dataset.from_tensor_slices((share.images, share.labels))
    batches = iter(pairs.repeat().batch(BATCH, drop_remainder=True).prefetch(2))
    model.make_train_function()
    take_step[name] = lambda train_function=model.train_function, batches=batches: train_function(batches)
blocks = {"with": [], "without": []}
for block in range(BLOCKS + 1):
    spent = {"with": 0.0, "without": 0.0}
    for step in range(STEPS):
        for name in ("with", "without") if (block + step) % 2 else ("without", "with"):
            began = time.perf_counter()
            logs = take_step[name]()
            float(logs["loss"])
            spent[name] += time.perf_counter() - began
    if block:  # the first is TensorFlow's tracing
        for name, seconds in spent.items():
            blocks[name].append(1000 * seconds / STEPS)
if ddl.rank() == 0:
    print("TIMES " + json.dumps(blocks), flush=True)
"""


def toolkit(*words: object, home: Path) -> str:
    """Run the tool; its standard output."""
    argv = [sys.executable, "-m", "toolkit", *map(str, words)]
    environment = {**os.environ, "TOOLKIT_HOME": str(home)}
    done = subprocess.run(argv, cwd=HOUSE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"toolkit {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def prepare(folder: Path, home: Path, blocks: int) -> Path:
    """The digits in the embedded store, and a manifest beside the program."""
    subprocess.run([sys.executable, EXAMPLE / "make_digits.py", folder / "digits"], check=True, capture_output=True)
    toolkit("bucket", "put", EXAMPLE / "manifest.yml", folder / "digits", home=home)
    code = folder / "code"
    code.mkdir()
    for program in ("train.py", "digits.py"):
        (code / program).write_text((EXAMPLE / program).read_text())
    (code / "timed.py").write_text(TIMED)
    text, command = (EXAMPLE / "manifest.yml").read_text(), "python train.py ; python transform.py"
    assert command in text
    (code / "manifest.yml").write_text(text.replace(command, f"python timed.py {blocks}"))
    return code / "manifest.yml"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--blocks", type=int, default=240, help="of 100 steps of each (default 240)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, home = Path(place), Path(place) / "home"
        home.mkdir()
        manifest = prepare(folder, home, options.blocks)
        run = json.loads(toolkit("launch", "--json", manifest, home=home))["training_id"]
        lines = toolkit("logs", run, home=home).splitlines()
    times = json.loads(next(line.partition("TIMES ")[2] for line in lines if "TIMES " in line))
    print(in_words(times["with"], times["without"]))


def in_words(on: list[float], off: list[float]) -> str:
    """What the blocks' milliseconds a step, with the guard and without it, come to."""
    typical = statistics.fmean(off)
    more = [100 * (one - other) / typical for one, other in zip(on, off, strict=True)]
    error = statistics.stdev(more) / len(more) ** 0.5
    cost = f"{statistics.fmean(more):+.2f} % (the median of {len(more)} blocks: {statistics.median(more):+.2f} %)"
    return (
        f"a step of MNIST on two ranks: {typical:.3f} ms without the guard, {statistics.fmean(on):.3f} ms with it\n"
        f"the guard costs {cost}, with a standard error of {error:.2f} %"
    )


if __name__ == "__main__":
    main()
