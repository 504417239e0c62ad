"""Reducing gradients over two ranks of this machine: ddl's library beside MPI, mpi4py, Horovod and TensorFlow's own.

    python benchmarks/allreduce.py [FOLDER] [--rounds N] [--bind-to none] [--quick]

Prints medians in milliseconds, and the ratios that ddl is held to. Each rank has a processor of its own, as mpirun by
itself gives two ranks one each; with `--bind-to none` they wander, and TensorFlow in each believes that all processors
are its own: what is over in less than a millisecond then takes as long as the ranks' threads get into each other's
way, and Horovod's step takes one turn of its millisecond's clock or two.

Needs g++, cmake, libopenmpi-dev, openmpi-bin and the network; FOLDER (default: a temporary one) keeps what was made
for the next time: an environment with TensorFlow 2.19, Horovod 0.28.1 built from its source, ddl's library. Half an
hour for the first time, ten minutes with FOLDER. A busy machine gives no figures worth keeping: ways take turns, so
that all suffer alike, and the load is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
RANKS_CODE = Path(__file__).resolve().parent / "allreduce_ranks"
PACKAGES = [
    "tensorflow-cpu==2.19.1",
    "mpi4py==4.1.2",
    "setuptools<70",
    "wheel",
    "packaging",
    "cloudpickle",
    "psutil",
    "pyyaml",
]
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
TRAINING = ["ddl", "mpi4py", "horovod", "strategy"]


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


def run(argv: Sequence[object], **variables: str) -> str:
    """A command's output; ends here, with what it said, where it fails."""
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


class Place:
    """A folder with all that is measured in it, made where it is not there yet."""

    def __init__(self, folder: Path, bind_to: str) -> None:
        self.folder = folder
        self.bind_to = bind_to
        self.python = folder / "environment" / "bin" / "python"
        self.raw = folder / "raw"
        self.libraries = folder / "lib"

    def make(self) -> None:
        if not self.python.exists():
            say("making an environment with TensorFlow")
            run([sys.executable, "-m", "venv", self.folder / "environment"])
            run([self.python, "-m", "pip", "install", "-q", *PACKAGES])
        if not list(self.folder.glob("environment/lib/*/site-packages/horovod/tensorflow/mpi_lib*")):
            say("building Horovod from its source")
            self._make_horovod()
        say("compiling ddl's library and the program in C")
        run([self.python, HOUSE / "images" / "ddl" / "native" / "build.py", self.libraries])
        run(["mpicc", "-O3", RANKS_CODE / "raw.c", "-o", self.raw])

    def _make_horovod(self) -> None:
        source = self.folder / "horovod"
        shutil.rmtree(source, ignore_errors=True)
        pip = [self.python, "-m", "pip"]
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
        run([*pip, "install", "-q", "--no-deps", "--no-build-isolation", source], **without, **words)

    def steps(self, ranks: int, *words: object) -> dict[int, list[float]]:
        """What a program under mpirun says of its steps: seconds, by the case's number."""
        variables = {
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "LD_LIBRARY_PATH": str(self.libraries),
            "BENCHMARK_PORT": str(free_port()),
        }
        said = run(["mpirun", "--oversubscribe", "--bind-to", self.bind_to, "-np", ranks, *words], **variables)
        found: dict[int, list[float]] = defaultdict(list)
        for line in said.splitlines():
            if line.startswith("STEP "):
                found[int(line.split()[1])].append(float(line.split()[2]))
        weights = {line for line in said.splitlines() if line.startswith("WEIGHTS ")}
        if len(weights) > 1:
            sys.exit(f"{words}: the ranks' weights are not the same: {weights}")
        return found


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def say(what: str) -> None:
    print(f"{what} …", file=sys.stderr, flush=True)


def reducing(place: Place, rounds: int, steps: int) -> dict[str, list[float]]:
    """Milliseconds of each way in each case: medians over the steps of all rounds, the first steps left out."""
    cases = [",".join(map(str, sizes)) for sizes in CASES.values()]
    found: dict[str, list[list[float]]] = {way: [[] for _ in cases] for way in REDUCING}
    for number in range(rounds):
        for way, word in REDUCING.items():
            say(f"round {number + 1} of {rounds}: {way}")
            program = [place.raw] if word == "raw" else [place.python, RANKS_CODE / "reduce.py", word]
            for case, seconds in place.steps(2, *program, steps, *cases).items():
                found[way][case] += seconds[len(seconds) // 5 :]
    return {way: [1000 * statistics.median(one) for one in of_cases] for way, of_cases in found.items()}


def training(place: Place, rounds: int, steps: int) -> dict[str, float]:
    """Milliseconds of a step: of a rank alone, and of one of two by each way."""
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        for way in ("alone", *TRAINING):
            say(f"round {number + 1} of {rounds}: training, {way}")
            ranks = 1 if way == "alone" else 2
            found[way] += place.steps(ranks, place.python, RANKS_CODE / "train.py", way, steps)[0]
    return {way: 1000 * statistics.median(seconds) for way, seconds in found.items()}


def reducing_lines(table: dict[str, list[float]], bind_to: str) -> Iterator[str]:
    yield f"allreduce over 2 ranks, bound to {bind_to}, milliseconds a step (medians)"
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
    for way in TRAINING:
        kept = 100 * steps["alone"] / steps[way]
        asked_for = "" if way != "ddl" else f"   asked for: at least 94 %   {'yes' if kept >= 94 else 'NO'}"
        yield f"  {way:<10} {steps[way]:7.1f} ms   {kept:5.1f} %{asked_for}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bind-to", choices=("core", "none"), default="core", help="what each rank runs on")
    parser.add_argument("--quick", action="store_true", help="few steps: to see that all of it runs")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="allreduce-") as temporary:
        place = Place((words.folder or Path(temporary)).resolve(), words.bind_to)
        place.folder.mkdir(parents=True, exist_ok=True)
        place.make()
        table = reducing(place, words.rounds, 5 if words.quick else 40)
        steps = training(place, words.rounds, 5 if words.quick else 40)
    print("\n".join([*reducing_lines(table, words.bind_to), *ratio_lines(table, steps)]))
    print(f"load of the machine meanwhile: {os.getloadavg()[2]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
