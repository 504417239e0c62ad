"""The JSON of answers. Pure.

Floats are written as TensorFlow Serving writes them: as few digits as give the same number again in the tensor's own
type, always with a point or an exponent; NaN, Infinity and -Infinity as these words. Where the
order of a dictionary is seen, it is an `OrderedDict`: others have another order in each process of Python 3.5.
"""

import base64
import json
import math
import struct
from collections import OrderedDict
from typing import Any, Callable, Dict, List, Optional, Tuple

from .paths import VERSION
from .refused import Refused
from .tensors import Info, Signature, Tensor, name_of

_SINGLE = ("DT_FLOAT", "DT_HALF", "DT_BFLOAT16")
_WHOLE = ("DT_INT8", "DT_INT16", "DT_INT32", "DT_INT64", "DT_UINT8", "DT_UINT16", "DT_UINT32", "DT_UINT64")


def error(message: str) -> str:
    """An error's answer."""
    return '{ "error": %s }\n' % json.dumps(message)


def status() -> str:
    """The answer to the request for a model's status: it is there, in its only version."""
    fine = _ordered(("error_code", "OK"), ("error_message", ""))
    version = _ordered(("version", str(VERSION)), ("state", "AVAILABLE"), ("status", fine))
    return _pretty({"model_version_status": [version]})


def metadata(name: str, signatures: Dict[str, Signature]) -> str:
    """The answer to the request for a model's signatures."""
    described = _ordered(*((key, _described(one)) for key, one in sorted(signatures.items())))
    spec = _ordered(("name", name), ("signature_name", ""), ("version", str(VERSION)))
    return _pretty(_ordered(("model_spec", spec), ("metadata", {"signature_def": {"signature_def": described}})))


def predicted(outputs: Dict[str, Tensor], rows: bool) -> str:
    """The answer to `:predict`. Raises `Refused` if the outputs cannot be written, or not as rows."""
    return _of_rows(outputs) if rows else _of_columns(outputs)


def classified(classes: Optional[Tensor], scores: Optional[Tensor], count: int) -> str:
    """The answer to `:classify`, of `count` examples: label and score of each class."""
    for tensor, dtype, what in ((classes, "DT_STRING", "classes"), (scores, "DT_FLOAT", "scores")):
        if tensor is None:
            continue
        if len(tensor.shape) != 2:
            raise Refused("Expected Tensor shape: [batch_size num_classes] but got %s" % _shape(tensor))
        if tensor.dtype != dtype:
            raise Refused("Expected %s Tensor of %s. Got: %s" % (what, dtype, tensor.dtype))
        if tensor.shape[0] != count:
            raise Refused("Expected %s output batch size of %d. Got: %d" % (what, count, tensor.shape[0]))
    if classes and scores and classes.shape != scores.shape:
        raise Refused(
            "Tensors class and score should match in shape. Got %s vs. %s" % (_shape(classes), _shape(scores))
        )
    shape = (classes or scores or Tensor("", [count, 0], [])).shape
    total = shape[0] * shape[1]
    labels = _texts(classes, False) if classes else ['""'] * total
    numbers = _texts(scores, False) if scores else ["0.0"] * total
    pairs = ["[%s, %s]" % pair for pair in zip(labels, numbers)]
    return _lines("results", _nested(pairs, shape[:1], shape[1:]))


def regressed(outputs: Tensor, count: int) -> str:
    """The answer to `:regress`, of `count` examples: a value for each."""
    if outputs.shape not in ([count], [count, 1]):
        what = "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got %s"
        raise Refused(what % _shape(outputs))
    if outputs.dtype != "DT_FLOAT":
        raise Refused("Expected output Tensor of DT_FLOAT. Got: %s" % outputs.dtype)
    return _lines("results", _texts(outputs, False))


