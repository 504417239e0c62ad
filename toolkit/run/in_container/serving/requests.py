"""The JSON of requests: rows, columns, examples. Pure."""

import json
from collections import OrderedDict
from typing import Any, Dict, List, NamedTuple, Set, Tuple

from .refused import Refused
from .tensors import (
    MOST_VALUES,
    Signature,
    Tensor,
    bytes_of,
    fits,
    is_base64,
    refuse_lossy,
    tensor_of,
    text_of,
)

DEFAULT = "serving_default"
_LONGEST_NUMBER = 400
_LONGEST_WHOLE = 20

Prediction = NamedTuple("Prediction", [("signature", str), ("rows", bool), ("inputs", Dict[str, Tensor])])
"""`rows`: it came as `instances`, and so leaves the answer."""

Features = Dict[str, Tuple[str, List[Any]]]
"""An example's features: a kind, `bytes`, `float` or `int64`, and the values."""


def document(body: bytes) -> Dict[str, Any]:
    """The request's JSON object, in which NaN and Infinity are numbers. Raises `Refused`."""
    if not body:
        raise Refused("JSON Parse error: The document is empty")
    try:
        text = body.decode()
        # Ordered, so that messages repeat an object as it was sent, on Python 3.5, too.
        found = json.loads(text, parse_int=_read_whole, parse_float=_read_float, object_pairs_hook=OrderedDict)
    except UnicodeDecodeError as error:
        raise Refused("JSON Parse error: Invalid encoding in string. at offset: %d" % error.start) from None
    except RecursionError:
        raise Refused("JSON Parse error: too deeply nested") from None
    except ValueError as error:
        offset = getattr(error, "pos", 0)
        raise Refused("JSON Parse error: %s at offset: %d" % (getattr(error, "msg", error), offset)) from None
    if not isinstance(found, dict):
        raise Refused("JSON Value: %s Is not object" % text_of(found))
    return found


def signature_name(found: Dict[str, Any]) -> str:
    """The signature that a request names. Raises `Refused`."""
    name = found.get("signature_name", "")
    if not isinstance(name, str):
        what = "JSON Value: %s not formatted correctly. 'signature_name' key must be a string value."
        raise Refused(what % text_of(found))
    return name or DEFAULT


def prediction(found: Dict[str, Any], signatures: Dict[str, Signature]) -> Prediction:
    """What `:predict` is asked. Raises `Refused`."""
    name = signature_name(found)
    if name not in signatures:
        raise Refused('Serving signature name: "%s" not found in signature def' % name)
    signature = signatures[name]
    if not signature.inputs:
        raise Refused("Failed to get input map for signature: %s" % name)
    if "instances" in found and "inputs" in found:
        what = "JSON Value: %s Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        raise Refused(what % text_of(found))
    if "instances" not in found and "inputs" not in found:
        raise Refused("Missing 'inputs' or 'instances' key")
    rows = "instances" in found
    inputs = _of_rows(found, signature) if rows else _of_columns(found["inputs"], signature)
    for key, tensor in sorted(inputs.items()):
        if not fits(tensor.shape, signature.inputs[key].shape):
            what = "input %s: expected shape %s but got %s"
            raise Refused(what % (key, _shown(signature.inputs[key].shape or []), _shown(tensor.shape)))
    return Prediction(name, rows, inputs)


def examples(found: Dict[str, Any]) -> List[Features]:
    """What `:classify` and `:regress` are asked. Raises `Refused`."""
    context = _features(found["context"]) if "context" in found else {}
    if "examples" not in found:
        what = "JSON Value: %s When method is classify, key 'examples' is expected and was not found"
        raise Refused(what % text_of(found))
    if not isinstance(found["examples"], list):
        raise Refused("JSON Value: %s Expecting 'examples' value to be an list/array" % text_of(found))
    if not found["examples"]:
        raise Refused("JSON Value: %s 'examples' value is an empty array" % text_of(found))
    rest = sum(len(values) for _, values in context.values())
    if rest * len(found["examples"]) > MOST_VALUES:
        raise Refused("a request has at most %d values in its examples" % MOST_VALUES)
    return [dict(context, **_features(one)) for one in found["examples"]]


def _read_whole(text: str) -> Any:
    return int(text) if len(text) <= _LONGEST_WHOLE else _read_float(text)


