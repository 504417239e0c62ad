"""The JSON of answers: TensorFlow Serving's shapes, and floats that are the same number again."""

from __future__ import annotations

import json
import math
import struct
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.run.in_container.serving import answers
from toolkit.run.in_container.serving.refused import Refused, said, status_of
from toolkit.run.in_container.serving.tensors import Info, Signature, Tensor


def tensor(dtype: str, shape: list[int], *values: Any) -> Tensor:
    return Tensor(dtype, shape, list(values))


@pytest.mark.parametrize(
    ("value", "single", "text"),
    [
        (1.0, True, "1.0"),
        (-0.0, True, "-0.0"),
        (struct.unpack("f", struct.pack("f", 0.1))[0], True, "0.1"),
        (struct.unpack("f", struct.pack("f", 1 / 3))[0], True, "0.333333343"),
        (1 / 3, False, "0.33333333333333331"),
        (9e6, True, "9e+06"),
        (123456789.0, False, "123456789.0"),
        (3.4028234663852886e38, True, "3.40282347e+38"),
        (math.inf, True, "Infinity"),
        (-math.inf, False, "-Infinity"),
        (math.nan, True, "NaN"),
    ],
)
def test_a_float_is_written_as_serving_writes_it(value: float, single: bool, text: str) -> None:
    assert answers.decimal(value, single) == text


@given(st.floats(allow_nan=False))
def test_a_double_can_be_read_again(value: float) -> None:
    assert json.loads(answers.decimal(value, single=False)) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_single_can_be_read_again_as_a_single(value: float) -> None:
    assert struct.unpack("f", struct.pack("f", json.loads(answers.decimal(value, single=True))))[0] == value


def test_an_answers_keys_have_one_order_on_python_3_5_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dictionaries have another order in each process, unless they are ordered ones."""
    written: list[Any] = []
    monkeypatch.setattr(answers, "_pretty", written.append)
    info = Info("x:0", "DT_FLOAT", [-1, 2])
    signature = Signature("tensorflow/serving/predict", {"b": info, "a": info}, {"d": info, "c": info})
    answers.status()
    answers.metadata("m", {"two": signature, "one": signature})
    found = [one for value in written for one in objects_in(value)]
    assert [one for one in found if len(one) > 1 and not isinstance(one, OrderedDict)] == []
    assert [list(one) for one in found if "a" in one or "c" in one] == [["a", "b"], ["c", "d"]] * 2
    assert list(written[1]["metadata"]["signature_def"]["signature_def"]) == ["one", "two"]


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects_in(one)


def test_one_output_is_a_list_and_several_are_objects() -> None:
    one = {"y": tensor("DT_INT64", [2, 1, 2], 1, 2, 3, 4)}
    assert json.loads(answers.predicted(one, rows=True)) == {"predictions": [[[1, 2]], [[3, 4]]]}
    assert json.loads(answers.predicted(one, rows=False)) == {"outputs": [[[1, 2]], [[3, 4]]]}
    two = {"ok": tensor("DT_BOOL", [2], True, False), "raw_bytes": tensor("DT_STRING", [2], b"\x00", b"")}
    assert json.loads(answers.predicted(two, rows=True)) == {
        "predictions": [{"ok": True, "raw_bytes": {"b64": "AA=="}}, {"ok": False, "raw_bytes": {"b64": ""}}]
    }
    assert json.loads(answers.predicted(two, rows=False)) == {
        "outputs": {"ok": [True, False], "raw_bytes": [{"b64": "AA=="}, {"b64": ""}]}
    }
    assert answers.predicted({"y": tensor("DT_FLOAT", [3], 3.5, 4.0, 5.5)}, rows=True) == (
        '{\n    "predictions": [3.5, 4.0, 5.5]\n}\n'
    )


def test_a_string_that_is_no_text_is_still_json() -> None:
    assert json.loads(answers.predicted({"y": tensor("DT_STRING", [1], b'a"\xff')}, rows=True)) == {
        "predictions": ['a"\ufffd']
    }


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "Cannot convert empty tensor map to JSON"),
        ({"y": tensor("DT_FLOAT", [], 1.0)}, "Tensor name: y has no shape information "),
        (
            {"a": tensor("DT_BOOL", [1], True), "b": tensor("DT_BOOL", [2], True, True)},
            "Tensor name: b has inconsistent batch size: 2 expecting: 1",
        ),
        ({"y": tensor("DT_COMPLEX64", [1], 1j)}, "Failed to write JSON value for tensor type: complex64"),
    ],
)
def test_outputs_that_are_no_rows_are_refused(outputs: dict[str, Tensor], message: str) -> None:
    with pytest.raises(Refused) as caught:
        answers.predicted(outputs, rows=True)
    assert caught.value.message == message


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_lists_have_the_shape_of_their_tensor(shape: list[int]) -> None:
    values = list(range(math.prod(shape)))
    found = json.loads(answers.predicted({"y": Tensor("DT_INT32", shape, values)}, rows=False))["outputs"]

    def flat(value: Any, level: int) -> list[int]:
        if level == len(shape):
            return [value]
        assert len(value) == shape[level]
        return [one for inner in value for one in flat(inner, level + 1)]

    assert flat(found, 0) == values
    assert json.loads(answers.predicted({"y": Tensor("DT_INT32", shape, values)}, rows=True)) == {"predictions": found}


def test_classes_and_scores_are_pairs() -> None:
    classes, scores = tensor("DT_STRING", [1, 2], b"a", b"b"), tensor("DT_FLOAT", [1, 2], 0.25, 0.75)
    assert json.loads(answers.classified(classes, scores, 1)) == {"results": [[["a", 0.25], ["b", 0.75]]]}
    assert json.loads(answers.classified(None, scores, 1)) == {"results": [[["", 0.25], ["", 0.75]]]}
    assert json.loads(answers.classified(classes, None, 1)) == {"results": [[["a", 0.0], ["b", 0.0]]]}
    for wrong in (tensor("DT_FLOAT", [2], 0.25, 0.75), tensor("DT_DOUBLE", [1, 2], 0.25, 0.75)):
        with pytest.raises(Refused, match="Expected"):
            answers.classified(None, wrong, 1)
    with pytest.raises(Refused, match="Expected scores output batch size of 2"):
        answers.classified(None, scores, 2)


def test_a_regression_is_a_number_for_each_example() -> None:
    assert json.loads(answers.regressed(tensor("DT_FLOAT", [2, 1], 1.5, 2.0), 2)) == {"results": [1.5, 2.0]}
    with pytest.raises(Refused, match=r"\[batch_size, 1\] but got \[1,2\]"):
        answers.regressed(tensor("DT_FLOAT", [1, 2], 1.5, 2.0), 1)


def test_tensorflows_message_comes_without_pythons_stack() -> None:
    long = (
        "Graph execution error:\n\nDetected at node 'A' defined at (most recent call last):\nNode: 'A'\nbad\n\t [[A]]"
    )
    assert said(f"{long}\n\nOriginal stack trace for 'A':\nx") == "bad\n\t [[A]]"
    assert said("OOM\nHint: If you want") == "OOM"
    assert said("Graph execution error:\n\nTimed out") == "Timed out"
    assert said("plain") == "plain"
    assert [status_of(code) for code in (3, 4, 5, 8, 12, 13, 99)] == [400, 504, 404, 429, 501, 500, 500]
