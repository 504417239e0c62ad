"""One GPU for each rank."""

from __future__ import annotations

import tensorflow as tf

from ddl.environment import CPU_BUILD, allocated_gpus, no_gpu_message


def pin(local_rank: int) -> None:
    """Make only GPU number ``local_rank`` of this host visible to TensorFlow; do nothing if it sees none and none was
    allocated.

    Memory is allocated as needed, not all at once, so that a later command can share the GPU.

    Raises:
        RuntimeError: GPUs were allocated to the run and TensorFlow sees none; the host has fewer GPUs than ranks; or
            TensorFlow already uses them (import ddl earlier).
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        if given := allocated_gpus():
            built = tf.sysconfig.get_build_info()
            needs = f"CUDA {built['cuda_version']}" if built.get("cuda_version") else CPU_BUILD
            raise RuntimeError(no_gpu_message(given, "TensorFlow", tf.__version__, needs))
        return
    if local_rank >= len(gpus):
        raise RuntimeError(f"ddl: local rank {local_rank} needs a GPU of its own, but TensorFlow sees {len(gpus)} here")
    tf.config.set_visible_devices(gpus[local_rank], "GPU")
    tf.config.experimental.set_memory_growth(gpus[local_rank], True)