def decimal(value: float, single: bool) -> str:
    """A float for JSON; `single`: of 32 bits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = "%g" % value
    again = float(text)
    if single:
        again = struct.unpack("f", struct.pack("f", again))[0]
    if again != value:
        text = "%.*g" % (9 if single else 17, value)
    return text if "." in text or "e" in text else text + ".0"


def _of_rows(outputs: Dict[str, Tensor]) -> str:
    rows = -1
    for name, tensor in sorted(outputs.items()):
        if not tensor.shape:
            raise Refused("Tensor name: %s has no shape information " % name)
        if rows not in (-1, tensor.shape[0]):
            what = "Tensor name: %s has inconsistent batch size: %d expecting: %d"
            raise Refused(what % (name, tensor.shape[0], rows))
        rows = tensor.shape[0]
    if rows < 0:
        raise Refused("Cannot convert empty tensor map to JSON")
    columns = {
        name: _nested(_texts(tensor, name.endswith("_bytes")), tensor.shape[:1], tensor.shape[1:])
        for name, tensor in sorted(outputs.items())
    }
    if len(columns) == 1:
        return _lines("predictions", next(iter(columns.values())))
    return _lines("predictions", [_object(columns, row) for row in range(rows)])


def _of_columns(outputs: Dict[str, Tensor]) -> str:
    if not outputs:
        raise Refused("Cannot convert empty tensor map to JSON")
    texts = {
        name: _nested(_texts(tensor, name.endswith("_bytes")), [], tensor.shape) for name, tensor in outputs.items()
    }
    whole = next(iter(texts.values()))[0] if len(texts) == 1 else _object(texts, 0)
    return '{\n    "outputs": %s\n}\n' % whole


def _object(columns: Dict[str, List[str]], row: int) -> str:
    return "{%s}" % ", ".join("%s: %s" % (json.dumps(name), columns[name][row]) for name in sorted(columns))


def _lines(key: str, texts: List[str]) -> str:
    """Lists and objects on a line each, scalars on one."""
    if not texts or texts[0][:1] not in "[{":
        return '{\n    "%s": [%s]\n}\n' % (key, ", ".join(texts))
    return '{\n    "%s": [\n        %s\n    ]\n}\n' % (key, ",\n        ".join(texts))


def _nested(texts: List[str], outer: List[int], inner: List[int]) -> List[str]:
    """The values of a tensor, each list of the `inner` sizes as one text; there are as many as `outer` says."""
    for position in range(len(inner) - 1, -1, -1):
        size, count = inner[position], 1
        for one in outer + inner[:position]:
            count *= one
        texts = ["[%s]" % ", ".join(texts[at * size : (at + 1) * size]) for at in range(count)]
    return texts


def _texts(tensor: Tensor, as_bytes: bool) -> List[str]:
    """Each value as JSON; `as_bytes`: those of strings in base64."""
    return list(map(_writer(tensor.dtype, as_bytes), tensor.values))


def _writer(dtype: str, as_bytes: bool) -> Callable[[Any], str]:
    if dtype in _SINGLE:
        return lambda value: decimal(value, True)
    if dtype == "DT_DOUBLE":
        return lambda value: decimal(value, False)
    if dtype in _WHOLE:
        return lambda value: str(int(value))
    if dtype == "DT_BOOL":
        return lambda value: "true" if value else "false"
    if dtype == "DT_STRING" and as_bytes:
        return lambda value: '{"b64": "%s"}' % base64.b64encode(value).decode()
    if dtype == "DT_STRING":
        return lambda value: json.dumps(value.decode("utf-8", "replace"))
    raise Refused("Failed to write JSON value for tensor type: %s" % name_of(dtype))


def _shape(tensor: Tensor) -> str:
    return "[%s]" % ",".join(map(str, tensor.shape))


def _described(signature: Signature) -> Dict[str, Any]:
    return _ordered(
        ("inputs", _ordered(*((key, _info(one)) for key, one in sorted(signature.inputs.items())))),
        ("outputs", _ordered(*((key, _info(one)) for key, one in sorted(signature.outputs.items())))),
        ("method_name", signature.method),
    )


def _info(info: Info) -> Dict[str, Any]:
    sizes = [_ordered(("size", str(size)), ("name", "")) for size in info.shape or []]
    shape = _ordered(("dim", sizes), ("unknown_rank", info.shape is None))
    return _ordered(("dtype", info.dtype), ("tensor_shape", shape), ("name", info.tensor))


def _ordered(*pairs: Tuple[str, Any]) -> Dict[str, Any]:
    return OrderedDict(pairs)


def _pretty(value: Dict[str, Any]) -> str:
    return json.dumps(value, indent=1) + "\n"
