"""One GPU for each rank."""

from __future__ import annotations

import tensorflow as tf

from ddl.environment import CPU_BUILD, given_gpus, none_seen


def pin(local_rank: int) -> None:
    """Let TensorFlow see only GPU number ``local_rank`` of this host; do nothing where it sees none and none was given.

    Memory is taken as needed, not all at once, so that a GPU can be shared with a later command.

    Raises:
        RuntimeError: the run was given GPUs and TensorFlow sees none; the host has fewer GPUs than ranks; or TensorFlow
            already uses them (import ddl earlier).
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        if given := given_gpus():
            built = tf.sysconfig.get_build_info()
            needs = f"CUDA {built['cuda_version']}" if built.get("cuda_version") else CPU_BUILD
            raise RuntimeError(none_seen(given, "TensorFlow", tf.__version__, needs))
        return
    if local_rank >= len(gpus):
        raise RuntimeError(f"ddl: local rank {local_rank} needs a GPU of its own, but TensorFlow sees {len(gpus)} here")
    tf.config.set_visible_devices(gpus[local_rank], "GPU")
    tf.config.experimental.set_memory_growth(gpus[local_rank], True)
