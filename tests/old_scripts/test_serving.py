"""A model that TensorFlow 1.5 saved, scored and served in its own image, as one of today's; not on Python 2.7."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toolkit.paths import assets, cache

from .conftest import Bench

pytestmark = pytest.mark.timeout(2400)

PROGRAM = Path(__file__).parent / "programs" / "signatures.py"
STATUS = """{
 "model_version_status": [
  {
   "version": "1",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}
"""


def trained(bench: Bench, folder: Path, version: str, python: str) -> str:
    """The ID of a run of the program, whose results are a model."""
    shutil.copy(PROGRAM, folder / "program.py")
    text = (assets() / "examples" / "mnist" / "manifest.yml").read_text()
    text = text.replace("command: python train.py ; python transform.py", "command: python program.py")
    text = text.replace("nodes: 2", "nodes: 1").replace('"2.19"', f'"{version}"').replace('"3.11"', f'"{python}"')
    manifest, data = folder / "manifest.yml", folder / "data"
    manifest.write_text(text)
    data.mkdir()
    (data / "none").write_text("read by nobody")
    bench.toolkit("build", manifest, timeout=1800)
    bench.toolkit("bucket", "put", manifest, data)
    return str(json.loads(bench.toolkit("launch", "--json", manifest))["training_id"])


def started(bench: Bench, *words: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "TOOLKIT_HOME": str(bench.home), "TOOLKIT_CACHE": str(cache())}
    argv = [sys.executable, "-m", "toolkit", *map(str, words)]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ask(url: str, body: Any = None) -> tuple[int, str]:
    """The status and the text of an answer."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, data), timeout=60) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


@pytest.fixture(scope="module", params=[("1.5", "3.5"), ("2.19", "3.11")], ids=["tensorflow-1.5", "tensorflow-2.19"])
def run_id(request: pytest.FixtureRequest, bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> str:
    return trained(bench, tmp_path_factory.mktemp("code"), *request.param)


@pytest.fixture(scope="module")
def url(bench: Bench, run_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("models")
    serving = started(bench, "serve", run_id, "--to", folder, "--port", "0", "--name", "m", "--json")
    try:
        said = ""
        while not said.endswith("\n}\n"):
            line = serving.stdout.readline() if serving.stdout else ""
            assert line, serving.communicate()
            said += line
        yield json.loads(said)["url"]
    finally:
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=60)
    assert serving.returncode == 0


def test_its_status_and_signatures_are_served(url: str) -> None:
    assert ask(url) == ask(f"{url}/versions/1") == (200, STATUS)
    found = json.loads(ask(f"{url}/metadata")[1])
    assert list(found) == ["model_spec", "metadata"]
    signatures = found["metadata"]["signature_def"]["signature_def"]
    methods = {name: one["method_name"].rpartition("/")[2] for name, one in signatures.items()}
    assert list(methods.items()) == [
        ("classes", "classify"),
        ("many", "predict"),
        ("serving_default", "predict"),
        ("value", "regress"),
        ("zeros", "predict"),
    ]
    assert signatures["many"]["inputs"]["any"]["tensor_shape"] == {"dim": [], "unknown_rank": True}


def test_it_predicts_classifies_and_regresses(url: str) -> None:
    assert ask(f"{url}:predict", {"instances": [[1.5, 2], [3, 4]]}) == (200, '{\n    "predictions": [3.5, 7.0]\n}\n')
    assert ask(f"{url}:predict", {"inputs": {"row": [[1.5, 2]]}}) == (200, '{\n    "outputs": [3.5]\n}\n')
    many = {"any": 0.3, "whole": 255, "text_bytes": {"b64": "AP8="}}
    row = '{"any": 0.3, "text_bytes": {"b64": "AP8="}, "whole": 255}'
    text = f'{{\n    "predictions": [\n        {row},\n        {row}\n    ]\n}}\n'
    assert ask(f"{url}:predict", {"signature_name": "many", "instances": [many, many]}) == (200, text)
    examples = [{"x": 0.0}, {}]
    found = ask(f"{url}:classify", {"signature_name": "classes", "examples": examples})
    assert (found[0], json.loads(found[1])) == (200, {"results": [[["plus", 0.5], ["minus", 0.5]]] * 2})
    found = ask(f"{url}:regress", {"signature_name": "value", "examples": [{"x": 1.5}]})
    assert (found[0], json.loads(found[1])) == (200, {"results": [3.0]})


def test_what_is_wrong_is_refused_and_the_next_request_is_answered(url: str) -> None:
    for path, body, status, said in (
        (":predict", {"instances": [[1, 2, 3]]}, 400, "input row: expected shape [-1,2] but got [1,3]"),
        (":predict", b'{"instances": [[1, 2]', 400, "JSON Parse error: "),
        (":predict", {"signature_name": "many", "inputs": {}}, 400, "Missing named input: any in 'inputs' object."),
        (":predict", {"signature_name": "zeros", "inputs": [-1]}, 400, "Dimension -1 must be >= 0"),
        (":predict", {"signature_name": "zeros", "inputs": [2_000_000]}, 400, "the outputs have more than"),
        (":classify", {"signature_name": "classes", "examples": [{"x": "a"}]}, 400, "Data types don't match"),
        (":regress", {"examples": [{}]}, 400, "Expected regression signature method_name to be"),
        ("/versions/2:predict", {"instances": [[1, 2]]}, 404, "Servable not found for request: Specific(m, 2)"),
    ):
        found = ask(url + path, body)
        assert (found[0], said in json.loads(found[1])["error"]) == (status, True), found
    assert ask(f"{url}:predict", {"instances": [[1, 2]]})[0] == 200


def test_a_file_is_scored(bench: Bench, run_id: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1.5,2\n")
    said = bench.toolkit("collect", run_id, "--to", tmp_path, "--sample", tmp_path / "a.csv", "--json")
    assert json.loads(said)["sample"] == {"predictions": [3.5]}


def test_on_python_2_7_it_is_collected_but_not_served(bench: Bench, tmp_path: Path) -> None:
    run = trained(bench, tmp_path, "1.5", "2.7")
    assert "many" in json.loads(bench.toolkit("collect", run, "--to", tmp_path, "--json"))["signatures"]
    serving = started(bench, "serve", run, "--to", tmp_path, "--port", "0")
    said = serving.communicate(timeout=120)[1]
    assert serving.returncode == 5
    assert re.search(r"Python 3\.5 or newer, and this image has 2\.7", said)
