"""Run under mpirun: gradients through `ddl.bcast` and `ddl.allreduce_n` on tensors, against NumPy.

Each rank has a loss of its own; the gradient is that of all ranks' losses together with respect to this rank's tensor.
"""

from __future__ import annotations

import ddl
import numpy as np
import torch

RANK, SIZE = ddl.rank(), ddl.size()
RANKS = range(SIZE)


def value(rank: int, shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    made = np.random.default_rng(100 * seed + rank).integers(-4, 5, shape)
    return (made * (1 + 2j) if dtype.startswith("complex") else made).astype(dtype)


def leaf(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).requires_grad_()


def same(found: torch.Tensor | None, expected: np.ndarray) -> None:
    assert found is not None
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-6)


def first_order() -> None:
    for dtype in ("float32", "float64", "complex64"):
        for shape in ((5,), (2, 3), (0, 2)):
            w = [value(rank, shape, dtype, seed=7) for rank in RANKS]
            total = sum(w).conj()  # PyTorch's gradients of complex tensors are the conjugates
            for root in RANKS:
                x = leaf(value(RANK, shape, dtype))
                (ddl.bcast(x, root) * torch.from_numpy(w[RANK])).sum().abs().square().backward()
                products = [(value(root, shape, dtype) * one).sum() for one in w]
                expected = sum(2 * product * one.conj() for product, one in zip(products, w, strict=True))
                same(x.grad, expected if root == RANK else 0 * total)
            for average in (False, True):
                x, y = leaf(value(RANK, shape, dtype)), leaf(value(RANK, shape, dtype, seed=1))
                whole = torch.arange(3)
                a, nothing, b, *_ = ddl.allreduce_n(
                    [x, None, y, *([] if average else [whole])], average, name="in the tests"
                )
                assert nothing is None
                del b
                (a * torch.from_numpy(w[RANK])).sum().real.backward()
                same(x.grad, total / (SIZE if average else 1))
                same(y.grad, 0 * total)


def second_order() -> None:
    """As in the tests of TensorFlow: L = w_r · y³, then the square of its gradient."""
    w = [value(rank, (4,), "float64", seed=7) for rank in RANKS]
    for root in RANKS:
        x = leaf(value(RANK, (4,), "float64"))
        loss = (torch.from_numpy(w[RANK]) * ddl.bcast(x, root) ** 3).sum()
        (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
        (gradient**2).sum().backward()
        y = value(root, (4,), "float64")
        same(x.grad, 36 * sum(w) ** 2 * y**3 if root == RANK else np.zeros(4))
    x = leaf(value(RANK, (4,), "float64"))
    loss = (torch.from_numpy(w[RANK]) * ddl.allreduce_n([x], average=False)[0] ** 3).sum()
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    (gradient**2).sum().backward()
    y = sum(value(rank, (4,), "float64") for rank in RANKS)
    same(x.grad, SIZE * 36 * sum(w) ** 2 * y**3)


def what_needs_none() -> None:
    x = torch.ones(3)
    assert not ddl.bcast(x).requires_grad and not ddl.allreduce_n([x])[0].requires_grad
    with torch.no_grad():
        assert not ddl.bcast(leaf(np.ones(3))).requires_grad


def of_a_model() -> None:
    """Two layers, whose ranks exchange what is in between."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    inputs = [torch.from_numpy(value(rank, (2, 3), "float32")) for rank in RANKS]
    between = ddl.allreduce_n([model[0](inputs[RANK])])[0]
    (model[1](between).sum() * (RANK + 1)).backward()
    twin = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    twin.load_state_dict(model.state_dict())
    outputs = [twin[0](one) for one in inputs]
    mean = (outputs[RANK] + sum(one.detach() for rank, one in enumerate(outputs) if rank != RANK)) / SIZE
    (twin[1](mean).sum() * sum(rank + 1 for rank in RANKS)).backward()
    torch.testing.assert_close(model[0].weight.grad, twin[0].weight.grad)


if __name__ == "__main__":
    first_order()
    second_order()
    what_needs_none()
    of_a_model()
    print(f"rank {RANK}: right", flush=True)
