"""What lets old scripts run on today's TensorFlow, as far as it needs no TensorFlow; the rest is in `old_scripts`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tf1_compat import caller, gradients, messages, variable


@pytest.fixture(autouse=True)
def one_rank_that_has_said_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMPI_COMM_WORLD_RANK", raising=False)
    monkeypatch.setattr(messages, "_printed", set())


@pytest.mark.parametrize(
    ("whose", "scripts"),
    [
        ({"__name__": "__main__", "__file__": "train.py"}, True),
        ({"__name__": "layers", "__file__": "/job/code/layers.py"}, True),
        ({"__name__": "__main__"}, True),
        ({"__name__": "wrappers of operations"}, False),
        (None, False),
        ({"__name__": "keras.x", "__file__": "/opt/venv/lib/python3.11/site-packages/keras/x.py"}, False),
        ({"__name__": "yaml", "__file__": "/usr/lib/python3/dist-packages/yaml/__init__.py"}, False),
        ({"__name__": "runpy", "__file__": os.__file__}, False),
        ({"__name__": "ours", "__file__": str(Path(caller.__file__).parents[2] / "ddl" / "hook.py")}, False),
    ],
)
def test_a_script_is_distinguished_from_a_library(whose: dict[str, str] | None, scripts: bool) -> None:
    assert caller.is_user_script(whose) is scripts


def variable_class() -> Any:
    """A class that makes variables as TensorFlow's does: calling it never runs its own `__init__`."""

    class Made:
        def __init__(self, *values: Any) -> None:
            self.values = values

    class Meta(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return cls._variable_call(*args, **kwargs)  # type: ignore[attr-defined]

    class Variable(metaclass=Meta):
        def __init__(self, initial_value: Any = None, trainable: bool = True, name: str = "") -> None:
            raise AssertionError(initial_value, trainable, name)

        @classmethod
        def _variable_call(cls, initial_value: Any = None, name: str = "", trainable: bool = True) -> Made:
            return Made(initial_value, trainable, name)

    variable.honour_init(Variable)
    return Variable


def test_a_variable_is_made_as_before_where_no_one_replaced_its_init() -> None:
    assert variable_class()(3, name="w").values == (3, True, "w")


def test_a_replaced_init_makes_the_variable_with_the_one_that_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    cls = variable_class()
    found = cls.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        found(self, args[0] + 1, False, **kwargs)  # positions mean what they meant in `__init__`
        self.note = "set afterwards"

    cls.__init__ = init
    made = cls(3, name="w")
    assert made.values == (4, False, "w")
    assert made.note == "set afterwards"
    assert type(made).__name__ == "Made"
    assert "tf.Variable.__init__ was replaced by" in capsys.readouterr().err


def test_an_init_that_makes_no_variable_is_reported() -> None:
    cls = variable_class()
    cls.__init__ = lambda _: None
    with pytest.raises(AttributeError, match="did not call the one that it replaced"):
        cls()


class Variable:
    def __init__(self, name: str) -> None:
        self.name = name

    def get_shape(self) -> str:
        return f"shape of {self.name}"


class Gradient:
    shape = "unknown"

    def set_shape(self, shape: str) -> None:
        self.shape = shape


class TensorFlow:
    """As much of it as looking at an optimizer needs: it stands in, because the quick tests have none."""

    class IndexedSlices:
        """A sparse gradient."""

    class train:
        class Optimizer:
            def apply_gradients(self, grads_and_vars: Any, name: str = "") -> Any:
                return list(grads_and_vars), name

    @staticmethod
    def convert_to_tensor(_: Any) -> Gradient:
        return Gradient()


def test_a_scripts_own_apply_gradients_gets_whole_gradients_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    optimizer: Any = TensorFlow.train.Optimizer
    gradient, slices = Gradient(), TensorFlow.IndexedSlices()
    w, b, rows = map(Variable, ("w", "b", "rows"))
    watch, pairs = gradients.OptimizerWatch(TensorFlow), [(gradient, w), (None, b), (slices, rows)]
    watch.check()
    assert optimizer().apply_gradients(pairs, "n") == (pairs, "n")  # TensorFlow's own gets all, as they are
    tensorflows = optimizer.apply_gradients

    def scripts_own(self: Any, found: Any, *rest: Any) -> Any:
        return tensorflows(self, found, *rest)

    monkeypatch.setattr(optimizer, "apply_gradients", scripts_own)
    watch.check()
    watch.check()
    found, name = optimizer().apply_gradients(pairs, "n")
    assert ([variable for _, variable in found], name) == ([w, rows], "n")
    assert found[0][0] is gradient
    assert [whole.shape for whole, _ in found] == ["shape of w", "shape of rows"]
    assert capsys.readouterr().err == "compat tf1: no gradient, so left unchanged: b\n"


def test_it_is_said_once_and_by_rank_0(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    messages.notice("a")
    messages.notice("a")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    messages.notice("b")
    assert capsys.readouterr().err == "compat tf1: a\n"
