"""`ddl.bcast` of everything that it takes, from every rank: bit for bit what the root has.

mpirun -np N python broadcasts.py numpy | tensorflow | torch
"""

import datetime
import sys

import ddl
import numpy as np

RANK, SIZE = ddl.rank(), ddl.size()
SHAPES = ((), (0, 2), (3, 5), (70_001,))
PLAIN = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16")
OTHERS = (">f4", "M8[ns]", "m8[s]", "U3", "S5", "V3", [("a", "i1"), ("b", "f8", (2,))], "i4,f8")


def noise(rank, shape, dtype):
    """Any bits: NaN with all payloads, -0.0, denormals; a bool's are 0 and 1."""
    dtype = np.dtype(dtype)
    generator = np.random.default_rng(rank)
    if dtype.kind == "U":
        return generator.integers(0, 1000, shape).astype(dtype)
    made = generator.integers(0, 2 if dtype.kind == "b" else 256, (*shape, dtype.itemsize), "u1")
    made = made.view(dtype).reshape(shape)
    if dtype.kind == "f" and made.size > 2:
        made.flat[0] = -0.0
    return made


def of_arrays():
    for root in range(SIZE):
        for dtype in (*PLAIN, *OTHERS):
            for shape in SHAPES:
                mine, right = (noise(rank, shape, dtype) for rank in (RANK, root))
                found = ddl.bcast(mine, root=root)
                assert (found.dtype, found.shape) == (right.dtype, shape), (dtype, shape)
                assert found.tobytes() == right.tobytes(), (dtype, shape, root)
                assert mine.tobytes() == noise(RANK, shape, dtype).tobytes(), "what went in was changed"
        turned = np.arange(12.0).reshape(3, 4).T[::-1] + RANK
        assert np.array_equal(ddl.bcast(turned, root), np.arange(12.0).reshape(3, 4).T[::-1] + root)
        only_there = ddl.bcast(np.arange(5) if root == RANK else None, root)
        assert only_there.tolist() == [0, 1, 2, 3, 4]
        objects = ({"rank": root, "long": "x" * 5000}, None, [np.ones(2)], datetime.date(2020, 1, 1 + root), -0.0)
        for one in objects:
            found = ddl.bcast(one if root == RANK else "another", root, name="an object")
            assert repr(found) == repr(one), (found, one)
        assert ddl.bcast(np.array([root, None]) if root == RANK else None, root).tolist() == [root, None]


def of_tensorflow():
    import tensorflow as tf

    dtypes = (*PLAIN, tf.bfloat16.as_numpy_dtype)
    for root in sorted({0, SIZE - 1}):
        for shape in SHAPES:
            given = [noise(RANK, shape, dtype) for dtype in dtypes]
            right = [noise(root, shape, dtype) for dtype in dtypes]

            def all_of_them(tensors, root=root):
                return [ddl.bcast(one, root) for one in tensors]

            # Fed, as TensorFlow's own constants in graphs lose a complex NaN's payload.
            with tf.Graph().as_default(), tf.compat.v1.Session() as session:
                fed = [tf.compat.v1.placeholder(one.dtype, shape) for one in given]
                in_graph = session.run(all_of_them(fed), dict(zip(fed, given)))
            eager = [one.numpy() for one in all_of_them(list(map(tf.constant, given)))]
            traced = [one.numpy() for one in tf.function(all_of_them)(list(map(tf.constant, given)))]
            named = [ddl.bcast(tf.constant(one), root, name=f"tensor {at}").numpy() for at, one in enumerate(given)]
            for found in (in_graph, eager, traced, named):
                for one, expected in zip(found, right):
                    assert (one.dtype, one.shape) == (expected.dtype, shape)
                    assert np.asarray(one).tobytes() == expected.tobytes(), (one.dtype, shape)
    assert ddl.bcast(tf.Variable(RANK + 1.0), root=SIZE - 1).numpy() == SIZE
    for bad in (tf.constant("text"),):
        try:
            ddl.bcast(bad)
        except ValueError as error:
            assert "cannot broadcast a tensor of string" in str(error), error
        else:
            raise AssertionError("strings were not refused")


def of_torch():
    import torch
    import torch.distributed as dist

    dist.init_process_group("ddl")
    for root in range(SIZE):
        for dtype in (*(one for one in PLAIN if one not in ("u2", "u4", "u8")), "bfloat16"):
            for shape in SHAPES:
                noises = [noise(rank, shape, "i2" if dtype == "bfloat16" else dtype) for rank in range(SIZE)]
                tensors = [torch.from_numpy(np.atleast_1d(one).copy()) for one in noises]
                if dtype == "bfloat16":
                    tensors = [one.view(torch.bfloat16) for one in tensors]
                mine = tensors[RANK].clone()
                bits = [raw(one) for one in tensors]
                assert raw(ddl.bcast(mine, root)) == bits[root], (dtype, shape)
                assert raw(mine) == bits[RANK], "what went in was changed"
                dist.broadcast(mine, root)
                assert raw(mine) == bits[root], (dtype, shape)
                gathered = [torch.empty_like(mine) for _ in range(SIZE)]
                dist.all_gather(gathered, tensors[RANK])
                assert [raw(one) for one in gathered] == bits, (dtype, shape)
        conjugate = torch.tensor([1 + 2j, 3 - 4j]) * (RANK + 1)
        assert ddl.bcast(conjugate.conj(), root).tolist() == [(1 - 2j) * (root + 1), (3 + 4j) * (root + 1)]
        (total,) = ddl.allreduce_n([conjugate.conj()], average=False)
        assert total.tolist() == [(1 - 2j) * sum(range(SIZE + 1)), (3 + 4j) * sum(range(SIZE + 1))]
        turned = torch.arange(6.0).reshape(2, 3).T + RANK
        dist.broadcast(turned, root)
        assert torch.equal(turned, torch.arange(6.0).reshape(2, 3).T + root)
    dist.destroy_process_group()


def raw(tensor):
    import torch

    return tensor.contiguous().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def roots_that_are_none():
    for root in (-1, SIZE):
        for x in (1, np.ones(2)):
            try:
                ddl.bcast(x, root)
            except ValueError as error:
                assert f"root {root} does not exist" in str(error), error
            else:
                raise AssertionError(f"root {root} was not refused")


if __name__ == "__main__":
    {"numpy": of_arrays, "tensorflow": of_tensorflow, "torch": of_torch}[sys.argv[1]]()
    roots_that_are_none()
    print(f"\nRIGHT {RANK}", flush=True)
