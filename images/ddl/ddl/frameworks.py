"""What is done to a framework when a program that has several ranks imports it."""

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
from ddl.imports import catch_up, is_loading, unseen, when_imported


def prepare(engine: Engine, here: Place) -> None:
    """Prepare the frameworks that are loaded, and each of the others when the program imports it."""
    for name, prepare_it in _PREPARATIONS.items():
        when_imported(name, functools.partial(prepare_it, engine, here))
    if engine.is_own:
        atexit.register(_fail_where_unprepared, engine, os.getpid())


def _fail_where_unprepared(engine: Engine, owner: int) -> None:
    """End the job in failure where nothing was averaged, as a framework came past all that watches for it."""
    missed = sorted(name for name, _ in unseen() if name != "torch")
    if missed and os.getpid() == owner:
        engine.abort(
            f"{' and '.join(missed)} was imported in a way that ddl could not see, and nothing of it was averaged: "
            f"import it with `import {missed[0].partition('.')[0]}`, or before ddl"
        )


def _tensorflow(engine: Engine, here: Place, _: ModuleType) -> None:
    from ddl.tensorflow import gpu, optimizers, sessions, unhooked, variables

    gpu.pin(here.local_rank)
    variables.watch(engine)
    optimizers.install(engine)
    sessions.install()
    unhooked.install()
    if guard := process.guard():
        from ddl.tensorflow import guard as tensorflows

        tensorflows.install(guard)
    catch_up()  # with what it has imported itself


def _keras(engine: Engine, _: Place, keras: Any) -> bool:
    if is_loading("tensorflow"):
        return False
    version = getattr(keras, "__version__", None)
    if version is None:
        return True  # something else of that name, of the program's own
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
        from ddl.torch import guard as torchs

        torchs.install(guard)


def prepare_worker(here: Place) -> None:
    """For a process that the rank's own has started: it uses the rank's GPU, and what it trains is its own affair."""
    for name, prepare in {"tensorflow": _tensorflow_of_worker, "torch": _torch_of_worker}.items():
        when_imported(name, functools.partial(prepare, here))


def _tensorflow_of_worker(here: Place, *_: object) -> None:
    from ddl.tensorflow import gpu

    gpu.pin(here.local_rank)


def _torch_of_worker(_: Place, *__: object) -> None:
    from ddl.torch import process_group

    process_group.register()  # whose use raises


_PREPARATIONS: Mapping[str, Callable[[Engine, Place, ModuleType], bool | None]] = {
    "tensorflow": _tensorflow,
    "keras": _keras,
    "tf_keras": _keras,
    # The Keras of 2021, which every TensorFlow still carries inside, and programs still name.
    "tensorflow.python.keras.optimizer_v2.optimizer_v2": _keras_in_tensorflow,
    "tensorflow.python.keras.mixed_precision.loss_scale_optimizer": _keras_in_tensorflow,
    "torch": _torch,
}
"""By the name of the module whose import each waits for. TensorFlow loads Keras when the program first asks for it."""
