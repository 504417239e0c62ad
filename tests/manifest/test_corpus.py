"""Manifests of every dialect: what is good is read, what is bad is pointed at, and the JSON Schema says the same."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from toolkit.api.catalogue import catalogue
from toolkit.api.checked import checked
from toolkit.errors import ToolkitError
from toolkit.manifest.dialects.canonical import CanonicalManifest
from toolkit.manifest.model import BucketReference, Connection, Manifest
from toolkit.manifest.reader import read_manifest, read_with_warnings
from toolkit.manifest.schema import json_schema
from toolkit.manifest.write import canonical_text, literal_keys
from toolkit.secrets import parse_secret
from toolkit.yaml.source import read_source
from toolkit.yaml.validate import validate

CORPUS = Path(__file__).parent / "corpus"
GOOD = sorted([*(CORPUS / "good").glob("*.yml"), *(CORPUS.parents[1] / "corpus").glob("*.yml")])
BAD = sorted((CORPUS / "bad").glob("*.yml"))
ROWS = catalogue()


def name_of(file: Path) -> str:
    return file.stem


@cache
def validator() -> Draft202012Validator:
    schema = json_schema(ROWS)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def without_literal_keys(manifest: Manifest) -> Manifest:
    """The manifest as its canonical form has it: keys that stood in the file are asked for instead."""

    def reference(remote: str, asked: BucketReference) -> BucketReference:
        keys = asked.connection.secrets
        for field, source in keys.items():
            if source.kind == "literal":
                keys[field] = parse_secret(f"${{env:{remote.upper()}_{field.upper()}}}")
        customer_key = keys.pop("sse_customer_key", None)
        url, region = asked.connection.endpoint_url, asked.connection.region
        return replace(asked, connection=Connection(url, *keys.values(), region, customer_key))

    buckets = {remote: reference(remote, asked) for remote, asked in manifest.buckets.items()}
    data = buckets.get("data", manifest.training_data)
    return replace(manifest, training_data=data, training_results=buckets["results"])


@pytest.mark.parametrize("file", GOOD, ids=name_of)
def test_a_good_manifest_is_read_in_the_dialect_that_its_name_says(file: Path) -> None:
    dialect = next(d for d in ("wml-2017", "wml-v4", "wml", "ffdl", "canonical") if file.stem.startswith(d))
    assert checked(file, ROWS).dialect == dialect


@pytest.mark.parametrize("file", BAD, ids=name_of)
def test_a_bad_manifest_is_pointed_at(file: Path) -> None:
    with pytest.raises(ToolkitError) as caught:
        checked(file, ROWS)
    assert caught.value.code.label == "C101"
    places = [problem.place for problem in caught.value.problems]
    assert places
    assert all(place and place.line and place.column for place in places)


@pytest.mark.parametrize("file", GOOD + BAD, ids=name_of)
def test_the_schema_takes_what_check_takes(file: Path) -> None:
    try:
        checked(file, ROWS)
    except ToolkitError:
        taken = False
    else:
        taken = True
    data = yaml.safe_load(file.read_text())
    assert validator().is_valid(data) == taken, list(validator().iter_errors(data))


@pytest.mark.parametrize("file", GOOD, ids=name_of)
def test_what_is_converted_means_the_same_and_converts_to_itself(file: Path, tmp_path: Path) -> None:
    manifest = read_manifest(file)
    converted = tmp_path / "converted.yml"
    converted.write_text(canonical_text(manifest))
    found = checked(converted, ROWS)
    assert (found.dialect, found.warnings) == ("canonical", ())
    assert found.manifest == without_literal_keys(manifest)
    assert canonical_text(found.manifest) == converted.read_text()
    assert literal_keys(found.manifest) == ()
    validate(read_source(converted), CanonicalManifest)
    assert validator().is_valid(yaml.safe_load(converted.read_text()))


@pytest.mark.parametrize("file", GOOD, ids=name_of)
def test_a_conversion_holds_no_key(file: Path) -> None:
    text = canonical_text(read_manifest(file))
    for key in (
        "CANOPYKEY",
        "canopy+secret",
        "oaks-and-elms",
        "forester",
        "Y2Fub3B5LWNhbm9weS1jYW5vcHktY2Fub3B5LTMyYnk=",
    ):
        assert key not in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wml", []),
        ("wml-other-spelling", []),
        ("wml-mpirun-flags", []),
        ("wml-lines", ["each line is a command of its own here"]),
        (
            "wml-without-runtimes",
            ["`python3 fit.py && echo fitted` runs once on each of 2 nodes"],
        ),
        ("wml-mpirun", ["--hostfile hosts; -np 4 is left out: there are 2 ranks"]),
        ("wml-ddlrun", ["`ddlrun` is left out"]),
        (
            "wml-2017",
            ["`medium` is 2 GPUs of no named kind", "runs once on the node", "is read as S3"],
        ),
        ("wml-v4", []),
        ("ffdl", ["the manifest's own version", "event files", "once on each of 2 nodes, without MPI"]),
        ("ffdl-customer-key", ["the manifest's own version", "event files", "runs once on each of 2 nodes"]),
        ("canonical-customer-key", []),
        (
            "ffdl-two-stores",
            ["no GPU: read as one rank in each learner", "read as 1.5GB; FfDL could not read it"],
        ),
        ("ffdl-both-streams", ["of no named type: read as k80"]),
        ("ffdl-folder", ["of no named type: read as k80"]),
    ],
)
def test_what_means_something_else_here_is_said(name: str, words: list[str]) -> None:
    warnings = read_with_warnings(CORPUS / "good" / f"{name}.yml").warnings
    assert len(warnings) == len(words)
    for warning, expected in zip(warnings, words, strict=True):
        assert expected in warning.what
        assert warning.place
        assert warning.place.line


def test_a_warning_shows_the_canonical_form() -> None:
    (warning,) = read_with_warnings(CORPUS / "good" / "wml-ddlrun.yml").warnings
    assert str(warning).splitlines()[1:] == [
        "        command: ddlrun -H a,b --mode r:1x2 python fit.py",
        "                 ^",
        "  here:",
        "      steps:",
        "        - command: python fit.py",
        "          ranks: all",
        "          environment:",
        "            DDL_OPTIONS: -mode r:1x2",
    ]
