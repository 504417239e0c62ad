"""One GPU for each rank."""

from __future__ import annotations

import torch


def pin(local_rank: int) -> None:
    """Make GPU number ``local_rank`` of this host the current one; do nothing where PyTorch sees none.

    Raises:
        RuntimeError: the host has fewer GPUs than ranks.
    """
    gpus = torch.cuda.device_count()
    if gpus == 0:
        return
    if local_rank >= gpus:
        raise RuntimeError(f"ddl: local rank {local_rank} needs a GPU of its own, but PyTorch sees {gpus} here")
    torch.cuda.set_device(local_rank)
