"""What is done to a framework when a program that has several ranks imports it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from ddl.engine import Engine
from ddl.environment import Place
from ddl.imports import when_imported


def _tensorflow(engine: Engine, here: Place) -> None:
    from ddl.tensorflow import gpu, optimizers, sessions, variables

    gpu.pin(here.local_rank)
    variables.watch(engine)
    optimizers.install(engine)
    sessions.install()


def _keras(engine: Engine, _: Place) -> None:
    from ddl.tensorflow import keras2, keras3

    (keras3 if keras3.is_it() else keras2).install(engine)


def _torch(_: Engine, here: Place) -> None:
    from ddl.torch import gpu, process_group

    gpu.pin(here.local_rank)
    process_group.register()


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


PREPARATIONS: Mapping[str, Callable[[Engine, Place], None]] = {
    "tensorflow": _tensorflow,
    "keras": _keras,
    "torch": _torch,
}
"""By the name of the module whose import each waits for. TensorFlow loads Keras when the program first asks for it."""
