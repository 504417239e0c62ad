"""What the divergence guard costs a training step: the MNIST example's model, with it and without it, in turn.

    python benchmarks/guard.py [--rounds N]

Runs under `toolkit launch`, as the example does. Needs a running engine and the example's image (`toolkit build
examples/mnist/manifest.yml`); some minutes. One program trains two models like the example's: one is guarded as all are
by default, the other's variables are excluded, which adds nothing to its steps. They take turns of 200 steps (two
comparisons), as two runs differ by more than what is to be measured. Prints the median step of each, and the median of
what a turn with the guard took more than its neighbour without.
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
import keras
import ddl
import train
from digits import TRAINING, read_digits

ROUNDS, STEPS, BATCH = int(sys.argv[1]), 200, 64

class Turn(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 0:
            self.began = time.perf_counter()
        self.milliseconds = 1000 * (time.perf_counter() - self.began) / max(batch, 1)

train.share_processors()
share = train.shard(read_digits(Path(os.environ["DATA_DIR"]), TRAINING))
rows = [index % len(share.images) for index in range((STEPS + 1) * BATCH)]
images, labels = share.images[rows], share.labels[rows]
models = {"with": train.make_model(0.001), "without": train.make_model(0.001)}
ddl.guard_exclude(*models["without"].trainable_variables)
times = {"with": [], "without": []}
for number in range(ROUNDS + 1):
    for name in ("with", "without") if number % 2 else ("without", "with"):
        turn = Turn()
        models[name].fit(images, labels, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[turn])
        if number:  # the first turn is TensorFlow's tracing
            times[name].append(turn.milliseconds)
if ddl.rank() == 0:
    print("TIMES " + json.dumps(times), flush=True)
"""


def toolkit(*words: object, home: Path) -> str:
    """Run the tool; its standard output."""
    argv = [sys.executable, "-m", "toolkit", *map(str, words)]
    environment = {**os.environ, "TOOLKIT_HOME": str(home)}
    done = subprocess.run(argv, cwd=HOUSE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"toolkit {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def prepare(folder: Path, home: Path, rounds: int) -> Path:
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
    (code / "manifest.yml").write_text(text.replace(command, f"python timed.py {rounds}"))
    return code / "manifest.yml"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=30, help="turns of each (default 30)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, home = Path(place), Path(place) / "home"
        home.mkdir()
        manifest = prepare(folder, home, options.rounds)
        run = json.loads(toolkit("launch", "--json", manifest, home=home))["training_id"]
        lines = toolkit("logs", run, home=home).splitlines()
    times = json.loads(next(line.partition("TIMES ")[2] for line in lines if "TIMES " in line))
    on, off = times["with"], times["without"]
    more = sorted(one - other for one, other in zip(on, off, strict=True))
    typical = statistics.median(off)
    cost, low, high = (100 * value / typical for value in (statistics.median(more), *_quartiles(more)))
    with_it = f"{statistics.median(on):.3f} ms with it"
    print(f"a step of MNIST: {typical:.3f} ms without the guard, {with_it}, {len(on)} turns each")
    print(f"the guard costs {cost:+.2f} % (half of the turns between {low:+.2f} % and {high:+.2f} %)")


def _quartiles(ordered: list[float]) -> tuple[float, float]:
    return ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]


if __name__ == "__main__":
    main()
