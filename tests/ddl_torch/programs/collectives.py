"""Run under mpirun: ddl's functions and torch.distributed's on tensors, against what each rank can compute."""

from __future__ import annotations

import ddl
import torch
import torch.distributed as dist

RANK, SIZE = ddl.rank(), ddl.size()
RANKS = range(SIZE)
REAL = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
WHOLE = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)


def value(rank: int, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """What a rank contributes: whole numbers small enough for any dtype to add without rounding."""
    return torch.randint(0, 9, shape, generator=torch.Generator().manual_seed(rank)).to(dtype)


def functions() -> None:
    for dtype in (*REAL, *WHOLE, torch.complex64):
        for shape in ((), (3,), (0, 2), (4, 5)):
            mine = value(RANK, shape, dtype)
            total = sum(value(rank, shape, dtype).to(torch.complex128) for rank in RANKS)
            (result,) = ddl.allreduce_n([mine], average=False)
            assert result.dtype == dtype and torch.equal(result.to(torch.complex128), total), (dtype, shape)
            assert torch.equal(mine, value(RANK, shape, dtype)), "what went in was changed"
            assert torch.equal(ddl.bcast(mine), value(0, shape, dtype))
    turned = value(RANK, (4, 5), torch.float32).T  # not contiguous
    (result,) = ddl.allreduce_n([turned])
    expected = sum(value(rank, (4, 5), torch.float64) for rank in RANKS).T / SIZE
    torch.testing.assert_close(result.double(), expected, rtol=1e-6, atol=0)
    assert ddl.allreduce_n([turned, None])[1] is None
    rows = torch.sparse_coo_tensor([[RANK % 3]], [1.0], (3,))
    (result,) = ddl.allreduce_n([rows], average=False)
    assert result.tolist() == [float(sum(rank % 3 == row for rank in RANKS)) for row in range(3)]
    try:
        ddl.allreduce_n([torch.ones(2, dtype=torch.int32)])
    except ValueError as error:
        assert "average=False" in str(error), error
    else:
        raise AssertionError("an average of integers was not refused")


def group() -> None:
    """The backend `ddl`."""
    dist.init_process_group("ddl")
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (RANK, SIZE, "ddl")
    for op, reduce in ((dist.ReduceOp.SUM, sum), (dist.ReduceOp.MIN, min), (dist.ReduceOp.MAX, max)):
        tensor = torch.tensor([RANK + 1, -RANK])
        dist.all_reduce(tensor, op)
        assert tensor.tolist() == [reduce(rank + 1 for rank in RANKS), reduce(-rank for rank in RANKS)], op
    work = dist.all_reduce(average := torch.tensor([float(RANK)]), dist.ReduceOp.AVG, async_op=True)
    work.wait()
    assert average.item() == sum(RANKS) / SIZE
    for root in RANKS:
        tensor = torch.tensor([float(RANK)])
        dist.broadcast(tensor, root)
        assert tensor.item() == root
    gathered = [torch.zeros(2) for _ in RANKS]
    dist.all_gather(gathered, torch.full((2,), float(RANK)))
    assert [row.tolist() for row in gathered] == [[float(rank)] * 2 for rank in RANKS]
    flat = torch.zeros(SIZE * 2, dtype=torch.int64)
    dist.all_gather_into_tensor(flat, torch.tensor([RANK, 10 * RANK]))
    assert flat.tolist() == [number for rank in RANKS for number in (rank, 10 * rank)]
    objects = [None] * SIZE
    dist.all_gather_object(objects, {"rank": RANK, "some": "x" * RANK})
    assert objects == [{"rank": rank, "some": "x" * rank} for rank in RANKS]
    dist.barrier()
    try:
        dist.all_reduce(torch.ones(1), dist.ReduceOp.PRODUCT)
    except ValueError as error:
        assert "there are SUM, AVG, MIN and MAX" in str(error), error
    else:
        raise AssertionError("a product was not refused")
    dist.destroy_process_group()


if __name__ == "__main__":
    functions()
    group()
    print(f"rank {RANK}: right", flush=True)
