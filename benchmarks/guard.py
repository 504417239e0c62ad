"""What the divergence guard costs a training step: the MNIST example's model, with it and without it, in turn.

    python benchmarks/guard.py [--thousands N]

Runs under `toolkit launch`, as the example does. Needs a running engine and the example's image (`toolkit build
examples/mnist/manifest.yml`); four minutes. One program trains the example's model by two training functions in turn,
step by step, as two runs, and even two models, differ by more than what is to be measured: one function is guarded as
all are by default, the other was traced when the model's variables were excluded, which adds nothing to it. Of a
thousand steps of each, the cost is the median of the differences between neighbours, in 99 of 100, and what the step
that ends with a comparison takes more (the mean of ten). Prints the mean of all thousands, and its standard error.
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
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "mnist"

TIMED = """
import os, statistics, sys, time
from pathlib import Path
import ddl
import tensorflow as tf
import train
from digits import TRAINING, read_digits

THOUSANDS, INTERVAL, BATCH = int(sys.argv[1]), 100, 64

train.share_processors()
share = train.shard(read_digits(Path(os.environ["DATA_DIR"]), TRAINING))
model = train.make_model(0.001)
pairs = tf.data.Dataset.from_tensor_slices((share.images, share.labels))
batches = iter(pairs.repeat().batch(BATCH, drop_remainder=True).prefetch(2))
functions = {}
for name in ("with", "without"):
    if name == "without":
        ddl.guard_exclude(*model.trainable_variables)  # of what is traced from now on
    functions[name] = model.make_train_function(force=True) or model.train_function
    functions[name](batches)

def pair(names):
    spent = {}
    for name in names:
        began = time.perf_counter()
        float(functions[name](batches)["loss"])
        spent[name] = 1000 * (time.perf_counter() - began)
    return spent["with"], spent["without"]

ORDERS = (("with", "without"), ("without", "with"))
for step in range(2, INTERVAL + 1):  # TensorFlow warms up
    pair(ORDERS[step % 2])
for thousand in range(THOUSANDS):
    more, compared, typical = {order: [] for order in ORDERS}, [], []
    for step in range(1, 1001):
        order = ORDERS[(step + step // INTERVAL) % 2]
        guarded, other = pair(order)
        typical.append(other)
        if step % INTERVAL:
            more[order].append(guarded - other)
        else:
            compared.append(guarded - other)
    each = statistics.fmean(map(statistics.median, more.values()))
    if ddl.rank() == 0:
        print("THOUSAND", statistics.median(typical), each, statistics.fmean(compared), flush=True)
"""


INTERVAL = 100


class Thousand(NamedTuple):
    """Of a thousand steps of each, in milliseconds.

    Attributes:
        step: one without the guard.
        each: what one with it takes more.
        compared: what one that ends with a comparison takes more.
    """

    step: float
    each: float
    compared: float


def toolkit(*words: object, home: Path) -> str:
    """Run the tool; its standard output."""
    argv = [sys.executable, "-m", "toolkit", *map(str, words)]
    environment = {**os.environ, "TOOLKIT_HOME": str(home)}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"toolkit {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def prepare(folder: Path, home: Path, thousands: int) -> Path:
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
    (code / "manifest.yml").write_text(text.replace(command, f"python timed.py {thousands}"))
    return code / "manifest.yml"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--thousands", type=int, default=10, help="of steps of each (default 10)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, home = Path(place), Path(place) / "home"
        home.mkdir()
        manifest = prepare(folder, home, options.thousands)
        run = json.loads(toolkit("launch", "--json", manifest, home=home))["training_id"]
        lines = toolkit("logs", run, home=home).splitlines()
    found = [line.partition("THOUSAND ")[2].split() for line in lines if "THOUSAND " in line]
    print(in_words([Thousand(*map(float, words)) for words in found]))


def in_words(found: list[Thousand]) -> str:
    """What it all comes to."""
    step, each, compared = (statistics.fmean(values) for values in zip(*found, strict=True))
    costs = [100 * ((INTERVAL - 1) * one.each + one.compared) / INTERVAL / one.step for one in found]
    error = statistics.stdev(costs) / len(costs) ** 0.5
    return (
        f"a step of MNIST on two ranks without the guard: {step:.2f} ms; with it {1000 * each:+.1f} us, "
        f"and each {INTERVAL}th {compared:+.2f} ms\n"
        f"the guard costs {statistics.fmean(costs):+.2f} % (standard error {error:.2f} %; {len(found)},000 steps)"
    )


if __name__ == "__main__":
    main()
