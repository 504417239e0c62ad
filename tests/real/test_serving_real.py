"""A run's model, scored and served from the image that trained it, asked as TensorFlow Serving is."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .bench import NOTHING, Bench, interrupt, ours, read_until

CLASSIFIER = """
import os
import tensorflow.compat.v1 as tf

with tf.Graph().as_default(), tf.Session() as session:
    examples = tf.placeholder(tf.string, [None])
    x = tf.parse_example(examples, {"x": tf.FixedLenFeature([1], tf.float32, [0.0])})["x"]
    scores = tf.nn.softmax(tf.matmul(x, tf.get_variable("w", initializer=[[1.0, -1.0]])))
    row, size = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int64, [1])
    rank = tf.placeholder(tf.float32)
    info, build = tf.saved_model.utils.build_tensor_info, tf.saved_model.signature_def_utils.build_signature_def
    predict, classify = "tensorflow/serving/predict", "tensorflow/serving/classify"
    signatures = {
        "serving_default": build({"row": info(row)}, {"sum": info(tf.reduce_sum(row, 1))}, predict),
        "classes": build({"inputs": info(examples)}, {"scores": info(scores)}, classify),
        "any": build({"x": info(rank)}, {"twice": info(rank * 2)}, predict),
        "zeros": build({"size": info(size)}, {"zeros": info(tf.zeros(size))}, predict),
    }
    session.run(tf.global_variables_initializer())
    builder = tf.saved_model.builder.SavedModelBuilder(os.environ["RESULT_DIR"] + "/model")
    builder.add_meta_graph_and_variables(session, ["serve"], signatures)
    builder.save()
"""


@pytest.fixture(scope="module")
def run_id(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run whose model has a signature of each kind."""
    manifest = bench.manifest(tmp_path_factory.mktemp("code"), "python program.py", CLASSIFIER, nodes=1)
    return str(bench.launch(manifest)["training_id"])


@pytest.fixture
def url(bench: Bench, run_id: str, tmp_path: Path) -> Iterator[str]:
    """The model's, served; Ctrl-C ends it, and leaves nothing."""
    serving = bench.start("serve", run_id, "--to", tmp_path / "models", "--port", "0", "--name", "m")
    said = read_until(serving, "serving training-")
    yield said.rpartition(" at ")[2].split()[0]
    interrupt(serving)
    assert serving.wait(30) == 0
    assert ours(bench) == NOTHING


def ask(url: str, body: Any = None) -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, data), timeout=60) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_a_served_model_answers_as_serving_does(url: str) -> None:
    assert url.endswith("/v1/models/m")
    status = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert ask(f"{url}/versions/1") == (200, {"model_version_status": [status]})
    described = ask(f"{url}/metadata")[1]["metadata"]["signature_def"]["signature_def"]
    assert described["classes"]["method_name"] == "tensorflow/serving/classify"
    assert [size["size"] for size in described["serving_default"]["inputs"]["row"]["tensor_shape"]["dim"]] == [
        "-1",
        "2",
    ]

    assert ask(f"{url}:predict", {"instances": [[1.5, 2], [3, 4]]}) == (200, {"predictions": [3.5, 7.0]})
    assert ask(f"{url}:predict", {"inputs": {"row": [[1.5, 2]]}}) == (200, {"outputs": [3.5]})
    assert ask(f"{url}:predict", {"signature_name": "any", "inputs": [[1], [2]]}) == (200, {"outputs": [[2.0], [4.0]]})
    scores = ask(f"{url}:classify", {"signature_name": "classes", "examples": [{"x": 0.0}, {}]})
    assert scores == (200, {"results": [[["", 0.5], ["", 0.5]]] * 2})

    refused = {
        f"{url}:regress": ({"examples": [{}]}, 400),
        f"{url}:predict": ({"instances": [[1, 2, 3]]}, 400),
        f"{url}/versions/2:predict": ({"instances": [[1, 2]]}, 404),
        f"{url}:predict?": (b'{"instances": [[1, 2]', 400),
        f"{url}:predict?large": ({"signature_name": "zeros", "inputs": [10**11]}, 429),
        f"{url}:predict?negative": ({"signature_name": "zeros", "inputs": [-1]}, 400),
    }
    for path, (body, code) in refused.items():
        found = ask(path, body)
        assert (found[0], list(found[1])) == (code, ["error"]), found
    assert ask(f"{url}:predict", {"instances": [[1, 2]]}) == (200, {"predictions": [3.0]})


def test_a_sample_is_scored_after_the_check(bench: Bench, run_id: str, tmp_path: Path) -> None:
    for name, text in (("a.json", '{"instances": [[1.5, 2]]}'), ("a.csv", "x,y\n1.5,2\n"), ("b.csv", "1\n")):
        (tmp_path / name).write_text(text)
    found = json.loads(bench.ok("collect", run_id, "--to", tmp_path, "--sample", tmp_path / "a.json", "--json").stdout)
    assert found["sample"] == {"predictions": [3.5]}
    assert found["signatures"]["zeros"]["inputs"] == {"size": {"dtype": "int64", "shape": [1]}}
    done = bench.ok("collect", run_id, "--to", tmp_path, "--sample", tmp_path / "a.csv")
    assert json.loads(done.stdout) == {"predictions": [3.5]}
    refused = bench.run("collect", run_id, "--to", tmp_path, "--sample", tmp_path / "b.csv")
    assert refused.returncode == 2
    assert "input row: expected shape [-1,2] but got [1,1]" in refused.stderr
    assert ours(bench) == NOTHING
