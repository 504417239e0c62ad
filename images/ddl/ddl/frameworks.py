"""What is done to a framework when a program that has several ranks imports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ddl.engine import Engine
from ddl.environment import Place
from ddl.guard import process


def _tensorflow(engine: Engine, here: Place) -> None:
    from ddl.tensorflow import gpu, optimizers, sessions, variables

    gpu.pin(here.local_rank)
    variables.watch(engine)
    optimizers.install(engine)
    sessions.install()
    if guard := process.guard():
        from ddl.tensorflow import guard as tensorflows

        tensorflows.install(guard)


def _keras(engine: Engine, _: Place) -> None:
    from ddl.tensorflow import keras2, keras3

    (keras3 if keras3.is_it() else keras2).install(engine)


def _torch(_: Engine, here: Place) -> None:
    from ddl.torch import gpu, process_group

    gpu.pin(here.local_rank)
    process_group.register()
    if guard := process.guard():
        from ddl.torch import guard as torchs

        torchs.install(guard)


PREPARATIONS: Mapping[str, Callable[[Engine, Place], None]] = {
    "tensorflow": _tensorflow,
    "keras": _keras,
    "torch": _torch,
}
"""By the name of the module whose import each waits for. TensorFlow loads Keras when the program first asks for it."""
