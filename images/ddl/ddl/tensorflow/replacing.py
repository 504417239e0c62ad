"""Putting a method of ours in the place of a class's own."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

Method = Callable[..., Any]


class Here(threading.local):
    """Where this thread is: a call inside a call is passed on as it is, and may change variables."""

    in_apply = False


here = Here()


@contextlib.contextmanager
def in_apply() -> Iterator[None]:
    """While averaged gradients are applied, or variables are given values that all ranks have."""
    before, here.in_apply = here.in_apply, True
    try:
        yield
    finally:
        here.in_apply = before


def definer(cls: type, name: str) -> Any:
    """The class, ``cls`` or one that it inherits from, which defines ``name``: the same for all of Keras's models."""
    return next(base for base in cls.__mro__ if name in vars(base))


def replace(cls: type, name: str, wrap: Callable[[Method], Method]) -> None:
    """Put ``wrap(method)`` in the place of a method, where it is defined, unless that has been done."""
    owner = definer(cls, name)
    method = vars(owner)[name]
    if hasattr(method, "ddl_wraps"):
        return
    wrapped = functools.wraps(method)(tf.autograph.experimental.do_not_convert(wrap(method)))
    wrapped.ddl_wraps = method  # type: ignore[attr-defined]
    setattr(owner, name, wrapped)
