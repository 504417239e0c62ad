"""JSON to tensors: rows, columns, examples; every value of a wrong type, shape or size is refused."""

from __future__ import annotations

import base64
import json
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.run.in_container.serving import tensors
from toolkit.run.in_container.serving.refused import Refused
from toolkit.run.in_container.serving.requests import document, examples, prediction
from toolkit.run.in_container.serving.tensors import Info, Signature, Tensor, tensor_of

ONE = Signature("tensorflow/serving/predict", {"x": Info("x:0", "DT_FLOAT", [-1, 2])}, {})
TWO = Signature(
    "tensorflow/serving/predict",
    {"tag": Info("t:0", "DT_STRING", [-1]), "signal": Info("s:0", "DT_INT64", [-1, 2])},
    {},
)
SIGNATURES = {"serving_default": ONE, "named": TWO, "any": Signature("", {"x": Info("x:0", "DT_FLOAT", None)}, {})}


def predict(found: dict[str, Any]) -> tuple[bool, dict[str, Tensor]]:
    request = prediction(document(json.dumps(found).encode()), SIGNATURES)
    return request.rows, request.inputs


def refusal(found: dict[str, Any]) -> str:
    with pytest.raises(Refused) as caught:
        predict(found)
    assert caught.value.status == 400
    return caught.value.message


def test_rows_become_one_tensor_for_each_input() -> None:
    assert predict({"instances": [[1, 2.5], [3, 4]]}) == (True, {"x": Tensor("DT_FLOAT", [2, 2], [1.0, 2.5, 3.0, 4.0])})
    assert predict({"instances": [{"x": [1, 2]}]}) == (True, {"x": Tensor("DT_FLOAT", [1, 2], [1.0, 2.0])})
    rows = [{"tag": "é", "signal": [1, 2]}, {"signal": [3, -4], "tag": {"b64": "AP8"}}]
    assert predict({"signature_name": "named", "instances": rows}) == (
        True,
        {
            "tag": Tensor("DT_STRING", [2], ["é".encode(), b"\x00\xff"]),
            "signal": Tensor("DT_INT64", [2, 2], [1, 2, 3, -4]),
        },
    )


def test_columns_name_each_input_or_the_only_one() -> None:
    assert predict({"inputs": [[1, 2]]}) == (False, {"x": Tensor("DT_FLOAT", [1, 2], [1.0, 2.0])})
    assert predict({"signature_name": "any", "inputs": 7}) == (False, {"x": Tensor("DT_FLOAT", [], [7.0])})
    assert predict({"signature_name": "any", "inputs": {"x": []}}) == (False, {"x": Tensor("DT_FLOAT", [0], [])})
    inputs = {"tag": ["a"], "signal": [[1, 2]]}
    assert predict({"signature_name": "named", "inputs": inputs})[1]["tag"] == Tensor("DT_STRING", [1], [b"a"])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": [[1, 2]], "inputs": [[1, 2]]}, "expecting only one of 'inputs' or 'instances' keys"),
        ({"instances": {}}, "Excepting 'instances' to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        (
            {"instances": [[1, 2], [3]]},
            "element: 1 key: x of 'instances' list. Error: Expecting shape [2] but got: [1]",
        ),
        ({"instances": [[1, [2]]]}, "Encountered list at unexpected level: 1 expected < 1"),
        ({"instances": [[[1], 2]]}, "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ({"instances": [[1, 2, 3]]}, "input x: expected shape [-1,2] but got [1,3]"),
        ({"instances": [["a", 2]]}, 'JSON Value: "a" Type: String is not of expected type: float'),
        ({"instances": [[True, 2]]}, "JSON Value: true Type: True is not of expected type: float"),
        ({"instances": [[None, 2]]}, "JSON Value: null Type: Null is not of expected type: float"),
        ({"instances": [[1e39, 2]]}, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        ({"instances": [[2**24, 2]]}, "Cannot convert JSON value: 16777216 to float without loss of precision."),
        ({"instances": [{"y": [1, 2]}]}, "JSON object: does not have named input: y"),
        ({"instances": [[1, 2], {"x": [1, 2]}]}, "Expecting value/list but got object at item 1 of input list"),
        ({"signature_name": "named", "instances": [1]}, "instances is a plain list, but expecting list of objects"),
        ({"signature_name": "named", "instances": [{"tag": "a"}]}, "keys must be equal to: signal,tag"),
        ({"signature_name": "named", "inputs": [1]}, "inputs is a plain value/list, but expecting an object"),
        ({"signature_name": "named", "inputs": {"tag": ["a"]}}, "Missing named input: signal in 'inputs' object."),
        ({"signature_name": "none", "inputs": 1}, 'Serving signature name: "none" not found in signature def'),
        ({"signature_name": 3, "inputs": 1}, "'signature_name' key must be a string value."),
    ],
)
def test_a_request_that_does_not_fit_is_refused_with_its_reason(found: dict[str, Any], message: str) -> None:
    assert message in refusal(found)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (128, "DT_INT8"),
        (-1, "DT_UINT8"),
        (2**31, "DT_INT32"),
        (1.0, "DT_INT64"),
        (True, "DT_INT32"),
        (1, "DT_BOOL"),
        (1, "DT_STRING"),
        ({"b64": "!"}, "DT_STRING"),
        ({"b64": "AA==", "x": 1}, "DT_STRING"),
        ("\ud800", "DT_STRING"),
        ({"b64": "AA=="}, "DT_FLOAT"),
    ],
)
def test_a_value_that_its_dtype_cannot_hold_is_refused(value: Any, dtype: str) -> None:
    with pytest.raises(Refused) as caught:
        tensor_of(value, dtype)
    assert caught.value.status == 400


