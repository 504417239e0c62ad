"""What is compared: variables, their values, and digests of them. Each framework subclasses `Weights`."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ddl.engine import digest


@dataclass(frozen=True)
class Value:
    """A variable's value.

    Attributes:
        memory: contiguous; its bytes are digested.
        numbers: the same in a type that can be compared: float32, float64 or complex; computed on demand.
    """

    memory: np.ndarray
    numbers: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Variable:
    """Description of a variable.

    Attributes:
        name: identifies it across ranks, the same on every rank.
        shape: -1 for an unknown size.
        dtype: the name of its type.
        display_name: the program's name for it, for people and patterns; may differ between ranks if one has loaded
            what the others have built.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    display_name: str


@dataclass(frozen=True)
class Final:
    """Weights when a program ends.

    Attributes:
        steps: number of steps taken.
        digests: of all variables.
        values: of all variables; a sample of each if the program has released them.
        complete: whether they are full values rather than samples.
    """

    steps: int
    digests: tuple[int, ...]
    values: Sequence[Value]
    complete: bool = True


class Weights:
    """The guarded trainable variables of one optimizer.

    Each framework's subclass reads them when the program ends.
    """

    def __init__(self, name: str, variables: Sequence[Variable]) -> None:
        self.name, self.variables = name, tuple(variables)
        self.checked, self.chain = 0, 0
        self.number: int | None = None

    def final(self) -> Final | None:
        """Their current values; None if they have not been trained."""
        raise NotImplementedError

    def changed_by_program(self) -> bool:
        """Whether the program has assigned them since the last step, for example from a checkpoint."""
        return False


def digests_of(values: Sequence[Value]) -> tuple[int, ...]:
    """A digest of each value."""
    return tuple(digest(value.memory.ctypes.data, value.memory.nbytes) for value in values)


def combined_digest(digests: Sequence[int]) -> int:
    """One digest of several digests."""
    array = (ctypes.c_uint64 * len(digests))(*digests)
    return digest(ctypes.addressof(array), ctypes.sizeof(array))


def sample_of(value: Value, max_elements: int = 256) -> Value:
    """Some of a value's elements, evenly spaced."""
    numbers = np.ravel(value.numbers())
    sample = np.ascontiguousarray(numbers[:: max(1, -(-numbers.size // max_elements))])
    return Value(sample, lambda: sample)


def digest_of_names(names: Iterable[str]) -> int:
    """A digest of names, signed as the engine takes it."""
    text = "\n".join(names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little", signed=True)


def digest_of_variables(weights: Weights) -> int:
    """A digest of the variables' names, shapes and types."""
    return digest_of_names(f"{one.name} {one.shape} {one.dtype}" for one in weights.variables)
