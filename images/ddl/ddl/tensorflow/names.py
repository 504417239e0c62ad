"""What a collective is called, so that each rank's meets its own on the others.

The engine agrees by name what runs next, so ranks may come to their collectives in different orders. A name must be the
same on every rank and belong to one set of tensors. Names that TensorFlow or Keras make up are not the same: rank 0
that has loaded a model by itself counts one further, and its variables lack the model's own name (``dense/kernel``,
where the others, who have built it, have ``sequential/dense/kernel``). So only what a variable is called within its
layer is taken, and those that are alike are counted here, in the order in which they first take part in a collective:
the order in which the model uses them, which is the same on all ranks.

Not so in a thread of the program's own, where another model may be trained at the same time: there the whole name but
for the numbers is taken, and two threads that come with variables of one name are told.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ddl import threads
from ddl.engine import EngineError

_NUMBER = re.compile(r"_\d+(?=/|:|$)|:\d+$")
_counts: defaultdict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))


def plain(variable: Any) -> Any:
    """TensorFlow's variable inside Keras 3's, or inside the one that mixed precision puts around it."""
    if not isinstance(variable, tf.Variable) and hasattr(variable, "value"):
        variable = variable.value  # Keras 3's
    return getattr(variable, "_variable", variable)


def shown(variable: Any) -> str:
    """What a person knows a variable by, without the numbers that are made up: ``sequential/dense/kernel``."""
    return _NUMBER.sub("", plain(variable).name)


def of_variable(variable: Any) -> str:
    """The name of a variable's collectives, such as ``kernel`` or ``kernel (2)``.

    Raises:
        EngineError: two threads come with variables of one name at once.
    """
    variable = plain(variable)
    name: str | None = getattr(variable, "_ddl_name", None)
    if name is None:
        stem = _stem(variable)
        number = next(_counts[stem])
        name = variable._ddl_name = stem if number == 1 else f"{stem} ({number})"
    return name


def _stem(variable: Any) -> str:
    name = shown(variable)
    if threading.current_thread() is threading.main_thread():
        return name.rpartition("/")[2]
    race = threads.race(f"variables named {name}")
    if race is not None:
        raise EngineError(
            f"ddl: variables named {name} come from {race}, and nothing tells ranks which is which: "
            "give the models of each thread names of their own"
        )
    return f"{name} (of a thread)"


def of_gradients(variables: Sequence[Any]) -> str:
    """The name of the reduction of some variables' gradients: the first's, how many more, and a digest of all."""
    names = [of_variable(variable) for variable in variables]
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"gradient of {names[0]}{more} [{digest}]"


def of_nth_in_graph(kind: str) -> str:
    """The name of a collective in a version 1 graph, where nothing keeps their order; all ranks build it alike."""
    graph = tf.compat.v1.get_default_graph()
    if not hasattr(graph, "_ddl_number"):
        graph._ddl_number, graph._ddl_collectives = next(_counts["a graph"]), itertools.count(1)
    return f"{kind} {next(graph._ddl_collectives)} of graph {graph._ddl_number}\n"
