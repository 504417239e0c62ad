"""A model's signatures as values: their table, and an example of a request. Pure."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter

DEFAULT = "serving_default"
_INTERNAL = "__saved_model_"
"""TensorFlow's own, such as the one that initializes tables."""
_LONGEST_EXAMPLE = 20
"""Values of an example that are written out; of more, a short program writes them."""
_LONGEST_SHAPE = 64
_Word = Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True)
class TensorType:
    """A tensor's dtype, such as `float32`, and shape: -1 for open sizes, None for any rank."""

    dtype: _Word
    shape: Annotated[tuple[int, ...], Field(max_length=_LONGEST_SHAPE)] | None

    def __str__(self) -> str:
        """`float32 [n, 784]`: open sizes are n."""
        sizes = "..." if self.shape is None else ", ".join("n" if size < 0 else str(size) for size in self.shape)
        return f"{self.dtype} [{sizes}]"


@dataclass(frozen=True)
class Signature:
    """A signature: its tensors by name, and its method, such as `tensorflow/serving/predict`; empty if not known."""

    inputs: Mapping[_Word, TensorType] = field(default_factory=dict)
    outputs: Mapping[_Word, TensorType] = field(default_factory=dict)
    method: _Word = ""


Signatures = dict[str, Signature]
_ADAPTER = TypeAdapter(Signatures, config=ConfigDict(strict=True, defer_build=True))


def read_signatures(text: bytes) -> Signatures:
    """What a program in the image says of a model's signatures. Raises `ValueError`: it is not trusted."""
    found = _ADAPTER.validate_json(text)
    return {name: one for name, one in sorted(found.items()) if not name.startswith(_INTERNAL)}


def table_rows(signatures: Mapping[str, Signature]) -> list[tuple[str, str, str]]:
    """For each signature its name, its inputs and its outputs, a row for each tensor."""
    rows: list[tuple[str, str, str]] = []
    for name, one in sorted(signatures.items()):
        pairs = list(zip_longest(_texts(one.inputs), _texts(one.outputs), fillvalue="")) or [("", "")]
        rows += [("" if number else name, *pair) for number, pair in enumerate(pairs)]
    return rows


def main_signature(signatures: Mapping[str, Signature]) -> str:
    """The name of the one to show an example of: the default one if there is one. Empty if none has inputs."""
    able = [name for name, one in sorted(signatures.items()) if one.inputs and one.outputs]
    return DEFAULT if DEFAULT in able else next(iter(able), "")


def curl_line(url: str, name: str, signature: Signature) -> str:
    """A command line that asks the model at `url` for a prediction on zeros, through the signature `name`."""
    count = sum(math.prod(_sizes(tensor)) for tensor in signature.inputs.values())
    if count <= _LONGEST_EXAMPLE:
        return f"curl -d {shlex.quote(json.dumps(_request(name, signature, _values)))} {url}:predict"
    program = f"import json; print(json.dumps({_text(_request(name, signature, _Expression))}))"
    return f"python3 -c {shlex.quote(program)} | curl -d @- {url}:predict"


class _Expression:
    """Many values, as a short expression in Python."""

    def __init__(self, zero: object, sizes: Sequence[int]) -> None:
        self._text = repr(zero)
        for size in reversed(sizes):
            self._text = f"[{self._text}] * {size}"

    def __str__(self) -> str:
        return self._text


def _text(value: object) -> str:
    """A request as Python's source, with double quotes: it stands in a shell's single ones."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(key)}: {_text(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return json.dumps(value) if isinstance(value, str) else str(value)


def _values(zero: object, sizes: Sequence[int]) -> object:
    value = zero
    for size in reversed(sizes):
        value = [value] * size
    return value


def _request(name: str, signature: Signature, write: Callable[[object, Sequence[int]], object]) -> dict[str, object]:
    """A request of one row, or in columns where an input has no open first size."""
    rows = all(tensor.shape and tensor.shape[0] < 0 for tensor in signature.inputs.values())
    named = {
        key: write(_zero(tensor.dtype), _sizes(tensor)[1:] if rows else _sizes(tensor))
        for key, tensor in sorted(signature.inputs.items())
    }
    value = next(iter(named.values())) if len(named) == 1 else named
    chosen: dict[str, object] = {} if name == DEFAULT else {"signature_name": name}
    return chosen | ({"instances": [value]} if rows else {"inputs": value})


def _sizes(tensor: TensorType) -> list[int]:
    """A shape for an example: open sizes are 1."""
    return [1 if size < 0 else size for size in tensor.shape or ()]


def _zero(dtype: str) -> object:
    if dtype in ("string", "bool"):
        return "" if dtype == "string" else False
    return 0.0 if "float" in dtype else 0


def _texts(tensors: Mapping[str, TensorType]) -> list[str]:
    return [f"{name}  {tensor}" for name, tensor in sorted(tensors.items())]
