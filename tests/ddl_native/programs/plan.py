"""Carries out a plan of collectives, each rank in an order of its own, and compares with NumPy in float64.

    mpirun -np N python plan.py PLAN

PLAN is a JSON object (or `@FILE` with one): `options`; `shuffle`, whether ranks submit in different orders; `rounds`;
`exact`, values that any type can hold; `wire`, the type that fp32 travels in; `killed`, a rank that dies in the fourth
round; `collectives`, each
`{name, kind, op, root, tensors: [[type, shape], …], in_place}`;
a root is counted on from 0 once the ranks are through. A name may come several times in a plan.
"""

import json
import os
import random
import signal
import sys
import zlib
from pathlib import Path

import engine
import numpy as np

LOOSE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-6, "float64": 1e-14}
"""Relative to the largest sum of magnitudes: a rounding or two of the type."""
WIRES = {"fp16": "float16", "bf16": "bfloat16"}


def values(kind, shape, exact, *words):
    """What a rank gives: a function of the words alone. bfloat16 comes as its bits."""
    random_state = np.random.RandomState(zlib.crc32(repr(words).encode()))
    if exact:
        return random_state.randint(-8, 9, shape).astype(kind)
    if kind == "uint8":
        return random_state.randint(0, 256, shape).astype("uint8")
    if kind.startswith("int"):
        return random_state.randint(-1000, 1000, shape).astype(kind)
    made = random_state.uniform(-1, 1, shape)
    if kind == "bfloat16":
        return (np.atleast_1d(made.astype("float32")).view("uint32") >> 16).astype("uint16").reshape(shape)
    return made.astype(kind)


def plain(array, kind):
    """In float64, integers as they are."""
    if kind == "bfloat16":
        bits = np.atleast_1d(array).astype("uint32") << 16
        return bits.view("float32").astype("float64").reshape(array.shape)
    return array.astype("float64") if kind.startswith("float") else array


def expected(given, op):
    stack = np.stack(given)
    return {"sum": stack.sum, "avg": stack.mean, "min": stack.min, "max": stack.max}[op](axis=0)


def check(output, given, kind, op, where, wire):
    right, found = expected(given, op), plain(output, kind)
    assert found.shape == right.shape, (where, found.shape, right.shape)
    if not right.size:
        return
    if not np.issubdtype(right.dtype, np.floating):
        np.testing.assert_array_equal(found, right.astype(found.dtype), err_msg=where)
        return
    scale = max(1e-3, float(np.abs(np.stack(given)).sum(axis=0).max()))
    error = float(np.abs(found - right).max())
    assert error <= LOOSE[WIRES.get(wire, kind)] * scale, f"{where}: off by {error} at a scale of {scale}"
    assert not wire or error > LOOSE[kind] * scale, f"{where} did not travel in {wire}"


def read(words):
    return json.loads(Path(words[1:]).read_text() if words.startswith("@") else words)


def main(plan, begin=engine.Handle):
    engine.init(plan.get("options", ""))
    rank, size = engine.rank(), engine.size()
    for round_number in range(plan.get("rounds", 1)):
        order = list(enumerate(plan["collectives"]))
        if plan.get("shuffle"):
            random.Random(1000 * round_number + rank).shuffle(order)
            # The same name several times: then it is the first, the second, … of that name, on every rank.
            for name in {one["name"] for _, one in order}:
                places = [at for at, (_, one) in enumerate(order) if one["name"] == name]
                for at, item in zip(places, sorted((order[at] for at in places), key=lambda item: item[0])):
                    order[at] = item
        if round_number > 2 and rank == plan.get("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        started = []
        for index, one in order:
            kinds = [kind for kind, _ in one["tensors"]]
            given = [
                [values(kind, shape, plan.get("exact"), round_number, index, number, which) for which in range(size)]
                for number, (kind, shape) in enumerate(one["tensors"])
            ]
            mine = [of_ranks[rank].copy() for of_ranks in given]
            code = 1 if one.get("kind") == "broadcast" else 0
            how = one.get("root", 0) % size if code else one.get("op", "sum")
            handle = begin(one["name"], mine, code, how, kinds, one.get("in_place", False))
            started.append((one, kinds, given, handle))
        for one, kinds, given, handle in started:
            for kind, of_ranks, output in zip(kinds, given, handle.wait()):
                if one.get("kind") == "broadcast":
                    assert output.tobytes() == of_ranks[one.get("root", 0) % size].tobytes(), one["name"]
                else:
                    given_plain = [plain(array, kind) for array in of_ranks]
                    check(output, given_plain, kind, one.get("op", "sum"), one["name"], plan.get("wire"))
    print(f"\nWAYS {rank} {' '.join(engine.algorithm(1 << bits) for bits in (10, 16, 20, 24))}", flush=True)
    counters = engine.counters()
    print(f"\nRIGHT {rank} {counters.collectives} in {counters.batches}", flush=True)


if __name__ == "__main__":
    main(read(sys.argv[1]))