def test_a_dtype_without_json_is_not_implemented() -> None:
    with pytest.raises(Refused, match="Conversion of JSON Value: 1 to type: complex64") as caught:
        tensor_of(1, "DT_COMPLEX64")
    assert caught.value.status == 501


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'"x"',
        b"\xff",
        b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"instances": [' + b"9" * 5000 + b"]}",
        b'{"instances": [1.' + b"9" * 5000 + b"]}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    ],
)
def test_a_body_that_is_no_such_json_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        document(body)
    assert caught.value.status == 400


def test_lists_are_nested_no_deeper_than_tensors_can_be() -> None:
    with pytest.raises(Refused, match="nested deeper than 32"):
        tensor_of(json.loads("[" * 33 + "]" * 33), "DT_FLOAT")


def test_more_values_than_allowed_are_refused_over_all_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.run.in_container.serving.requests.MOST_VALUES", 5)
    assert predict({"instances": [[1, 2], [3, 4]]})[0]
    assert "at most" in refusal({"instances": [[1, 2], [3, 4], [5, 6]]})
    assert "at most" in refusal({"signature_name": "named", "inputs": {"tag": ["a"] * 4, "signal": [[1, 2]]}})


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(("b64", "x", "")), inner, max_size=2),
    max_leaves=12,
)


@given(nested, st.sampled_from((*tensors._FLOATS, *tensors._BITS, *tensors._UNSIGNED_BITS, "DT_STRING", "DT_BOOL")))
def test_any_value_is_a_tensor_of_its_own_shape_or_refused(value: Any, dtype: str) -> None:
    try:
        tensor = tensor_of(value, dtype)
    except Refused:
        return
    count = 1
    for size in tensor.shape:
        count *= size
    assert len(tensor.values) == count


@given(nested, nested)
def test_any_document_is_a_prediction_or_refused(rows: Any, columns: Any) -> None:
    for found in ({"instances": rows}, {"inputs": columns}, {"signature_name": "named", "instances": rows}):
        try:
            predict(found)
        except Refused as refused:
            assert refused.status == 400


@given(st.lists(st.floats(width=32), min_size=1))
def test_floats_arrive_as_they_were_sent(values: list[float]) -> None:
    sent = json.dumps({"signature_name": "any", "inputs": values}).encode()
    assert repr(prediction(document(sent), SIGNATURES).inputs["x"].values) == repr(values)


@given(st.binary())
def test_bytes_arrive_as_they_were_sent(data: bytes) -> None:
    assert tensor_of({"b64": base64.b64encode(data).decode()}, "DT_STRING").values == [data]


def test_examples_have_the_features_of_the_context_too() -> None:
    found = {
        "context": {"c": ["a", {"b64": "Yg=="}]},
        "examples": [{"x": 1}, {"x": [1.5, 2.5], "flag": True, "no": []}],
    }
    assert examples(found) == [
        {"c": ("bytes", [b"a", b"b"]), "x": ("int64", [1])},
        {
            "c": ("bytes", [b"a", b"b"]),
            "x": ("float", [1.5, 2.5]),
            "flag": ("int64", [True]),
            "no": ("", []),
        },
    ]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "key 'examples' is expected and was not found"),
        ({"examples": {}}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON 1"),
        ({"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type"),
        ({"examples": [{"x": [[1]]}]}, "Feature: x has element with unexpected JSON type"),
        ({"examples": [{"x": [1, 2.5]}]}, "Unexpected element type in feature: x expecting type: int64"),
        ({"examples": [{"x": 2**63}]}, "Only int64 is supported."),
        ({"examples": [{"x": 1e39}]}, "without loss of precision"),
        ({"context": {"c": [1] * 3000}, "examples": [{}] * 2000}, "at most"),
    ],
)
def test_examples_that_are_none_are_refused(found: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused) as caught:
        examples(found)
    assert message in caught.value.message


def test_a_message_repeats_an_object_in_its_own_order() -> None:
    """On Python 3.5, too: the object is an ordered one, whatever Python reads it."""
    found = document(b'{"q": 1, "b": {"z": 1, "a": [2]}, "a": {}}')
    assert [type(one) for one in (found, found["b"], found["a"])] == [OrderedDict] * 3
    assert refusal(found) == "Missing 'inputs' or 'instances' key"
    assert refusal({"instances": [{"x": {"z": 1, "a": 2}}]}).endswith(
        'Error: JSON Value: {"z": 1, "a": 2} Type: Object is not of expected type: float'
    )
