"""What each dialect's words mean, as the one canonical value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolkit.catalogue.model import Framework
from toolkit.errors import ToolkitError
from toolkit.manifest.model import (
    BucketReference,
    Compute,
    Connection,
    FolderReference,
    Manifest,
    NfsReference,
    Step,
)
from toolkit.manifest.reader import read_manifest, read_with_warnings
from toolkit.secrets import parse_secret

GOOD = Path(__file__).parent / "corpus" / "good"


def good(name: str) -> Manifest:
    return read_manifest(GOOD / f"{name}.yml")


def connection(url: str, access_key: str, secret_key: str) -> Connection:
    return Connection(url, parse_secret(access_key), parse_secret(secret_key))


FOREST = connection("https://objects.forest.example", "forester", "oaks-and-elms-01")
CANOPY = connection("http://10.4.0.9:9000", "CANOPYKEY", "canopy+secret/0123456789")


@pytest.mark.parametrize(
    ("name", "framework"),
    [
        ("wml", Framework("tensorflow-ddl", "2.19", "3.11")),
        ("wml-other-spelling", Framework("tensorflow-ddl", "1.5", "3.5")),
        ("wml-without-runtimes", Framework("tensorflow", "2.21", "3")),
        ("wml-runtimes-in-a-list", Framework("tensorflow-ddl", "1.5", "3.5")),
        ("wml-2017", Framework("tensorflow", "2.19", "3")),
        ("wml-v4", Framework("tensorflow-ddl", "2.15", "3.11")),
        ("ffdl", Framework("tensorflow", "2.15", "3")),
    ],
)
def test_the_same_framework_in_every_spelling(name: str, framework: Framework) -> None:
    assert good(name).framework == framework


@pytest.mark.parametrize(
    ("name", "compute"),
    [
        ("wml", Compute("p100", 2)),
        ("wml-2017", Compute("k80x2", 1)),
        ("wml-2017-one", Compute("k80x4", 1)),
        ("wml-v4", Compute("p100x2", 2)),
        ("canonical", Compute("v100x2", 3, memory=48_000_000_000, cpus=26)),
        ("ffdl", Compute("p100", 2, memory=24 << 30, cpus=8)),
        ("ffdl-two-stores", Compute("cpu", 1, memory=1_500_000_000)),
        ("ffdl-folder", Compute("k80x2", 1)),
    ],
)
def test_the_machines_that_are_asked_for(name: str, compute: Compute) -> None:
    assert good(name).compute == compute


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("wml", (Step("python fit.py --epochs 4", "all"), Step("python export.py", "one"))),
        ("wml-lines", (Step('python fit.py --out "$RESULT_DIR/a;b"', "all"), Step("python export.py", "one"))),
        (
            "wml-mpirun-flags",
            (
                Step(
                    "python fit.py",
                    "all",
                    environment=(("NCCL_DEBUG", "INFO"), ("WORDS", "two words")),
                    mca=(("btl_tcp_links", "2"),),
                ),
            ),
        ),
        ("wml-mpirun", (Step("python fit.py", "all"), Step("python export.py", "one"))),
        ("wml-ddlrun", (Step("python fit.py", "all", environment=(("DDL_OPTIONS", "-mode r:1x2"),)),)),
        (
            "canonical",
            (
                Step('python cut.py --into "$MODEL_DIR/tiles"', "one", "prepare/tiles", 1800),
                Step("python fit.py", "all", environment=(("OMP_NUM_THREADS", "4"),), mca=(("btl_tcp_links", "2"),)),
                Step("python export.py | tee export.txt", "one"),
            ),
        ),
    ],
)
def test_what_runs_and_where(name: str, steps: tuple[Step, ...]) -> None:
    assert good(name).steps == steps


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("wml-folder", FolderReference("", "/srv/tiles")),
        ("wml-nfs", NfsReference("on the filer", "filer-2.forest.example", "/export/tiles")),
        ("wml-2017", BucketReference("", FOREST, "aerial-tiles")),
        (
            "wml-v4",
            BucketReference(
                "tiles",
                connection("https://objects.forest.example", "${env:TILES_KEY}", "${env:TILES_SECRET}"),
                "aerial-tiles",
                "north",
            ),
        ),
        (
            "ffdl",
            BucketReference(
                "filer", connection("http://10.4.0.9:9000", "forester", "oaks-and-elms-01"), "aerial-tiles"
            ),
        ),
        (
            "ffdl-two-stores",
            BucketReference(
                "tiles",
                connection("https://objects.forest.example", "${env:TILES_KEY}", "${env:TILES_SECRET}"),
                "aerial-tiles",
                copied=True,
            ),
        ),
        ("ffdl-folder", FolderReference("disk", "/srv/tiles/north")),
        (
            "wml-profile-and-chain",
            BucketReference(
                "", connection("https://s3.forest.example", "${profile:tiles}", "${profile:tiles}"), "aerial-tiles"
            ),
        ),
    ],
)
def test_where_the_data_is(name: str, data: object) -> None:
    assert good(name).training_data == data


def test_two_stores_with_two_pairs_of_keys() -> None:
    manifest = good("ffdl-two-stores")
    assert manifest.training_results == BucketReference("models", CANOPY, "canopy-models")
    assert manifest.buckets["data"].connection != manifest.buckets["results"].connection


def test_amazons_names_of_the_keys_are_the_same_keys() -> None:
    assert good("wml-amazons-names").training_data == good("wml").training_data


def test_an_author_may_be_one_line() -> None:
    assert (good("wml-runtimes-in-a-list").author, good("wml-runtimes-in-a-list").email) == ("Orla Brandt", "")


def test_what_the_canonical_form_adds() -> None:
    manifest = good("canonical")
    assert manifest.environment == (("NCCL_DEBUG", "INFO"), ("DDL_OPTIONS", "-mode b:2x3"))
    assert (manifest.time_limit, manifest.retries, manifest.resume) == (172_800, 1, "training-abcd2345")
    embedded = good("wml-embedded")
    assert embedded.collect == ("metrics.json", "plots")
    assert embedded.training_results.place == "canopy-models/trials"


STORE = "    connection: {type"


@pytest.mark.parametrize(
    ("name", "old", "new", "where", "words"),
    [
        (
            "wml-other-spelling",
            "-py3.5-ddl",
            "-py2.7-ddl\n    runtimes: {name: python, version: '3.5'}",
            "framework.version",
            "says Python 2.7, and runtimes says 3.5",
        ),
        ("canonical", "folder: prepare", "mca: {btl: self}\n        folder: prepare", "mca", "without Open MPI"),
        ("ffdl", "2.15-gpu-py3", "latest-gpu", "framework.version", "another image tomorrow"),
        ("ffdl", "    training_results:\n      container: canopy-models\n", "", "data_stores", "found 0"),
        ("ffdl-folder", STORE, f"    training_results: {{container: x}}\n{STORE}", "data_stores", "found 2"),
    ],
)
def test_what_two_fields_say_of_one_another(
    tmp_path: Path, name: str, old: str, new: str, where: str, words: str
) -> None:
    text = (GOOD / f"{name}.yml").read_text()
    assert old in text
    file = tmp_path / "manifest.yml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ToolkitError) as caught:
        read_manifest(file)
    (problem,) = caught.value.problems
    assert problem.path.endswith(where)
    assert words in problem.what


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("python fit.py", "-x WANDB_API_KEY=0123 python fit.py", "execution.command"),
        ("    compute_conf", "    environment: {HF_TOKEN: abcd}\n    compute_conf", "execution.environment.HF_TOKEN"),
    ],
)
def test_a_variable_that_sounds_like_a_secret_is_warned_of(tmp_path: Path, old: str, new: str, where: str) -> None:
    file = tmp_path / "manifest.yml"
    file.write_text((GOOD / "wml.yml").read_text().replace(old, new, 1))
    (warning,) = read_with_warnings(file).warnings
    assert warning.path == f"model_definition.{where}"
    assert "sounds like a secret" in warning.what


@pytest.mark.parametrize(
    "name",
    ["wml", "wml-v4", "ffdl"],
)
def test_a_launchers_program_runs_on_every_rank_and_that_is_reported(tmp_path: Path, name: str) -> None:
    text = (GOOD / f"{name}.yml").read_text()
    line = next(line for line in text.splitlines() if "command:" in line)
    file = tmp_path / "manifest.yml"
    launched = f"{line.partition('command:')[0]}command: torchrun --nproc_per_node 8 --standalone fit.py -e 4"
    file.write_text(text.replace(line, launched))
    found = read_with_warnings(file)
    assert found.manifest.steps == (Step("python fit.py -e 4", "all"),)
    diagnostics = " ".join(warning.what for warning in found.warnings)
    assert "left out, as the tool sets it by itself: --standalone" in diagnostics
    assert "--nproc_per_node 8 is left out: ranks on each node here: " in diagnostics
    assert "`torchrun` is left out: the tool starts the ranks by itself" in diagnostics


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "torchrun fit.py --epochs 4",
            "the tool starts the ranks by itself: write `python fit.py --epochs 4`, and give",
        ),
        ("mpirun -np 2 python fit.py", "the tool starts the ranks by itself: write `python fit.py`, and give"),
        ("-x A=b python fit.py", "the tool starts the ranks by itself: write `python fit.py`, and give"),
        ("srun --multi-prog x", "several programs at once"),
        ("bash -c 'torchrun fit.py'", "would start ranks in ranks"),
    ],
)
def test_a_step_with_a_launcher_gets_a_hint(tmp_path: Path, command: str, words: str) -> None:
    file = tmp_path / "manifest.yml"
    file.write_text((GOOD / "canonical-short.yml").read_text().replace("python fit.py", json.dumps(command), 1))
    with pytest.raises(ToolkitError) as caught:
        read_manifest(file)
    (problem,) = caught.value.problems
    assert problem.path == "model_definition.execution.steps[0].command"
    assert words in problem.what


def test_lines_that_would_be_one_command_elsewhere_are_read_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "manifest.yml"
    old = "command: python fit.py --epochs 4 ; python export.py"
    file.write_text((GOOD / "wml.yml").read_text().replace(old, "command: |\n      time\n      mpirun python fit.py"))
    found = read_with_warnings(file)
    assert found.manifest.steps == (Step("time", "all"), Step("python fit.py", "all"))
    assert "each line is a command of its own here" in found.warnings[0].what


EXPRESSIONS = """
evaluation_metrics:
  type: regex_extractor
  in: "$LOG_DIR/training-log.txt"
  groups:
    train: {regex: "%{INT:step} loss %{FLOAT:loss}", etimes: {step: {value: $step}}, scalars: {loss: {value: $loss}}}
"""


@pytest.mark.parametrize("name", ["canonical", "wml", "ffdl-folder"])
def test_expressions_for_metrics_are_read_in_ffdls_form(tmp_path: Path, name: str) -> None:
    file = tmp_path / "manifest.yml"
    file.write_text((GOOD / f"{name}.yml").read_text().partition("evaluation_metrics")[0] + EXPRESSIONS)
    (group,) = read_manifest(file).metrics.groups
    assert (group.name, group.step, group.values) == ("train", "step", (("loss", "loss"),))
    file.write_text(file.read_text().replace("$loss", "$lost"))
    if name.startswith("ffdl"):
        (warning,) = (
            one.what for one in read_with_warnings(file).warnings if "evaluation" in str(one) or "$lost" in str(one)
        )
        assert "left out: groups.train: $lost is not a group of its regex" in warning
        assert not read_manifest(file).metrics.groups
    else:
        with pytest.raises(ToolkitError, match=r"groups\.train: \$lost is not a group"):
            read_manifest(file)
