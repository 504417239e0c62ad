"""Ranks that do not agree about `shape`, `type`, `reduction`, `kind` or `name`, about the `root` of a broadcast, about
its elements (`sent`), what they stand for (`element`) or the `last` of many, or from which thread it comes (`origin`,
`race`): each prints the error it got; all go on.

mpirun -np N python differing.py WAY
"""

import sys

import engine
import numpy as np

way = sys.argv[1]
engine.init("-stall 1")
rank, size = engine.rank(), engine.size()
last = rank == size - 1
name, kind, op, array = "weights/of/a/layer", 0, "sum", np.zeros((2, 3), "float32")
if last and way == "shape":
    array = np.zeros((3, 2), "float32")
if last and way == "type":
    array = array.astype("float64")
if last and way == "reduction":
    op = "max"
if last and way == "kind":
    kind = 1
if last and way == "name":
    name = "weights/of/another"
if way == "root":
    kind, op = 1, rank if last else 0
if way == "sent":
    kind, array = 1, array.astype("int32") if last else array
if way == "no-rank":
    kind, op = 1, size
if way == "origin":
    name += "\nthread 2" if last else "\n"
if way == "race":
    name += "\n!threads 'a' and 'b'"
arrays = [array] * 9 if way == "last" else [array]
if last and way == "last":
    arrays[7] = np.zeros(2, "int64")
elements = ["bool" if last else "uint8"] if way == "element" else None
try:
    engine.Handle(name, arrays, kind, op, elements=elements).wait()
    print(f"\nNOTHING {rank}", flush=True)
except engine.DdlError as error:
    print(f"\nREPORTED {rank} {error.code} {error.message}", flush=True)
# An error of one collective is the end of that one alone, and its name can be used again.
assert engine.allreduce("weights/of/a/layer", [np.ones(5, "float64")])[0].tolist() == [size] * 5
print(f"\nWENT ON {rank}", flush=True)
