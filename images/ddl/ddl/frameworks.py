"""Prepares the frameworks that a program with several ranks imports."""

from __future__ import annotations

import atexit
import functools
import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ddl.engine import Engine
from ddl.environment import Place
from ddl.guard import process
from ddl.import_hooks import catch_up, is_loading, unhandled, when_imported


def prepare(engine: Engine, here: Place) -> None:
    """Prepare the frameworks that are loaded, and the others when the program imports them."""
    for name, prepare_it in _PREPARATIONS.items():
        when_imported(name, functools.partial(prepare_it, engine, here))
    if engine.is_own:
        atexit.register(_abort_if_unprepared, engine, os.getpid())


def _abort_if_unprepared(engine: Engine, owner: int) -> None:
    """Abort the job if a framework was imported without any of the hooks seeing it, as nothing was averaged then."""
    missed = sorted(name for name, _ in unhandled() if name != "torch")
    if missed and os.getpid() == owner:
        engine.abort(
            f"{' and '.join(missed)} was imported without ddl noticing, so nothing of it was averaged: "
            f"import it with `import {missed[0].partition('.')[0]}`, or before ddl"
        )


def _tensorflow(engine: Engine, here: Place, _: ModuleType) -> None:
    from ddl.tensorflow import gpu, optimizers, sessions, unaveraged, variables

    gpu.pin(here.local_rank)
    variables.install(engine)
    optimizers.install(engine)
    sessions.install()
    unaveraged.install()
    if guard := process.guard():
        from ddl.tensorflow import guard as tensorflow_guard

        tensorflow_guard.install(guard)
    catch_up()  # including what it has imported itself


def _keras(engine: Engine, _: Place, keras: Any) -> bool:
    if is_loading("tensorflow"):
        return False
    version = getattr(keras, "__version__", None)
    if version is None:
        return True  # another module of that name, of the program's own
    if int(version.partition(".")[0]) < 3:
        from ddl.tensorflow import keras2

        keras2.install(engine, keras)
        return True
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"ddl: Keras must run on TensorFlow, not on {keras.backend.backend()}")
    from ddl.tensorflow import keras3

    keras3.install(engine, keras)
    return True


def _keras_in_tensorflow(engine: Engine, _: Place, module: ModuleType) -> bool:
    if is_loading("tensorflow"):
        return False
    from ddl.tensorflow import keras2

    keras2.hook_optimizers_of(engine, module)
    return True


def _torch(_: Engine, here: Place, __: ModuleType) -> None:
    from ddl.torch import gpu, process_group

    gpu.pin(here.local_rank)
    process_group.register()
    if guard := process.guard():
        from ddl.torch import guard as torch_guard

        torch_guard.install(guard)


def prepare_worker(here: Place) -> None:
    """For a process started by the rank's own: it uses the rank's GPU, and its training is not synchronised."""
    for name, prepare in {"tensorflow": _tensorflow_of_worker, "torch": _torch_of_worker}.items():
        when_imported(name, functools.partial(prepare, here))


def _tensorflow_of_worker(here: Place, *_: object) -> None:
    from ddl.tensorflow import gpu

    gpu.pin(here.local_rank)


def _torch_of_worker(_: Place, *__: object) -> None:
    from ddl.torch import process_group

    process_group.register()  # raises when used


_PREPARATIONS: Mapping[str, Callable[[Engine, Place, ModuleType], bool | None]] = {
    "tensorflow": _tensorflow,
    "keras": _keras,
    "tf_keras": _keras,
    # The Keras of 2021, which every TensorFlow still contains, and which programs still use.
    "tensorflow.python.keras.optimizer_v2.optimizer_v2": _keras_in_tensorflow,
    "tensorflow.python.keras.mixed_precision.loss_scale_optimizer": _keras_in_tensorflow,
    "torch": _torch,
}
"""By the name of the module whose import each waits for. TensorFlow loads Keras when the program first uses it."""
