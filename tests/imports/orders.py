"""Programs that differ in how, and in which order, they import ddl and a framework: generated, each a file of its own.

They all train a model on data that differ from rank to rank, and then compare the digests of their weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

DDL, TF, KERAS, TF_KERAS = "import ddl", "import tensorflow as tf", "import keras", "import tf_keras"
LEGACY = {"TF_USE_LEGACY_KERAS": "1"}


@dataclass(frozen=True)
class Order:
    """One program.

    Attributes:
        name: what it does, in words.
        lines: what it does before it trains.
        train: how it trains: a call of a function of `training`.
        says: what its error must say; empty where all ranks must end with the same weights.
        environment: what is set for it.
    """

    name: str
    lines: tuple[str, ...]
    train: str = "fit(keras)"
    says: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        """Its text."""
        return "\n".join((*self.lines, "import training", f"training.{self.train}", ""))


def every_order() -> list[Order]:
    """All programs for an image with TensorFlow; `tf_keras` is there, too."""
    return [*permutations(), *ways(), *optimizers(), *refused()]


def permutations() -> Iterator[Order]:
    """Each order of the imports, and each name by which Keras can then be had."""
    for others, names, environment in (
        ((TF,), ("tf.keras",), {}),
        ((KERAS,), ("keras",), {}),
        ((TF, KERAS), ("tf.keras", "keras"), {}),
        ((TF_KERAS,), ("tf_keras",), {}),
        ((TF, TF_KERAS), ("tf_keras", "tf.keras"), {}),
        ((KERAS, TF_KERAS), ("keras", "tf_keras"), {}),
        ((TF,), ("tf.keras",), LEGACY),
        ((TF, KERAS), ("keras", "tf.keras"), LEGACY),
    ):
        for imports in itertools.permutations((DDL, *others)):
            for name in names:
                said = [f"{key}={value}" for key, value in environment.items()]
                yield Order("; ".join((*said, *imports, name)), imports, f"fit({name})", environment=environment)


_START = "import importlib, importlib.machinery, importlib.util, sys, threading"
_ASKED = "importlib.util.find_spec('keras')"
_KEPT = """spec = importlib.util.find_spec('{0}')
{1}
module = sys.modules['{0}'] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
import {0}"""
_FINDER = """class Finder:
    def find_spec(self, name, path=None, target=None):
        return {1} if name in {0} else None
sys.meta_path.insert(0, Finder())"""
_BY_PATH_FINDER = "importlib.machinery.PathFinder.find_spec(name, path, target)"
_BY_FILE = "importlib.util.spec_from_file_location(name, FILES[name])"
_FILES = "FILES = {name: importlib.util.find_spec(name).origin for name in ('keras', 'tensorflow')}"

WAYS: Mapping[str, str] = {
    "a question for Keras before": f"{DDL}\n{_ASKED}\n{KERAS}",
    "many questions before": f"{DDL}\n[{_ASKED} for _ in range(5)]\n{KERAS}",
    "questions between": f"{DDL}\n{_ASKED}\n{TF}\n{_ASKED}\n{KERAS}",
    "from tensorflow import keras": f"{DDL}\nfrom tensorflow import keras",
    "import tensorflow.keras": f"{DDL}\nimport tensorflow.keras as keras",
    "importlib.import_module": f"{DDL}\nkeras = importlib.import_module('keras')",
    "a part of Keras first": f"{DDL}\nimport keras.src.optimizers\nimport keras",
    "in a function": f"{DDL}\ndef load():\n    import keras\n    return keras\nkeras = load()",
    "in a condition": f"{DDL}\ntry:\n    import nothing_of_that_name\nexcept ImportError:\n    {KERAS}",
    "in a thread": f"{DDL}\nthread = threading.Thread(target=importlib.import_module, args=('keras',))\n"
    f"thread.start()\nthread.join()\n{KERAS}",
    "an answer kept": f"{DDL}\n{_KEPT.format('keras', '')}",
    "an answer kept from before ddl": _KEPT.format("keras", DDL),
    "TensorFlow's answer kept from before ddl": f"{_KEPT.format('tensorflow', DDL)}\n{KERAS}",
    "lazily": f"""{DDL}
