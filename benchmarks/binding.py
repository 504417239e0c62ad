"""What `binding: cores` gives and takes: programs under `toolkit launch` on this machine, bound and unbound in turn.

    python -m benchmarks.binding [FOLDER] [--rounds N] [--quick]

Three programs that train with ddl, on two learners of one rank and on one learner of two: one waits for its input
pipeline, one for its arithmetic, one for the other rank. Prints milliseconds a step (medians of the rounds) with
`none` and with `cores`, and how they compare; with `--json` an object, every round's figures included. Four minutes in
a warm FOLDER (default: a temporary one) with the image built. A busy machine gives no figures worth keeping: the
settings take turns, so that both suffer alike, and the load is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.launched import Bench, load, say

CODE = Path(__file__).resolve().parent / "binding_ranks"
PROGRAMS = {"input": "input pipeline", "compute": "arithmetic", "small": "small steps"}
PLACEMENTS = {"2 learners x 1 rank": ("p100", 2), "1 learner x 2 ranks": ("p100x2", 1)}
BINDINGS = ("none", "cores")

Key = tuple[str, str, str]
"""Placement, program and binding."""


def measured(bench: Bench, rounds: int, part: float) -> dict[Key, list[float]]:
    """Milliseconds a step of each round."""
    clusters = {binding: bench.folder / f"{binding}.yml" for binding in BINDINGS}
    for binding, file in clusters.items():
        file.write_text(f"name: here\nengine: local\ngpu: none\nbinding: {binding}\n")
    found: dict[Key, list[float]] = defaultdict(list)
    for number in range(rounds):
        for placement, (compute, nodes) in PLACEMENTS.items():
            for binding, cluster in clusters.items():
                say(f"round {number + 1} of {rounds}: {placement}, {binding}")
                for words in bench.launch([f"python program.py {part}"], compute, nodes, cluster):
                    if words[:1] == ["STEP"]:
                        found[placement, words[1], binding].append(1000 * float(words[2]))
    return found


def table(found: dict[Key, list[float]]) -> str:
    """A line for each placement and program."""
    lines = [f"{'milliseconds a step':<38}{'none':>10}{'cores':>10}{'cores/none':>12}"]
    for placement in PLACEMENTS:
        for program, name in PROGRAMS.items():
            none, cores = (statistics.median(found[placement, program, binding]) for binding in BINDINGS)
            lines.append(f"{placement + ', ' + name:<38}{none:10.2f}{cores:10.2f}{cores / none:12.2f}")
    return "\n".join(lines)


def as_json(found: dict[Key, list[float]]) -> str:
    """Every round's figures, and the load."""
    rows = [
        {"placement": placement, "program": program, "binding": binding, "milliseconds": figures}
        for (placement, program, binding), figures in found.items()
    ]
    return json.dumps({"rows": rows, "load": os.getloadavg()[2], "processors": os.cpu_count()}, indent=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="few steps, one round: to see that all of it runs")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="binding-") as temporary:
        bench = Bench((words.folder or Path(temporary)).resolve())
        bench.make(list(CODE.glob("*.py")))
        bench.build()
        found = measured(bench, *((1, 0.1) if words.quick else (words.rounds, 1)))
    print(as_json(found) if words.json else f"{table(found)}\n{load()}")


if __name__ == "__main__":
    main()
