"""What a model is asked and answers, with a stand-in for the model; the frames in which both travel."""

from __future__ import annotations

import ast
import io
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit.run.in_container.serving
from toolkit.run.in_container.serving.frames import Frame, frame_bytes, read_frame
from toolkit.run.in_container.serving.service import ARRAY, Service
from toolkit.run.in_container.serving.tensors import Info, Signature, Tensor

PLACE = Path(toolkit.run.in_container.serving.__file__).parent


class StandIn:
    """A model that gives back what it gets."""

    signatures: ClassVar = {
        "serving_default": Signature(
            "tensorflow/serving/predict", {"x": Info("x:0", "DT_FLOAT", [-1])}, {"y": Info("y:0", "DT_FLOAT", None)}
        ),
        "classes": Signature(
            "tensorflow/serving/classify",
            {"inputs": Info("i:0", "DT_STRING", [-1])},
            {"scores": Info("s:0", "DT_FLOAT", [-1, 1])},
        ),
        "numbers": Signature(
            "tensorflow/serving/regress",
            {"inputs": Info("i:0", "DT_STRING", [-1])},
            {"outputs": Info("s:0", "DT_FLOAT", [-1])},
        ),
        "odd": Signature("tensorflow/serving/regress", {"inputs": Info("i:0", "DT_STRING", [-1])}, {}),
    }

    def run(self, signature: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        if signature == "serving_default":
            return {"y": inputs["x"]}
        values = [example["x"][1][0] for example in inputs["inputs"].values]
        shape = [len(values), 1] if signature == "classes" else [len(values)]
        return {"scores": Tensor("DT_FLOAT", shape, values), "outputs": Tensor("DT_FLOAT", shape, values)}

    @staticmethod
    def serialized(found: list[Any]) -> Tensor:
        return Tensor("DT_STRING", [len(found)], found)

    @staticmethod
    def read_array(body: bytes) -> Any:
        return [float(body)]


def answer(method: str, rest: str, found: Any = None) -> tuple[int, Any]:
    body = b"" if found is None else json.dumps(found).encode()
    status, text = Service(StandIn(), "m").answer(method, f"/v1/models/m{rest}", body)
    return status, json.loads(text)


def test_a_service_answers_as_serving_does() -> None:
    assert answer("GET", "/versions/1") == (
        200,
        {
            "model_version_status": [
                {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            ]
        },
    )
    status, found = answer("GET", "/metadata")
    assert (status, found["model_spec"]) == (200, {"name": "m", "signature_name": "", "version": "1"})
    assert found["metadata"]["signature_def"]["signature_def"]["serving_default"] == {
        "inputs": {
            "x": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
                "name": "x:0",
            }
        },
        "outputs": {"y": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [], "unknown_rank": True}, "name": "y:0"}},
        "method_name": "tensorflow/serving/predict",
    }
    assert answer("POST", ":predict", {"instances": [1, 2]}) == (200, {"predictions": [1.0, 2.0]})
    assert answer("POST", ":classify", {"signature_name": "classes", "examples": [{"x": 0.5}]}) == (
        200,
        {"results": [[["", 0.5]]]},
    )
    assert answer("POST", ":regress", {"signature_name": "numbers", "examples": [{"x": 0.5}]}) == (
        200,
        {"results": [0.5]},
    )
    assert Service(StandIn(), "m").answer(ARRAY, "", b"2") == (200, '{\n    "predictions": [2.0]\n}\n')


@pytest.mark.parametrize(
    ("rest", "found", "message"),
    [
        (
            ":classify",
            {"examples": [{"x": 0.5}]},
            "Expected classification signature method_name to be tensorflow/serving/classify. Was: "
            "tensorflow/serving/predict",
        ),
        (":regress", {"signature_name": "no", "examples": [{}]}, "No signature was found with the name: no"),
        (":regress", {"signature_name": "odd", "examples": [{}]}, "Expected regression signature outputs to contain "),
        (":predict", {"instances": ["a"]}, "Failed to process element: 0 key: x"),
        (":nothing", {}, "Malformed request: POST /v1/models/m:nothing"),
    ],
)
def test_a_service_refuses_as_serving_does(rest: str, found: Any, message: str) -> None:
    status, refused = answer("POST", rest, found)
    assert (status, list(refused)) == (400, ["error"])
    assert refused["error"].startswith(message)


@given(st.integers(0, 2**32 - 1), st.text(max_size=50), st.binary(max_size=50))
def test_a_frame_is_read_as_it_was_written(number: int, head: str, body: bytes) -> None:
    stream = io.BytesIO(frame_bytes(Frame(number, head, body)) * 2)
    found = read_frame(stream, 50)
    assert (found.number, found.head, found.body) == (number, head.encode("utf-8", "replace").decode(), body)
    assert read_frame(stream, 50) == found
    with pytest.raises(EOFError):
        read_frame(stream, 50)
    if body:
        with pytest.raises(ValueError, match="a frame of"):
            read_frame(io.BytesIO(frame_bytes(Frame(number, head, body))), len(body) - 1)


@pytest.mark.parametrize("file", sorted(PLACE.glob("*.py")), ids=lambda file: file.name)
def test_it_is_readable_by_python_3_5(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 5))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.AnnAssign)]