spec = importlib.util.find_spec('keras')
spec.loader = importlib.util.LazyLoader(spec.loader)
keras = sys.modules['keras'] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(keras)""",
    "another finder in front": f"{DDL}\n{_FINDER.format(('keras', 'tensorflow'), _BY_PATH_FINDER)}\n{KERAS}",
    "a finder in front that knows the file": f"{_FILES}\n{DDL}\n{_FINDER.format(('keras',), _BY_FILE)}\n{KERAS}",
    "a finder in front that knows both files": f"{_FILES}\n{DDL}\n{_FINDER.format(('keras', 'tensorflow'), _BY_FILE)}\n"
    f"{TF}\n{KERAS}",
    "ddl's finder behind the others": f"{DDL}\nsys.meta_path.append(sys.meta_path.pop(0))\n{TF}\n{KERAS}",
    "without ddl's finder": f"{DDL}\ndel sys.meta_path[0]\n{TF}\n{KERAS}",
    "after an import that failed": f"""{DDL}
path, sys.path[:] = list(sys.path), []
try:
    import keras
except ImportError:
    sys.path[:] = path
{KERAS}""",
    "imported again": f"{DDL}\n{KERAS}\nimportlib.reload(keras)",
    "ddl.init at the end": f"import os\noptions = os.environ.pop('DDL_OPTIONS')\n{DDL}\n{TF}\n{KERAS}\n"
    "ddl.init(options)",
    "ddl at the end": f"{KERAS}\n{DDL}",
}

TORCH_WAYS = (
    *("a question for Keras before", "many questions before", "importlib.import_module", "in a function"),
    *("in a condition", "in a thread", "an answer kept", "another finder in front", "after an import that failed"),
)
QUICK = (
    "import ddl; import tensorflow as tf; tf.keras",
    "keras's apply_gradients overridden",
)
"""The two that every check runs: the reported order, and the last line of defence."""


def ways() -> Iterator[Order]:
    """Other ways to import than a plain line."""
    for name, lines in WAYS.items():
        yield Order(name, (_START, lines))


def optimizers() -> Iterator[Order]:
    """Optimizers of every kind, reached by their own names alone."""
    imports = (DDL, TF)
    of_2021 = "from tensorflow.python.keras.optimizer_v2.gradient_descent import SGD"
    for name in ("tf.keras.optimizers.SGD", "tf.optimizers.SGD", "tf.compat.v1.train.AdamOptimizer"):
        yield Order(f"{name} alone", (*imports, f"optimizer = {name}(0.1)"), "loop(optimizer)")
    yield Order("tensorflow.python.keras", (DDL, of_2021), "loop(SGD(0.1))")
    yield Order("tensorflow.python.keras, ddl last", (of_2021, DDL), "loop(SGD(0.1))")
    for name in ("optimizers.SGD", "optimizers.legacy.SGD"):
        yield Order(f"tf_keras.{name} alone", (DDL, TF_KERAS), f"loop(tf_keras.{name}(0.1))")
    for keras in ("keras", "tf_keras"):
        own = f"class Own({keras}.optimizers.SGD):\n    def apply_gradients(self, grads_and_vars, **kwargs):\n"
        own += "        return super().apply_gradients([(2 * g, v) for g, v in grads_and_vars], **kwargs)"
        yield Order(f"a subclass of {keras}'s", (DDL, f"import {keras}", own), "loop(Own(0.1))")
    both = "fit(keras)\ntraining.fit(tf_keras)\ntraining.fit(keras)"
    yield Order("keras and tf_keras in one program", (DDL, KERAS, TF_KERAS), both)
    yield Order("ddl's callbacks with tf_keras", (DDL, TF_KERAS), "fit_with_callbacks(tf_keras)")
    yield Order("ddl's callbacks with keras", (DDL, KERAS), "fit_with_callbacks(keras)")
    yield Order("ddl's callbacks with tf.keras", (DDL, TF), "fit_with_callbacks(tf.keras)", environment=LEGACY)


_BY_HAND = "for gradient, variable in {0}: variable.assign_sub(0.1 * gradient)"
_BY_OP = "tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=0.1, delta=gradient)"
_APPLY_GRADIENTS = f"    def apply_gradients(self, pairs, **_):\n        {_BY_HAND.format('pairs')}"

REFUSED: Mapping[str, tuple[str, str]] = {
    "keras's apply_gradients overridden": (f"class Own(tf.keras.optimizers.SGD):\n{_APPLY_GRADIENTS}", "Own(0.1)"),
    "keras's update_step called": (
        "class Own(tf.keras.optimizers.SGD):\n"
        "    def apply_gradients(self, pairs, **_):\n"
        "        pairs = list(pairs)\n"
        "        with tf.init_scope():\n"
        "            self.build([variable for _, variable in pairs])\n"
        "        for gradient, variable in pairs:\n"
        "            self.update_step(gradient, variable, *((0.1,) if tf.__version__ > '2.16' else ()))",
        "Own(0.1)",
    ),
    "tf_keras's apply_gradients overridden": (
        f"import tf_keras\nclass Own(tf_keras.optimizers.SGD):\n{_APPLY_GRADIENTS}",
        "Own(0.1)",
    ),
    "tf_keras's legacy apply_gradients overridden": (
        f"import tf_keras\nclass Own(tf_keras.optimizers.legacy.SGD):\n{_APPLY_GRADIENTS}",
        "Own(0.1)",
    ),
    "version 1's apply_gradients overridden": (
        "class Own(tf.compat.v1.train.Optimizer):\n"
        f"    def __init__(self): super().__init__(False, 'own')\n{_APPLY_GRADIENTS}",
        "Own()",
    ),
    "tf_keras's apply_gradients replaced": (
        f"import tf_keras\nclass Own(tf_keras.optimizers.SGD): pass\ndef apply_gradients(self, pairs, **_):\n"
        f"    {_BY_HAND.format('pairs')}\ntf_keras.optimizers.Optimizer.apply_gradients = apply_gradients",
        "Own(0.1)",
    ),
    "an optimizer of no framework": (f"class Own:\n{_APPLY_GRADIENTS}", "Own()"),
    "an optimizer of no framework, by a training op": (
        f"class Own:\n    def apply_gradients(self, pairs):\n        for gradient, variable in pairs: {_BY_OP}",
        "Own()",
    ),
}


def refused() -> Iterator[Order]:
    """Optimizers that no hook is in: they are refused, and named."""
    for name, (lines, optimizer) in REFUSED.items():
        yield Order(name, (DDL, TF, lines), f"refuse(lambda: {optimizer})")
    by_hand = f"class Own:\n    def apply_gradients(self, pairs):\n        {_BY_HAND.format('ddl.grads_reduce(pairs)')}"
    yield Order("an optimizer that averages by itself", (DDL, TF, by_hand), "loop(Own())")
    nothing = "from ddl.tensorflow.patching import context\ncontext.in_apply = True"
    yield Order("a control: nothing is averaged", (DDL, TF, nothing), "fit(tf.keras)", "ended with different weights")


def torch_orders() -> list[Order]:
    """The same for PyTorch, which is in no image: each order, by `ddl.torch` and by `torch.distributed`."""
    orders = []
    for imports in itertools.permutations((DDL, "import torch", "import torch.distributed")):
        for train in ("distribute()", "distribute_by_pytorch()"):
            orders.append(Order("; ".join((*imports, train)), imports, train))
    for name in TORCH_WAYS:
        lines = WAYS[name].replace("keras", "torch")
        orders.append(Order(name.replace("Keras", "PyTorch"), (_START, lines), "distribute_by_pytorch()"))
    return orders
