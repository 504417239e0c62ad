"""Run under mpirun: processes that load data import ddl, and a forked child trains what its rank trains.

workers.py fork | spawn | forkserver | child
"""

from __future__ import annotations

import os
import sys

import ddl
import ddl.torch
import torch


class Numbers(torch.utils.data.Dataset):
    """Each rank's own numbers, made in the workers, which know their rank."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        import ddl

        return torch.tensor([100.0 * ddl.rank() + index])


def main(way: str) -> None:
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 1e-6)
    ddl.torch.distribute(model, optimizer)

    def step(batch: torch.Tensor) -> None:
        optimizer.zero_grad()
        model(batch).sum().backward()
        optimizer.step()

    if way == "child":
        pid = os.fork()
        if pid == 0:
            step(torch.ones(1, 1))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status == 1, status
        step(torch.ones(1, 1))
    else:
        loaded = torch.utils.data.DataLoader(Numbers(), 4, num_workers=2, multiprocessing_context=way)
        for _ in range(2):
            for batch in loaded:
                assert batch.min() >= 100 * ddl.rank(), batch
                step(batch)
    for parameter in model.parameters():
        assert torch.equal(parameter, ddl.bcast(parameter))
    sys.stdout.write("right\n")


if __name__ == "__main__":
    main(sys.argv[1])
