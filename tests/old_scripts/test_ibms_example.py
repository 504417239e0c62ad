"""IBM's example of 2018, unmodified, from its manifest to a model at home: on TensorFlow 1.5 and on today's."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from .conftest import MANIFEST, SCRIPTS, Bench

pytestmark = pytest.mark.timeout(2400)

KEYS = {
    "<auth-url>": "embedded",
    "<username>": "${embedded:access_key_id}",
    "<password>": "${embedded:secret_access_key}",
}
"""What the document leaves for its reader to fill in."""
THE_DOCUMENTS_OWN = ("1.5", "3.5", "")
FRAMEWORKS = [THE_DOCUMENTS_OWN, ("1.5", "2.7", ""), ("2.19", "3.11", "tf1"), ("2.21", "3.13", "tf1")]
SHOW = "TF1_SHOW_WEIGHTS=1"


@dataclass(frozen=True)
class Finished:
    """A run that is over: its record, its learners' logs, its folder in the results bucket, what collecting said."""

    record: dict[str, Any]
    logs: tuple[list[str], ...]
    results: Path
    collected: dict[str, Any]


def manifest_for(text: str, framework: tuple[str, str, str]) -> str:
    """The document's manifest with keys, for `framework`; the weights' checksums are asked for."""
    version, python, compat = framework
    for asked, given in KEYS.items():
        text = text.replace(asked, json.dumps(given))
    text = text.replace("command: python", f"command: {SHOW} python")
    own_version, own_python, _ = THE_DOCUMENTS_OWN
    asks = f'version: "{version}"' + (f"\n    compat: {compat}" if compat else "")
    return text.replace(f'version: "{own_version}"', asks).replace(f'version: "{own_python}"', f'version: "{python}"')


@pytest.fixture(scope="module", params=FRAMEWORKS, ids=lambda one: f"tensorflow-{one[0]}-py{one[1]}")
def run(
    request: pytest.FixtureRequest,
    bench: Bench,
    document: Mapping[str, str],
    digits: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Finished]:
    """The example built, launched on two learners and collected."""
    folder = tmp_path_factory.mktemp("example")
    code = folder / "code"
    code.mkdir()
    for name in SCRIPTS:
        (code / name).write_text(document[name])
    manifest = code / MANIFEST
    manifest.write_text(manifest_for(document[MANIFEST], request.param))
    bench.toolkit("build", manifest, timeout=1800)
    bench.toolkit("bucket", "put", manifest, digits)
    record = json.loads(bench.toolkit("launch", "--json", manifest))
    collected = json.loads(bench.toolkit("collect", "--json", "--to", folder / "models", record["training_id"]))
    results = bench.home / "buckets" / record["results_bucket"] / record["training_id"]
    logs = tuple((results / f"learner-{n}" / "training-log.txt").read_text().splitlines() for n in (1, 2))
    yield Finished(record, logs, results, collected)
    shutil.rmtree(folder)


def test_every_command_ends_well_on_both_ranks(run: Finished) -> None:
    assert (run.record["state"], run.record["learners"], run.record["steps"][0]["ranks"]) == ("COMPLETED", 2, [0, 0])
    assert [step["command"] for step in run.record["steps"]] == [
        f"{SHOW} python mnist-train-ddl.py",
        "python transform.py",
    ]


def test_the_scripts_that_ran_are_the_documents_to_the_byte(run: Finished, document: Mapping[str, str]) -> None:
    code = run.results / "_submitted_code"
    assert {name: (code / name).read_text() for name in SCRIPTS} == {name: document[name] for name in SCRIPTS}


def test_both_ranks_end_with_the_same_weights(run: Finished) -> None:
    sums = [[line.split()[-1] for line in log if " weights sha256 " in line] for log in run.logs]
    assert [len(of_one_rank) for of_one_rank in sums] == [1, 1]
    assert re.fullmatch("[0-9a-f]{64}", sums[0][0])
    assert sums[0] == sums[1]


def test_the_loss_falls_on_both_ranks(run: Finished) -> None:
    for log in run.logs:
        losses = [float(match[1]) for line in log if (match := re.search(r"Minibatch Loss= ([0-9.]+)", line))]
        assert len(losses) == 24
        assert mean(losses[-5:]) < mean(losses[:5]) / 2


def test_the_model_has_the_documents_files_and_answers_by_its_signatures(run: Finished) -> None:
    model = run.results / "model"
    assert (model / "saved_model.pb").is_file()
    assert (model / "variables" / "variables.index").is_file()
    tensors = {name: [*one["inputs"], *one["outputs"]] for name, one in run.collected["signatures"].items()}
    assert tensors == {"predict_images": ["images", "class_index"], "serving_default": ["inputs", "classes"]}


def test_what_was_changed_is_said_once(run: Finished) -> None:
    said = [line.partition("compat tf1: ")[2] for log in run.logs for line in log if "compat tf1: " in line]
    assert said.count("variables_initializer broadcasts rank 0's values of the 8 trained variables") == 1
    today = not run.record["image"].startswith("tensorflow-ddl-1.5")
    assert any("1.x names" in line for line in said) == today


def test_another_checkpoint_makes_another_model_without_training(run: Finished, bench: Bench, tmp_path: Path) -> None:
    trained = run.record["training_id"]
    listed = json.loads(bench.toolkit("checkpoints", "--json", trained))["checkpoints"]
    assert [(one["number"], one["latest"], one["fault"]) for one in listed] == [(10, False, ""), (20, True, "")]
    made = json.loads(bench.toolkit("collect", "--json", "--to", tmp_path, "--checkpoint", 10, trained))
    assert made["signatures"] == run.collected["signatures"]
    weights = "model/variables/variables.data-00000-of-00001"
    assert (Path(made["folder"]) / weights).read_bytes() != (Path(run.collected["folder"]) / weights).read_bytes()
