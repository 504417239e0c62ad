"""A model's signatures: what is believed of them, their table, and an example of a request."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.run.in_container.serving.service import ARRAY
from toolkit.run.serving.sample import read_sample
from toolkit.run.serving.serve import model_name, program_argv
from toolkit.run.serving.signatures import (
    Signature,
    TensorType,
    curl_line,
    main_signature,
    read_signatures,
    table_rows,
)

from .test_collect import RECORD

URL = "http://127.0.0.1:8501/v1/models/m"
IMAGES = Signature({"images": TensorType("float32", (-1, 784))}, {"class": TensorType("int64", (-1,))})


def test_signatures_are_read_in_order_without_tensorflows_own() -> None:
    text = json.dumps(
        {
            "b": {"method": "predict", "inputs": {"x": {"dtype": "string", "shape": None}}, "outputs": {}},
            "a": {"inputs": {}, "outputs": {"y": {"dtype": "int8", "shape": [2, -1]}}},
            "__saved_model_init_op": {"inputs": {}, "outputs": {}},
        }
    )
    found = read_signatures(text.encode())
    assert found == {
        "a": Signature({}, {"y": TensorType("int8", (2, -1))}),
        "b": Signature({"x": TensorType("string", None)}, {}, "predict"),
    }
    assert table_rows(found) == [("a", "", "y  int8 [2, n]"), ("b", "x  string [...]", "")]


def test_a_table_has_a_row_for_each_tensor_and_the_signatures_name_once() -> None:
    scalar = TensorType("int8", ())
    found = {"s": Signature({"b": scalar, "a": scalar}, {"y": scalar}), "none": Signature({}, {})}
    assert table_rows(found) == [("none", "", ""), ("s", "a  int8 []", "y  int8 []"), ("", "b  int8 []", "")]


@given(st.recursive(st.none() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_anything_else_is_no_signatures(value: object) -> None:
    with contextlib.suppress(ValueError):
        assert all(isinstance(one, Signature) for one in read_signatures(json.dumps(value).encode()).values())


def example(line: str) -> object:
    """The request that a command line sends, by running the part before curl."""
    words = shlex.split(line)
    if words[0] == "curl":
        assert words[1] == "-d"
        return json.loads(words[2])
    assert words[3:] == ["|", "curl", "-d", "@-", f"{URL}:predict"]
    return json.loads(subprocess.run(words[:3], capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(
    ("name", "inputs", "request_"),
    [
        ("serving_default", {"x": TensorType("float32", (-1,))}, {"instances": [0.0]}),
        ("serving_default", {"x": TensorType("float32", (-1, 784))}, {"instances": [[0.0] * 784]}),
        ("serving_default", {"x": TensorType("uint8", (-1, -1, 28, 3))}, {"instances": [[[[0] * 3] * 28]]}),
        ("other", {"x": TensorType("float64", (2,))}, {"signature_name": "other", "inputs": [0.0, 0.0]}),
        ("serving_default", {"x": TensorType("bfloat16", None)}, {"inputs": 0.0}),
        (
            "it's",
            {"a": TensorType("string", (-1,)), "b": TensorType("bool", (-1, 30))},
            {"signature_name": "it's", "instances": [{"a": "", "b": [False] * 30}]},
        ),
    ],
)
def test_the_example_is_a_request_that_the_signature_takes(
    name: str, inputs: dict[str, TensorType], request_: object
) -> None:
    assert example(curl_line(URL, name, Signature(inputs, {"y": TensorType("int64", None)}))) == request_


def test_the_example_is_of_the_default_signature_if_that_has_inputs() -> None:
    assert main_signature({"z": IMAGES, "serving_default": IMAGES}) == "serving_default"
    assert main_signature({"z": IMAGES, "serving_default": Signature()}) == "z"
    assert main_signature({}) == ""


def test_a_name_is_the_runs_unless_it_cannot_stand_in_a_url() -> None:
    assert model_name("", RECORD) == "name"
    assert model_name("my.model-2", RECORD) == "my.model-2"
    for wrong in ("a/b", "a:b", "..", "é", "a" * 101):
        with pytest.raises(ToolkitError, match="cannot be served as"):
            model_name(wrong, RECORD)


def test_the_program_sees_the_model_and_itself_read_only() -> None:
    argv = program_argv(RECORD, Path("/models/m"), "training-abcd2345-x", "m", 1000)
    binds = [word for word in argv if word.startswith("type=bind")]
    assert len(binds) == 2
    assert all(one.endswith(",readonly") for one in binds)
    assert argv[argv.index("--network") + 1] == "none"
    assert argv[-8:] == ["sha256:i", "python", "-m", "serving", "/model", "m", "60", "1000"]


def test_a_file_is_a_request(tmp_path: Path) -> None:
    for name, text, body in (
        ("a.json", '{"instances": [1]}', b'{"instances": [1]}'),
        ("a.csv", "x,y\n1,2.5\n\n3,nan\n", b'{"instances": [[1, 2.5], [3, NaN]]}'),
        ("b.csv", "1\n2\n", b'{"instances": [[1], [2]]}'),
        ("c.csv", "", b'{"instances": []}'),
    ):
        (tmp_path / name).write_text(text)
        assert (read_sample(tmp_path / name).method, read_sample(tmp_path / name).body) == ("POST", body)
    (tmp_path / "a.NPY").write_bytes(b"\x93NUMPY")
    assert read_sample(tmp_path / "a.NPY").method == ARRAY


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "1", "is not a sample"),
        ("a.csv", "1,2\n3,four\n", "a.csv:2"),
        ("a", "", "is not a sample"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ToolkitError) as caught:
        read_sample(tmp_path / name)
    assert message in str(caught.value)
    with pytest.raises(ToolkitError, match="No such file"):
        read_sample(tmp_path / "none.json")
