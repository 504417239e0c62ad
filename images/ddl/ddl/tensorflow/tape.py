"""A gradient tape whose gradients are averaged over all ranks, for training without an optimizer."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ddl.session import engine
from ddl.tensorflow.names import unwrap
from ddl.tensorflow.reduction import reduce_pairs, reduce_tensors


class DistributedGradientTape:
    """Wraps a `tf.GradientTape`, and is used like it: ``with ddl.DistributedGradientTape(tf.GradientTape()) as tape``.

    `gradient` returns averages; everything else is the tape's own. An optimizer that is given these gradients unchanged
    does not average them again. Sparse gradients become dense.
    """

    def __init__(self, tape: tf.GradientTape | None = None) -> None:
        self._tape = tf.GradientTape() if tape is None else tape

    def __enter__(self) -> DistributedGradientTape:
        self._tape.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._tape.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tape, name)

    def gradient(self, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
        """The gradients of `target` with respect to `sources`, averaged over all ranks. Collective.

        Args:
            sources: variables or tensors, in any nesting; which of them have no gradient must be the same on every
                rank.
            args, kwargs: as `tf.GradientTape.gradient` takes them.
        Raises:
            RuntimeError: there are several ranks, and `ddl` is not initialised.
        """
        grads = self._tape.gradient(target, sources, *args, **kwargs)
        ranks = engine()
        if ranks is None:
            return grads
        flat_sources, flat = tf.nest.flatten(sources), tf.nest.flatten(grads)
        if all(isinstance(unwrap(source), tf.Variable) for source in flat_sources):
            averaged = [grad for grad, _ in reduce_pairs(ranks, list(zip(flat, flat_sources, strict=True)), True)]
        else:
            averaged = reduce_tensors(flat, average=True)
        return tf.nest.pack_sequence_as(sources, averaged)
