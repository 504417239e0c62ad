"""Reducing gradients over two ranks of one learner: ddl beside MPI, mpi4py, Horovod and TensorFlow's own.

    python -m benchmarks.allreduce [FOLDER] [--rounds N] [--quick] [--prepare]

Prints medians in milliseconds, and the ratios that ddl is held to. Every rank is started by `toolkit launch`, on this
machine, in the image of TensorFlow 2.19 with the ddl that is in it: placed, bound and limited as a user's rank is. The
ways take turns as commands of one run, one run for each round. A rank alone has the share of the cores that one of two
has: the other rank ends at once.

Needs Docker Engine, g++, cmake, libopenmpi-dev and openmpi-bin of Debian 12, whose Open MPI the image has too, Python
3.11, and the network. FOLDER (default: a temporary one) keeps what was made for the next time: Horovod 0.28.1 built
from its source, the program in C, the results. Half an hour for the first time, ten minutes with FOLDER; `--prepare`
builds and measures nothing. A busy machine gives no figures worth keeping: the load is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from benchmarks.launched import Bench, load, run, say

RANKS_CODE = Path(__file__).resolve().parent / "allreduce_ranks"
PACKAGES = ["tensorflow-cpu==2.19.1", "mpi4py==4.1.2", "setuptools<70", "wheel"]
HOROVOD_NEEDS = ["packaging", "cloudpickle", "psutil", "pyyaml"]
HOROVOD = "horovod==0.28.1"
XLA_SOURCE = 'list(APPEND TF_SOURCES "${PROJECT_SOURCE_DIR}/horovod/tensorflow/xla_mpi_ops.cc")'
# TensorFlow's headers want C++17; those of XLA, in TensorFlow 2.19's package, want LLVM's, which it lacks.
HOROVOD_PATCHES = [
    ("CMakeLists.txt", "set(CMAKE_CXX_STANDARD 14)", "set(CMAKE_CXX_STANDARD 17)"),
    ("horovod/tensorflow/CMakeLists.txt", XLA_SOURCE, ""),
]
REDUCING = {
    "MPI_Allreduce in C, tensor by tensor": "raw",
    "ddl, graph and session": "ddl_graph",
    "ddl, tf.function": "ddl_function",
    "ddl, Keras optimizer's step": "ddl_keras",
    "mpi4py in numpy_function": "mpi4py_function",
    "Horovod 0.28.1, graph and session": "horovod_graph",
    "Horovod 0.28.1, tf.function": "horovod_function",
    "MultiWorkerMirroredStrategy": "strategy",
}
TRAINING = ["alone", "ddl", "mpi4py", "horovod", "strategy"]


def resnet_50() -> list[int]:
    """The elements of each of ResNet-50's gradients, from its architecture (arXiv 1512.03385): 25.6 million in all."""
    sizes = [7 * 7 * 3 * 64, 64, 64]
    channels = 64
    for blocks, width in ((3, 64), (4, 128), (6, 256), (3, 512)):
        for block in range(blocks):
            for kernel, into, out in ((1, channels, width), (3, width, width), (1, width, 4 * width)):
                sizes += [kernel * kernel * into * out, out, out]
            if block == 0:
                sizes += [channels * 4 * width, 4 * width, 4 * width]
            channels = 4 * width
    return [*sizes, 2048 * 1000, 1000]


CASES = {
    "4 KB": [1 << 10],
    "256 KB": [1 << 16],
    "4 MB": [1 << 20],
    "64 MB": [1 << 24],
    "ResNet-50": resnet_50(),
}


