"""What is said of a file that is no manifest, or of a value that a person wrote as some other tool has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.api.catalogue import catalogue
from toolkit.api.checked import checked
from toolkit.errors import ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest, read_with_warnings
from toolkit.yaml.source import read_source

WML = """\
model_definition:
  name: leaf-counter
  author: {name: Ada Fern, email: ada@fern.example}
  framework: {name: tensorflow, version: "2.19"}
  execution:
    command: python count.py
    compute_configuration: {name: k80}
training_data_reference:
  connection: {endpoint_url: "https://s3.fern.example", access_key_id: GARDENKEY, secret_access_key: rake-and-hoe-77}
  source: {bucket: leaf-pictures}
  type: s3
training_results_reference:
  connection: {endpoint_url: "https://s3.fern.example", access_key_id: GARDENKEY, secret_access_key: rake-and-hoe-77}
  target: {bucket: leaf-models}
  type: s3
"""
FFDL = """\
name: leaf-counter
framework: {name: tensorflow, version: "2.19-py3", command: python3 count.py}
memory: 8GB
data_stores:
- id: test-store
  type: mount_cos
  training_data: {container: leaf-pictures}
  training_results: {container: leaf-models}
  connection: {auth_url: "http://10.1.2.3:9000", user_name: test, password: training}
"""


def read(tmp_path: Path, text: str) -> Manifest:
    file = tmp_path / "manifest.yml"
    file.write_text(text)
    return read_manifest(file)


def said(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ToolkitError) as caught:
        read(tmp_path, text)
    assert all(problem.place and problem.place.line for problem in caught.value.problems)
    return [problem.what for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: leaves\nframework: {name: tensorflow}\nexecution: {command: python3 a.py}\n", "a training definition"),
        ("name: leaves\nframework: {name: tensorflow}\ncommand: python3 a.py\n", "a training definition"),
        ("name: x\ntraining_references: []\n", "an experiment of Watson ML"),
        ("settings: {}\ntraining_results_reference: {}\n", "an experiment of Watson ML"),
        ("hyper_parameters_optimization: {}\n", "an experiment of Watson ML"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "a Kubernetes object"),
        ("services: {web: {image: x}}\n", "a Compose file"),
        ("name: x\n'on': push\njobs: {a: 1}\n", "a GitHub workflow"),
        ("name: x\nchannels: [a]\ndependencies: [b]\n", "a conda environment"),
        ("hosts: [{name: a}]\n", "a cluster file"),
    ],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(tmp_path: Path, text: str, words: str) -> None:
    (what,) = said(tmp_path, text)
    assert what.startswith(f"this is {words}")
    assert "not a training manifest" in what


def test_ffdls_own_are_no_training_definitions(tmp_path: Path) -> None:
    assert read(tmp_path, FFDL).name == "leaf-counter"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3.fern.example", "it must begin with https:// or http://"),
        ("s3.fern.example:9000", "it must begin with https:// or http://"),
        ("s3://fern", "it must begin with https:// or http://"),
        ("HTTPS://s3.fern.example", "in small letters"),
        ("https://s3.fern.example/leaves", "no path after the host"),
        ("https://s3.fern.example?x=1", "no path"),
        ("https://ada:rake@s3.fern.example", "no user and no password"),
        ("https://s3 .fern.example", "it has a blank in it"),
    ],
)
def test_what_an_endpoint_lacks_is_said_without_a_word_of_it(tmp_path: Path, url: str, words: str) -> None:
    first, second = said(tmp_path, WML.replace("https://s3.fern.example", url))
    assert first == second
    assert words in first
    assert "rake" not in first


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("latest-py3", "`latest` is another image tomorrow"),
        ("training_1", "`training_1` is no version"),
    ],
)
def test_a_key_that_is_an_everyday_word_does_not_spoil_other_words(tmp_path: Path, version: str, words: str) -> None:
    found = said(tmp_path, FFDL.replace("2.19-py3", version))
    assert [words in what for what in found] == [True]


@pytest.mark.parametrize("key", ["test", "training", "rake-and-hoe-77", "k3y!"])
def test_a_key_in_a_message_is_hidden_as_a_word(tmp_path: Path, key: str) -> None:
    text = FFDL.replace("password: training", f"password: '{key}'").replace("memory: 8GB", f"gpu_type: '{key}'")
    (what,) = said(tmp_path, text)
    assert what.startswith("unknown GPU type `[redacted]`")
    assert key not in what.replace("training_", "")


def test_a_long_key_is_hidden_inside_other_words_too(tmp_path: Path) -> None:
    (what,) = said(tmp_path, WML.replace("name: k80", "name: xrake-and-hoe-77x"))
    assert what.startswith("unknown compute configuration `x[redacted]x`")


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("tensorflow", "1.5", ["`tensorflow-ddl` has 1.5", "with `compat: tf1` (docs/old-scripts.md)"]),
        ("tensorflow", "1.5.0-py3", ["`tensorflow-ddl` has 1.5", "`compat: tf1`"]),
        ("tensorflow-ddl", "1.13", ["the catalogue has: 1.5,", "`tensorflow-ddl` of today runs a script for 1.x"]),
    ],
)
def test_an_old_tensorflow_gets_a_hint_where_its_scripts_run(
    tmp_path: Path, name: str, version: str, words: list[str]
) -> None:
    file = tmp_path / "manifest.yml"
    file.write_text(WML.replace('tensorflow, version: "2.19"', f'{name}, version: "{version}"'))
    with pytest.raises(ToolkitError) as caught:
        checked(file, catalogue())
    (problem,) = caught.value.problems
    assert all(word in problem.what for word in words), problem.what


def test_a_newer_version_gets_no_hint_of_old_scripts(tmp_path: Path) -> None:
    file = tmp_path / "manifest.yml"
    file.write_text(WML.replace('"2.19"', '"2.99"'))
    with pytest.raises(ToolkitError) as caught:
        checked(file, catalogue())
    assert "old-scripts" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: {name: node[1-2]}\n", "a value with brackets or braces in it goes in quotes"),
        ("a: [x, {b: c{1}}]\n", "goes in quotes"),
        ("a: @all\n", "a value that begins with this sign goes in quotes"),
        ("a: `date`\n", "a value that begins with this sign goes in quotes"),
        ("a: %x\n", "a value that begins with this sign goes in quotes"),
        ("a: *.py\n", "a value that begins with this sign goes in quotes"),
        ("a: echo b: c\n", "a value with a colon and a blank in it goes in quotes"),
        ('a: "python" x.py\n', "a value goes in quotes as a whole"),
        ("a: [2001:db8::8]:22\n", "a value goes in quotes as a whole"),
    ],
)
def test_what_yaml_took_for_something_else_is_said_to_go_in_quotes(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "x.yml"
    file.write_text(text)
    with pytest.raises(ToolkitError) as caught:
        read_source(file)
    assert words in caught.value.problems[0].what


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("nvidia-TeslaK80", "nvidia-teslap100", "did you mean `nvidia-TeslaP100`?"),
        ("nvidia-TeslaK80", "P100", "did you mean `nvidia-TeslaP100`?"),
        ("nvidia-TeslaK80", "v100", "did you mean `nvidia-TeslaV100`?"),
        ("nvidia-TeslaK80", "nvidia-tesla-p4", "did you mean `nvidia-TeslaP4`?"),
        ("nvidia-TeslaK80", "nvidia-TeslaV100-SXM2-16GB", "did you mean `nvidia-TeslaV100`?"),
        ("nvidia-TeslaK80", "nvidia-Telsa-K80", "did you mean `nvidia-TeslaK80`?"),
        ("nvidia-TeslaK80", "nvidia-GTX1080", "unknown GPU type `nvidia-GTX1080`; known"),
        ("nvidia-TeslaK80", "nvidia-TeslaP1000", "unknown GPU type `nvidia-TeslaP1000`; known"),
        ("nvidia-TeslaK80", "nvidia", "unknown GPU type `nvidia`; known"),
        ("nvidia-TeslaK80", "'???'", "unknown GPU type `???`; known"),
        ("type: mount_cos", "type: MOUNT_COS", "did you mean `mount_cos`?"),
        ("type: mount_cos", "type: S3", "did you mean `s3_datastore`?"),
        ('version: "1.0"', "version:", "version: expected text, found nothing"),
        ("cpus: 2", 'cpus: "2"', "cpus: expected a number, without quotes, found '2'"),
        ("cpus: 2", "cpus: 500m", "cpus: expected a number, found '500m'"),
        ("learners: 1", 'learners: "2"', "learners: expected a whole number, without quotes, found '2'"),
        ("container: dune", "container: s3://dune", "give the name alone: the store is named by the URL"),
        ("container: dune", "container: dune/a", "give the name alone, without the path in the bucket"),
        ("container: dune", "container: d", "2-255 letters"),
        ('version: "2.19"', "version: latest-gpu-py3", "name a version that `toolkit frameworks` lists"),
        ('version: "2.19"', "version: dune/trainer:latest", "is no version, but an image"),
        ('version: "2.19"', "version: trainer:0925", "is no version, but an image"),
        (
            "command: python3 t.py",
            "command: |\n    # first\n    python3 t.py",
            "command: FfDL made one line of all lines",
        ),
    ],
)
def test_what_ffdls_manifest_meant_is_reported(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = """name: dune
version: "1.0"
learners: 1
gpus: 1
cpus: 2
memory: 1GB
gpu_type: nvidia-TeslaK80
framework: {name: tensorflow, version: "2.19"}
data_stores:
  - id: a
    type: mount_cos
    training_data: {container: dune}
    training_results: {container: out}
    connection: {auth_url: "https://s3.dune.example", user_name: test, password: test}
