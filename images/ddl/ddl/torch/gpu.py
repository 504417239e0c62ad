"""One GPU for each rank."""

from __future__ import annotations

import torch

from ddl.environment import CPU_BUILD, allocated_gpus, no_gpu_message


def pin(local_rank: int) -> None:
    """Make GPU number ``local_rank`` of this host the current one; do nothing if there is none and none was allocated.

    Raises:
        RuntimeError: GPUs were allocated to the run and PyTorch sees none; the host has fewer GPUs than ranks.
    """
    gpus = torch.cuda.device_count()
    if gpus == 0:
        if given := allocated_gpus():
            needs = f"CUDA {torch.version.cuda}" if torch.version.cuda else CPU_BUILD
            raise RuntimeError(no_gpu_message(given, "PyTorch", torch.__version__, needs))
        return
    if local_rank >= gpus:
        raise RuntimeError(f"ddl: local rank {local_rank} needs a GPU of its own, but PyTorch sees {gpus} here")
    torch.cuda.set_device(local_rank)