class Place:
    """A folder with everything that is measured, built where it is missing; and the runs that measure it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bench = folder, Bench(folder)

    def make(self) -> None:
        self.bench.make(list(RANKS_CODE.glob("*.py")))
        if not list(self.bench.data.glob("packages/horovod/tensorflow/mpi_lib*")):
            say("building Horovod from its source")
            self._make_horovod()
        run(["mpicc", "-O3", RANKS_CODE / "raw.c", "-o", self.bench.data / "raw"])
        say("building the image, unless it is here")
        self.bench.build()

    def _make_horovod(self) -> None:
        """Built against the image's versions of Python, TensorFlow and Open MPI; only what the image lacks goes in."""
        source, packages = self.folder / "horovod", self.bench.data / "packages"
        for old in (source, packages):
            shutil.rmtree(old, ignore_errors=True)
        run([sys.executable, "-m", "venv", self.folder / "environment"])
        pip = [self.folder / "environment" / "bin" / "python", "-m", "pip"]
        run([*pip, "install", "-q", *PACKAGES, *HOROVOD_NEEDS])
        run(
            [*pip, "download", "-q", "--no-deps", "--no-build-isolation", "--no-binary", ":all:", HOROVOD, "-d", source]
        )
        run(["tar", "-xf", next(source.glob("*.tar.gz")), "-C", source, "--strip-components", "1"])
        for name, old, new in HOROVOD_PATCHES:
            text = (source / name).read_text()
            if old not in text:
                sys.exit(f"Horovod's {name} is not what its patch expects")
            (source / name).write_text(text.replace(old, new))
        without = {f"HOROVOD_WITHOUT_{name}": "1" for name in ("PYTORCH", "MXNET", "GLOO")}
        words = {"HOROVOD_WITH_TENSORFLOW": "1", "HOROVOD_WITH_MPI": "1", "MAKEFLAGS": f"-j{os.cpu_count()}"}
        own = [*pip, "install", "-q", "--no-deps", "--no-build-isolation", "--target", packages]
        run([*own, source, *HOROVOD_NEEDS], **without, **words)

    def measure(self, steps: int) -> dict[tuple[str, int], list[float]]:
        """One run of two ranks, each way a command of its own: the seconds of each step, by way and number of the case.

        Exits where ranks that trained together ended with different weights.
        """
        cases = " ".join(",".join(map(str, sizes)) for sizes in CASES.values())
        commands = [
            f"$DATA_DIR/raw {steps} {cases}" if way == "raw" else f"python reduce.py {way} {steps} {cases}"
            for way in REDUCING.values()
        ]
        commands += [f"python train.py {way} {steps}" for way in TRAINING]
        found: dict[tuple[str, int], list[float]] = {}
        weights: dict[str, set[str]] = defaultdict(set)
        for words in self.bench.launch(commands, "p100x2", 1):
            if words[:1] == ["STEPS"]:
                found[words[1], int(words[2])] = [float(one) for one in words[3:]]
            elif words[:1] == ["WEIGHTS"]:
                weights[words[1]].add(words[2])
        for way, ends in weights.items():
            if len(ends) > 1:
                sys.exit(f"{way}: the ranks' weights differ: {ends}")
        return found


def measured(place: Place, rounds: int, steps: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Milliseconds: of each way of reducing in each case, and of a training step by each way.

    Medians over the steps of all rounds; of those of reducing the first fifth is left out.
    """
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for (way, case), seconds in place.measure(steps).items():
            found[way, case] += seconds if way.startswith("train") else seconds[len(seconds) // 5 :]
    medians = {key: 1000 * statistics.median(seconds) for key, seconds in found.items()}
    table = {name: [medians[way, case] for case in range(len(CASES))] for name, way in REDUCING.items()}
    return table, {way: medians[f"train_{way}", 0] for way in TRAINING}


def reducing_lines(table: dict[str, list[float]]) -> Iterator[str]:
    yield "allreduce over 2 ranks of one learner, started by toolkit launch, milliseconds a step (medians)"
    width = max(map(len, table))
    yield " " * width + "".join(f"{name:>12}" for name in CASES)
    for way, values in table.items():
        yield f"{way:<{width}}" + "".join(f"{value:12.3f}" for value in values)


def ratio_lines(table: dict[str, list[float]], steps: dict[str, float]) -> Iterator[str]:
    ours, raw = table["ddl, graph and session"], table["MPI_Allreduce in C, tensor by tensor"]
    horovod = table["Horovod 0.28.1, graph and session"]
    small, medium, whole = (list(CASES).index(name) for name in ("4 KB", "4 MB", "ResNet-50"))
    asked = [
        ("ResNet-50, of Horovod's", ours[whole] / horovod[whole], 0.5),
        ("ResNet-50, of MPI's in C", ours[whole] / raw[whole], 0.7),
        ("4 KB, of Horovod's", ours[small] / horovod[small], 0.05),
        ("4 MB, of MPI's in C", ours[medium] / raw[medium], 1.1),
    ]
    yield "ddl's time in a graph, as a part of"
    for name, ratio, most in asked:
        yield f"  {name:<26} {ratio:6.3f}   asked for: at most {most}   {'yes' if ratio <= most else 'NO'}"
    yield "a training step of 100 digits a rank: one rank alone " + f"{steps['alone']:.1f} ms"
    for way in TRAINING[1:]:
        kept = 100 * steps["alone"] / steps[way]
        asked_for = "" if way != "ddl" else f"   asked for: at least 94 %   {'yes' if kept >= 94 else 'NO'}"
        yield f"  {way:<10} {steps[way]:7.1f} ms   {kept:5.1f} %{asked_for}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few steps: to see that all of it runs")
    parser.add_argument("--prepare", action="store_true", help="build what is measured, and measure nothing")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="allreduce-") as temporary:
        place = Place((words.folder or Path(temporary)).resolve())
        place.make()
        if words.prepare:
            return
        table, steps = measured(place, words.rounds, 5 if words.quick else 40)
    print("\n".join([*reducing_lines(table), *ratio_lines(table, steps)]))
    print(load())


if __name__ == "__main__":
    main()
