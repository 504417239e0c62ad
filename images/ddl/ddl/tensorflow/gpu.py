"""One GPU for each rank."""

from __future__ import annotations

import tensorflow as tf


def pin(local_rank: int) -> None:
    """Let TensorFlow see only GPU number ``local_rank`` of this host; do nothing where it sees none.

    Memory is taken as needed, not all at once, so that a GPU can be shared with a later command.

    Raises:
        RuntimeError: the host has fewer GPUs than ranks; or TensorFlow already uses them (import ddl earlier).
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return
    if local_rank >= len(gpus):
        raise RuntimeError(f"ddl: local rank {local_rank} needs a GPU of its own, but TensorFlow sees {len(gpus)} here")
    tf.config.set_visible_devices(gpus[local_rank], "GPU")
    tf.config.experimental.set_memory_growth(gpus[local_rank], True)