def _read_float(text: str) -> float:
    if len(text) > _LONGEST_NUMBER:
        raise Refused("JSON Parse error: a number has %d digits" % len(text))
    return float(text)


def _shown(shape: List[int]) -> str:
    return "[%s]" % ",".join(map(str, shape))


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _of_rows(found: Dict[str, Any], signature: Signature) -> Dict[str, Tensor]:
    """Each of `instances` gives one entry of every input; all have the same shape."""
    rows = found["instances"]
    if not isinstance(rows, list):
        raise Refused("JSON Value: %s Excepting 'instances' to be an list/array" % text_of(found))
    if not rows:
        raise Refused("JSON Value: %s No values in 'instances' array" % text_of(found))
    named = _is_named(rows[0])
    if not named and len(signature.inputs) > 1:
        raise Refused(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    joined = {}  # type: Dict[str, Tensor]
    for number, row in enumerate(rows):
        if _is_named(row) != named:
            kinds = ("object", "list") if named else ("value/list", "object")
            raise Refused("Expecting %s but got %s at item %d of input list" % (kinds + (number,)))
        _add_row(joined, row if named else {next(iter(signature.inputs)): row}, signature, number)
    return {key: Tensor(one.dtype, [len(rows)] + one.shape, one.values) for key, one in joined.items()}


def _add_row(joined: Dict[str, Tensor], row: Dict[str, Any], signature: Signature, number: int) -> None:
    for key, value in row.items():
        try:
            if key not in signature.inputs:
                raise Refused("JSON object: does not have named input: %s" % key)
            room = MOST_VALUES - sum(len(one.values) for one in joined.values())
            tensor = tensor_of(value, signature.inputs[key].dtype, room)
            before = joined.setdefault(key, Tensor(tensor.dtype, tensor.shape, []))
            if before.shape != tensor.shape:
                raise Refused("Expecting shape %s but got: %s" % (_shown(before.shape), _shown(tensor.shape)))
            before.values.extend(tensor.values)
        except Refused as error:
            what = "Failed to process element: %d key: %s of 'instances' list. Error: %s"
            raise Refused(what % (number, key, error.message), error.status) from None
    if len(row) != len(signature.inputs):
        what = "Failed to process element: %d of 'instances' list. JSON object: %s keys must be equal to: %s"
        raise Refused(what % (number, text_of(row), ",".join(sorted(signature.inputs))))


def _of_columns(value: Any, signature: Signature) -> Dict[str, Tensor]:
    """Each input by its name, or the only one without."""
    if not _is_named(value):
        if len(signature.inputs) > 1:
            raise Refused(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        value = {next(iter(signature.inputs)): value}
    found, room = {}, MOST_VALUES
    for key, info in signature.inputs.items():
        if key not in value:
            raise Refused("Missing named input: %s in 'inputs' object." % key)
        found[key] = tensor_of(value[key], info.dtype, room)
        room -= len(found[key].values)
    return found


def _features(value: Any) -> Features:
    if not isinstance(value, dict):
        raise Refused("Example must be JSON object but got JSON %s" % text_of(value))
    found = {}  # type: Features
    for name, content in value.items():
        kinds = set()  # type: Set[str]
        values = [_feature(name, one, kinds) for one in (content if isinstance(content, list) else [content])]
        found[name] = (kinds.pop() if kinds else "", values)
    return found


def _feature(name: str, value: Any, kinds: Set[str]) -> Any:
    """One value of a feature; `kinds` is what its values are: no more than one kind."""
    if value is None or isinstance(value, list) or _is_named(value):
        raise Refused("Feature: %s has element with unexpected JSON type: %s" % (name, text_of(value)))
    kind = "bytes" if isinstance(value, (str, dict)) else "float" if isinstance(value, float) else "int64"
    if kinds and kind not in kinds:
        raise Refused("Unexpected element type in feature: %s expecting type: %s" % (name, kinds.pop()))
    kinds.add(kind)
    if kind == "bytes":
        return bytes_of(value)
    if kind == "float":
        refuse_lossy(value, "DT_FLOAT")
    elif not -(2**63) <= value < 2**63:
        raise Refused("Feature: %s has uint64 element. Only int64 is supported." % name)
    return value
