"""Replacing methods of other libraries' classes."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

Method = Callable[..., Any]


class Context(threading.local):
    """Per-thread state: nested calls are passed on unchanged, and may change variables."""

    in_apply = False


context = Context()


@contextlib.contextmanager
def in_apply() -> Iterator[None]:
    """While averaged gradients are applied, or variables are assigned values that all ranks have."""
    before, context.in_apply = context.in_apply, True
    try:
        yield
    finally:
        context.in_apply = before


def defining_class(cls: type, name: str) -> Any:
    """The class, ``cls`` or a base of it, that defines ``name``: the same for all Keras models."""
    return next(base for base in cls.__mro__ if name in vars(base))


def patch(cls: type, name: str, wrap: Callable[[Method], Method]) -> None:
    """Replace a method with ``wrap(method)`` in the class that defines it, unless that was done before."""
    owner = defining_class(cls, name)
    method = vars(owner)[name]
    if hasattr(method, "ddl_wraps"):
        return
    wrapped = functools.wraps(method)(tf.autograph.experimental.do_not_convert(wrap(method)))
    wrapped.ddl_wraps = method  # type: ignore[attr-defined]
    setattr(owner, name, wrapped)