""".replace('{name: tensorflow, version: "2.19"}', '\n  name: tensorflow\n  version: "2.19"\n  command: python3 t.py')
    assert old in text
    file = tmp_path / "manifest.yml"
    file.write_text(text.replace(old, new))
    with pytest.raises(ToolkitError) as caught:
        read_manifest(file)
    assert len(caught.value.problems) == 1
    assert words in str(caught.value)


def test_a_version_may_be_as_long_as_ffdls_horovod(tmp_path: Path) -> None:
    found = read(tmp_path, FFDL.replace("2.19-py3", "0.13.10-tf1.9.0-torch0.4.0-py3.5"))
    assert found.framework.version == "0.13.10-tf1.9.0-torch0.4.0-py3.5"


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("python3 count.py --logs $JOB_STATE_DIR/logs/tb", ["JOB_STATE_DIR"]),
        (
            "python3 count.py --logs ${JOB_STATE_DIR}/tb --id $DLAAS_JOB_ID -a $JOB_STATE_DIR",
            ["DLAAS_JOB_ID", "JOB_STATE_DIR"],
        ),
        ("python3 count.py --logs $LOG_DIR --other $JOB_STATE_DIRS", []),
    ],
)
def test_a_variable_that_only_ffdl_set_is_warned_of(tmp_path: Path, command: str, names: list[str]) -> None:
    file = tmp_path / "manifest.yml"
    file.write_text(FFDL.replace("python3 count.py", f'"{command}"'))
    warned = [one for one in read_with_warnings(file).warnings if "is not set here" in one.what]
    assert [one.what.split()[0] for one in warned] == names
    assert {one.path for one in warned} <= {"framework.command"}
