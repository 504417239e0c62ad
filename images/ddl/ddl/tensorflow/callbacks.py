"""Callbacks for ``fit``, on Keras 3 and 2. With one rank they do nothing, so a program may keep them.

They are subclasses of the ``Callback`` of the Keras that is ``tf.keras``, and also work in ``fit`` of another Keras if
a program uses both. Every rank passes the same ones to `fit`, in front of those that act on metrics (early stopping,
checkpoints).
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ddl.arrays import reduce_arrays
from ddl.environment import place, scaling_state
from ddl.learning_rate import warmup_factor
from ddl.session import engine
from ddl.tensorflow.variables import average_values, broadcast_values
from ddl.threads import key

_LEGACY = os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "true", "True")  # the same test as TensorFlow's
_keras: Any = importlib.import_module("tf_keras" if _LEGACY else "keras")


class _Callback(_keras.callbacks.Callback):  # type: ignore[misc]
    """What `fit` of any Keras requires of a callback. Keras 2 asks whether it implements batch hooks."""

    _chief_worker_only = None
    _supports_tf_logs = False

    def set_model(self, model: Any) -> None:
        self._model = model

    @property
    def model(self) -> Any:
        return self._model

    @model.setter
    def model(self, model: Any) -> None:
        self._model = model

    def _implements_train_batch_hooks(self) -> bool:
        return _has_own(self, "on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")

    def _implements_test_batch_hooks(self) -> bool:
        return _has_own(self, "on_test_batch_begin", "on_test_batch_end")

    def _implements_predict_batch_hooks(self) -> bool:
        return _has_own(self, "on_predict_batch_begin", "on_predict_batch_end")


def _has_own(callback: Any, *methods: str) -> bool:
    return any(getattr(type(callback), name) is not getattr(_keras.callbacks.Callback, name) for name in methods)


class DDLMetricsCallback(_Callback):
    """After each epoch, replaces every metric by its average over the ranks: in the history and for later callbacks.

    All ranks must have the same metrics; a rank that validates alone must do so outside of `fit`.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        ranks, names = engine(), sorted(logs or {})
        if ranks is None or not names:
            return
        values = np.array([float(logs[name]) for name in names])
        (averages,) = reduce_arrays(ranks, key(f"metrics {', '.join(names)}"), [values], average=True)
        logs.update(zip(names, averages.tolist(), strict=True))


class DDLCallback(DDLMetricsCallback):
    """The usual choice: averages metrics and moving statistics after each epoch.

    Args:
        moving_statistics: ``average`` gives all ranks the average of their batch normalisation's moving statistics (of
            all floating-point weights that are not trained); ``rank 0`` gives them rank 0's; None leaves each rank its
            own.
    Raises:
        ValueError: any other value.
    """

    def __init__(self, moving_statistics: str | None = "average") -> None:
        super().__init__()
        if moving_statistics not in ("average", "rank 0", None):
            raise ValueError(f"ddl: moving_statistics is 'average', 'rank 0' or None, not {moving_statistics!r}")
        self.moving_statistics = moving_statistics

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        ranks = engine()
        if ranks is None or self.moving_statistics is None:
            return
        statistics = [v for v in self.model.non_trainable_variables if "float" in str(v.dtype)]
        if self.moving_statistics == "average":
            average_values(ranks, statistics)
        else:
            broadcast_values(ranks, key("moving statistics"), statistics)


class DDLGlobalVariablesCallback(_Callback):
    """Broadcasts rank 0's variables when training begins, including the optimizer's and those that are not trained.

    For programs in which only rank 0 restores a checkpoint. Random generators keep each rank's own state. For a model
    that gets its weights only from its first batch, the broadcast follows that batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._done = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._done = False
        if self.model.built:
            self._broadcast()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._done:
            self._broadcast()

    def _broadcast(self) -> None:
        self._done = True
        ranks, optimizer = engine(), self.model.optimizer
        if ranks is None:
            return
        # By position: rank 0's have other names if it has loaded the model. Without the metrics' variables, which exist
        # only in a model that was compiled when it was saved.
        weights = [one for one in self.model.weights if not _is_random_state(one)]
        broadcast_values(ranks, key("weights of a model"), weights)
        if optimizer is not None:
            _build(optimizer, self.model.trainable_variables)
            own = optimizer.variables
            broadcast_values(ranks, key("variables of an optimizer"), own() if callable(own) else own)


def _is_random_state(variable: Any) -> bool:
    return "seed_generator" in variable.name or "seed_generator" in getattr(variable, "path", "")


def _build(optimizer: Any, variables: Sequence[Any]) -> None:
    """Create an optimizer's variables, which one that was loaded with a model has already."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None and not hasattr(
        optimizer, "built"
    ):  # Keras 2's loss scaling has no variables of its own to create
        _build(inner, variables)
    elif hasattr(optimizer, "_create_all_weights"):  # Keras 2's legacy optimizers
        optimizer._create_all_weights(variables)
    elif not getattr(optimizer, "built", getattr(optimizer, "_built", False)):
        optimizer.build(variables)


class DDLWarmupCallback(_Callback):
    """Raises the learning rate linearly from 1/size() of the compiled one to all of it: see `ddl.learning_rate`.

    Compile with the scaled rate. A rate that follows a Keras schedule cannot be set and must include the warm-up
    itself.

    Args:
        epochs: length of the warm-up, in epochs.
    """

    def __init__(self, epochs: float = 5) -> None:
        super().__init__()
        self.epochs = epochs
        self._rate: float | None = None
        self._epoch = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        scaling_state.scaled = True  # a program that warms up has considered its ranks
        if self._rate is None:
            self._rate = float(np.asarray(self.model.optimizer.learning_rate))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        steps = self.params.get("steps") or 0
        done = self._epoch + (batch / steps if steps else 0)
        if done <= self.epochs:
            self._set(done)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch < self.epochs <= epoch + 1:
            self._set(epoch + 1)

    def _set(self, epochs_done: float) -> None:
        self.model.optimizer.learning_rate = self._rate * warmup_factor(epochs_done, self.epochs, place().size)
