"""A dialect is one module and one line of the registry: here a tiny one, registered by that line alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from toolkit.catalogue.model import Framework
from toolkit.catalogue.reader import read_frameworks
from toolkit.errors import ToolkitError
from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.dialect import Dialect, ManifestFile, names_at_top
from toolkit.manifest.dialects import registry
from toolkit.manifest.fields import Absolute, Name, Version
from toolkit.manifest.key_fields import Key
from toolkit.manifest.model import BucketReference, Compute, Connection, FolderReference, Manifest, Step
from toolkit.manifest.reader import framework_error, read_with_warnings
from toolkit.manifest.schema import json_schema
from toolkit.paths import assets
from toolkit.run.plan.code_secrets import is_manifest_with_keys
from toolkit.secrets import parse_secret
from toolkit.yaml.validate import Section

ROWS = read_frameworks(assets() / "images", assets() / "templates")


class Trainer(Section):
    name: Name
    version: Version


class Store(Section):
    data: Absolute
    results: Name
    password: Key


class TinyFile(ManifestFile):
    """The whole file."""

    job: Name
    trainer: Trainer
    store: Store

    def to_manifest(self, diagnostics: Diagnostics) -> Manifest:
        diagnostics.warn(("job",), "a job is one process here")
        key = parse_secret(self.store.password)
        return Manifest(
            name=self.job,
            author="",
            description="",
            framework=Framework(self.trainer.name, self.trainer.version, "3.11"),
            steps=(Step("python fit.py", "one"),),
            compute=Compute("cpu", 1),
            training_data=FolderReference("", self.store.data),
            training_results=BucketReference("", Connection("https://s3.example", key, key), self.store.results),
        )


TINY = Dialect(
    name="tiny",
    title="Tiny",
    model=TinyFile,
    matches=lambda source: {"job", "trainer"} <= names_at_top(source),
    framework=("trainer",),
    framework_model=Trainer,
    signs=("trainer",),
    references=("store",),
)
TEXT = """\
job: tides
trainer:
  name: tensorflow
  version: "2.19"
store:
  data: /srv/tides
  results: tide-models
  password: neap-and-spring
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "manifest.yml"
    written.write_text(TEXT)
    return written


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DIALECTS", (TINY, *registry.DIALECTS))


def schema_takes(data: Any) -> bool:
    return jsonschema.Draft202012Validator(json_schema(ROWS)).is_valid(data)


def test_a_registered_dialect_is_read(file: Path, plugged: None) -> None:
    found = read_with_warnings(file)
    assert (found.dialect, found.title, found.manifest.name) == ("tiny", "Tiny", "tides")
    assert found.manifest.framework == Framework("tensorflow", "2.19", "3.11")
    assert [(warning.path, warning.place and warning.place.line, warning.what) for warning in found.warnings] == [
        ("job", 1, "a job is one process here")
    ]


def test_without_its_line_the_file_is_no_manifest(file: Path) -> None:
    with pytest.raises(ToolkitError, match="has 6 problems"):
        read_with_warnings(file)


def test_its_faults_are_placed_in_the_file(file: Path, plugged: None) -> None:
    file.write_text(TEXT.replace("/srv/tides", "tides"))
    with pytest.raises(ToolkitError) as caught:
        read_with_warnings(file)
    assert [(problem.path, problem.place and problem.place.line) for problem in caught.value.problems] == [
        ("store.data", 6)
    ]


@pytest.mark.parametrize(("field", "line"), [("name", 3), ("version", 4), ("python", 4)])
def test_what_the_catalogue_finds_wrong_is_placed_where_its_framework_stands(
    file: Path, plugged: None, field: str, line: int
) -> None:
    (problem,) = framework_error(file, field, "not in the catalogue").problems
    assert problem.place is not None
    assert problem.place.line == line


def test_its_signs_tell_a_manifest_from_other_files(file: Path, plugged: None) -> None:
    file.write_text(TEXT + "dependencies: []\n")  # as a conda environment has
    with pytest.raises(ToolkitError, match="unknown field; known here: job, trainer, store"):
        read_with_warnings(file)


def test_the_json_schema_takes_it_with_a_framework_of_the_catalogue(plugged: None) -> None:
    data = yaml.safe_load(TEXT)
    assert schema_takes(data)
    assert not schema_takes({**data, "trainer": {"name": "tensorflow", "version": "0.1"}})


def test_the_json_schema_does_not_take_it_without_its_line() -> None:
    assert not schema_takes(yaml.safe_load(TEXT))


def test_keys_in_such_a_file_beside_the_code_are_found(plugged: None) -> None:
    assert is_manifest_with_keys(TEXT.encode())


def test_without_its_line_the_file_beside_the_code_is_none_with_keys() -> None:
    assert not is_manifest_with_keys(TEXT.encode())


def test_the_other_dialects_are_read_as_before(plugged: None) -> None:
    good = Path(__file__).parent / "corpus" / "good"
    names = ("canonical", "wml", "wml-2017", "wml-v4", "ffdl")
    assert [read_with_warnings(good / f"{name}.yml").dialect for name in names] == list(names)
