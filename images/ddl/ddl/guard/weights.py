"""What is compared: variables, their values, and digests of them. A framework's own kind of `Weights` has the rest."""

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
        numbers: the same in a type that is compared: float32, float64 or complex; computed when asked for.
    """

    memory: np.ndarray
    numbers: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Variable:
    """What is known of a variable.

    Attributes:
        name: by which ranks know it, the same on every rank.
        shape: -1 for a size that is not known.
        dtype: the name of its type.
        shown: what the program calls it, for people and patterns; may differ between ranks, where one has loaded what
            the others have built.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    shown: str


@dataclass(frozen=True)
class Final:
    """Weights when a program ends.

    Attributes:
        steps: that were taken.
        digests: of all variables.
        values: of all variables; a sample of each where the program has given them up.
        whole: whether they are no samples.
    """

    steps: int
    digests: tuple[int, ...]
    values: Sequence[Value]
    whole: bool = True


class Weights:
    """The trainable variables of one optimizer, as far as they are guarded.

    A framework's own kind says what they are when the program ends.
    """

    def __init__(self, name: str, variables: Sequence[Variable]) -> None:
        self.name, self.variables = name, tuple(variables)
        self.checked, self.chain = 0, 0
        self.number: int | None = None

    def final(self) -> Final | None:
        """What they are now; None where they have not been trained."""
        raise NotImplementedError

    def changed_by_program(self) -> bool:
        """Whether the program has given them values since the last step: it has restored a checkpoint, for instance."""
        return False


def digests_of(values: Sequence[Value]) -> tuple[int, ...]:
    """A digest of each value."""
    return tuple(digest(value.memory.ctypes.data, value.memory.nbytes) for value in values)


def folded(digests: Sequence[int]) -> int:
    """One digest of digests."""
    array = (ctypes.c_uint64 * len(digests))(*digests)
    return digest(ctypes.addressof(array), ctypes.sizeof(array))


def sample_of(value: Value, most: int = 256) -> Value:
    """Some of a value's elements, evenly spread."""
    numbers = np.ravel(value.numbers())
    sample = np.ascontiguousarray(numbers[:: max(1, -(-numbers.size // most))])
    return Value(sample, lambda: sample)


def digest_of_names(names: Iterable[str]) -> int:
    """A digest of names, signed as the engine takes it."""
    text = "\n".join(names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little", signed=True)


def digest_of_variables(weights: Weights) -> int:
    """A digest of what variables are called and look like."""
    return digest_of_names(f"{one.name} {one.shape} {one.dtype}" for one in weights.variables)
