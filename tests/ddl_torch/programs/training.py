"""Run under mpirun: ranks that start from different weights train on parts of each batch; after every step all have the
same weights, and after the last those of one process that trained on the whole batches. Fails where they differ.

    training.py distribute | accumulate | average | momentum | sparse | ddp | ddp-import-first
    training.py too-often | unlike | another-optimizer
    training.py guarded [WRONG]      50 steps, something wrong on rank 1: much | little | alone | all-alone | bfloat16
"""

from __future__ import annotations

import hashlib
import sys

if sys.argv[1] == "ddp-import-first":
    import torch
import ddl
import ddl.torch as ddl_torch
import torch
import torch.distributed as dist

HOW = sys.argv[1]
STEPS, PART, RATE, WORDS = 5, 6, 0.1, 7
MOMENTUM = 0.9 if HOW == "momentum" else 0.0


class Model(torch.nn.Module):
    """A regression on an embedding; `unused` has no gradient."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.table = torch.nn.Embedding(WORDS, 4, sparse=HOW == "sparse")
        self.first, self.second = torch.nn.Linear(4, 3), torch.nn.Linear(3, 1)
        self.register_buffer("scale", torch.rand(1))
        self.unused = torch.nn.Parameter(torch.rand(2)) if HOW in ("distribute", "average") else None

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(self.table(words)))) * self.scale


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(99)
    rows = PART * ddl.size()
    return [
        (torch.randint(0, WORDS, (rows,), generator=generator), torch.randn(rows, 1, generator=generator))
        for _ in range(STEPS)
    ]


def one_process() -> list[torch.Tensor]:
    """Gradient descent by hand on the whole batches, in float64, from rank 0's weights: ddl is not in it."""
    model = Model(seed=0).double()
    speeds = [torch.zeros_like(parameter) for parameter in model.parameters()]
    for words, y in batches():
        parameters = list(model.parameters())
        loss = torch.nn.functional.mse_loss(model(words), y.double())
        grads = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, grad, speed in zip(parameters, grads, speeds, strict=True):
                if grad is not None:
                    speed.mul_(MOMENTUM).add_(grad.to_dense() if grad.is_sparse else grad)
                    parameter.sub_(RATE * speed)
    return [parameter.detach() for parameter in model.parameters()]


def checksum(model: torch.nn.Module) -> str:
    values = [*model.parameters(), *model.buffers()]
    return hashlib.sha256(b"".join(value.detach().numpy().tobytes() for value in values)).hexdigest()


def compare(model: torch.nn.Module, step: int) -> None:
    found = checksum(model)
    assert ddl.bcast(found) == found, f"rank {ddl.rank()} differs after step {step}"


def train(model: Model) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    trained: torch.nn.Module = model
    if HOW.startswith("ddp"):
        dist.init_process_group("ddl", init_method="env://")
        trained = torch.nn.parallel.DistributedDataParallel(model)
    elif HOW == "average":
        ddl_torch.broadcast(model)
    else:
        ddl_torch.distribute(model, optimizer, accumulate=2 if HOW == "accumulate" else 1)
    if HOW == "another-optimizer":
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    for number, batch in enumerate(batches()):
        optimizer.zero_grad()
        words, y = ddl.shard(batch)
        parts = (
            [slice(0, PART // 2), slice(PART // 2, PART)] if HOW in ("accumulate", "too-often") else [slice(0, PART)]
        )
        for part in parts:
            (torch.nn.functional.mse_loss(trained(words[part]), y[part]) / len(parts)).backward()
        if HOW == "average":
            ddl_torch.average_gradients(model.parameters())
        optimizer.step()
        compare(model, number)
    if HOW.startswith("ddp"):
        dist.destroy_process_group()


def restore() -> None:
    """Rank 0 alone has read a checkpoint with an optimizer's state: all ranks get it."""
    model = Model(seed=ddl.rank())
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    if ddl.rank() == 0:
        model(torch.tensor([1, 2])).sum().backward()
        optimizer.step()
    ddl_torch.broadcast(model, optimizer)
    compare(model, 0)
    states = optimizer.state_dict()["state"]
    assert len(states) == len([*model.parameters()]) > 0
    for key, state in states.items():
        for name, value in state.items():
            assert torch.equal(value, ddl.bcast(value)), (key, name)


def guarded(wrong: str) -> None:
    """Ranks compare their weights every 10 steps."""
    bad = ddl.rank() == 1
    torch.manual_seed(ddl.rank())
    model = torch.nn.Linear(4, 2).to(torch.bfloat16 if wrong == "bfloat16" else torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    trained: torch.nn.Module = model
    if wrong.startswith("ddp"):
        dist.init_process_group("ddl", init_method="env://")
        trained = torch.nn.parallel.DistributedDataParallel(model)
    elif not (wrong == "all-alone" or (wrong == "alone" and bad) or wrong.startswith("average")):
        ddl_torch.distribute(model, optimizer)
    elif wrong.startswith("average"):
        ddl_torch.broadcast(model)
    optimizer.step()  # as programs do that set up a schedule: no step, as there is no gradient
    for step in range(50):
        optimizer.zero_grad()
        trained(torch.randn(3, 4, dtype=model.weight.dtype)).square().mean().backward()
        if wrong.startswith("average"):
            ddl_torch.average_gradients(model.parameters())
        optimizer.step()
        if bad and step == (48 if wrong == "bfloat16" else 12) and not wrong.endswith("alone"):
            with torch.no_grad():
                model.weight.mul_({"little": 1 + 3e-7, "nothing": 1.0, "bfloat16": 1.004}.get(wrong, 1.01))
    print(f"rank {ddl.rank()}: reached the end", flush=True)


def main() -> None:
    model = Model(seed=ddl.rank())
    if HOW == "unlike":  # rank 1's is of another shape
        model.second = torch.nn.Linear(3, 1 + ddl.rank())
    differs = ddl.bcast(checksum(model)) != checksum(model)
    assert differs == (ddl.rank() > 0), "ranks were to start from different weights"
    train(model)
    error = max((a - b).abs().max().item() for a, b in zip(model.parameters(), one_process(), strict=True))
    moved = max((a - b).abs().max().item() for a, b in zip(model.parameters(), Model(seed=0).parameters(), strict=True))
    print(
        f"rank {ddl.rank()}: {HOW}: weights moved by {moved:.3f}, differ from one process's by {error:.1e}", flush=True
    )
    assert error < 1e-5 < moved, "the weights are not those of one process"


if __name__ == "__main__":
    if HOW == "guarded":
        guarded(sys.argv[2])
    else:
        restore() if HOW == "restore" else main()
