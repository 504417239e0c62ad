"""A source of secrets is one class and one line of the registry: here two tiny ones, registered by that alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import jsonschema
import pytest
import yaml

from toolkit.catalogue.reader import read_frameworks
from toolkit.cluster.reader import read_cluster
from toolkit.errors import ToolkitError
from toolkit.manifest.reader import read_manifest
from toolkit.manifest.schema import json_schema
from toolkit.manifest.write import canonical_text
from toolkit.paths import assets
from toolkit.run.plan.code_secrets import known_to
from toolkit.secrets import Secret, parse_secret, registry, resolve_pair, resolve_secret
from toolkit.secrets.source import Lookup, Surroundings, leads_nowhere
from toolkit.storage.open_storage import open_access
from toolkit.storage.s3 import Access

SAFE = {"forest-id": "FORESTERSID", "forest-key": "oaks-and-elms-01", "canopy": "CANOPYSID:canopy-secret-02"}


class Safe:
    """A safe with one secret in each drawer."""

    kind = "safe"
    takes_name = True
    spelling = "${safe:DRAWER}"

    def secret(self, name: str, _lookup: Lookup) -> Secret:
        if name not in SAFE:
            raise leads_nowhere(self.kind, name, "no such drawer")
        return Secret(SAFE[name])

    def key_files(self, name: str) -> Iterable[str]:
        return (f"{name}.drawer",)

    def within_reach(self, name: str, _around: Surroundings) -> Iterable[Secret]:
        return [Secret(SAFE[name])] if name in SAFE else []


class Badge:
    """Both keys in one drawer."""

    kind = "badge"
    takes_name = True
    spelling = "${badge:NAME}"
    means = "a badge"
    name_pattern = "[a-z]{1,20}"

    def pair(self, name: str) -> tuple[Secret, Secret, Secret | None]:
        access_key, _, secret_key = SAFE[name].partition(":")
        return Secret(access_key), Secret(secret_key), None

    def key_files(self, _name: str) -> Iterable[str]:
        return ()

    def within_reach(self, _name: str, _around: Surroundings) -> Iterable[Secret]:
        return ()


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "KEY_SOURCES", (*registry.KEY_SOURCES, Safe()))
    monkeypatch.setattr(registry, "PAIR_SOURCES", (*registry.PAIR_SOURCES, Badge()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A manifest whose data's keys are in the safe, and whose results' are behind a badge."""
    text = (assets() / "tests" / "manifest" / "corpus" / "good" / "canonical.yml").read_text()
    text = text.replace("${env:TILES_KEY}", "${safe:forest-id}").replace(
        "${file:~/.forest/tiles.key}", "${safe:forest-key}"
    )
    own = "access_key_id: CANOPYKEY\n    secret_access_key: canopy+secret/0123456789\n"
    assert own in text
    written = tmp_path / "manifest.yml"
    written.write_text(text.replace(own, "credentials: ${badge:canopy}\n"))
    return written


def test_a_registered_source_gives_its_secret(plugged: None) -> None:
    reference = parse_secret("${safe:forest-key}")
    assert (reference.kind, str(reference)) == ("safe", "${safe:forest-key}")
    assert resolve_secret(reference, {}, {}) == Secret("oaks-and-elms-01")


def test_without_its_line_it_is_no_reference() -> None:
    assert parse_secret("${safe:forest-key}").kind == "literal"


def test_what_it_does_not_have_is_an_error_that_names_the_reference(plugged: None) -> None:
    with pytest.raises(ToolkitError) as caught:
        resolve_secret(parse_secret("${safe:birch}"), {}, {})
    assert (caught.value.code.label, caught.value.what) == ("C103", "${safe:birch}: no such drawer")


def test_what_it_gives_is_checked_as_every_key_is(plugged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SAFE, "birch", "two words")
    with pytest.raises(ToolkitError, match="a character that no key has") as caught:
        resolve_secret(parse_secret("${safe:birch}"), {}, {})
    assert "two words" not in str(caught.value)


def test_a_registered_source_of_both_keys_gives_them(plugged: None) -> None:
    pair = resolve_pair(parse_secret("${badge:canopy}"))
    assert pair == (Secret("CANOPYSID"), Secret("canopy-secret-02"), None)


def test_one_key_is_not_asked_of_a_source_of_both(plugged: None) -> None:
    with pytest.raises(ToolkitError, match="gives both keys of a store, and one is asked for"):
        resolve_secret(parse_secret("${badge:canopy}"), {}, {})


def test_a_manifest_with_them_opens_its_stores(file: Path, plugged: None, tmp_path: Path) -> None:
    with open_access(read_manifest(file), tmp_path, "side", "run") as opened:
        assert opened.remotes == {
            "data": Access("https://objects.forest.example", Secret("FORESTERSID"), Secret("oaks-and-elms-01")),
            "results": Access("http://10.4.0.9:9000", Secret("CANOPYSID"), Secret("canopy-secret-02")),
        }


def test_the_canonical_form_has_the_references(file: Path, plugged: None) -> None:
    data = yaml.safe_load(canonical_text(read_manifest(file)))
    assert data["training_data_reference"]["connection"]["secret_access_key"] == "${safe:forest-key}"
    assert data["training_results_reference"]["connection"]["credentials"] == "${badge:canopy}"


def test_the_json_schema_takes_what_the_reader_takes(file: Path, plugged: None) -> None:
    assert schema().is_valid(yaml.safe_load(file.read_text()))


def test_the_json_schema_does_not_take_them_without_their_lines(file: Path) -> None:
    assert not schema().is_valid(yaml.safe_load(file.read_text()))


def test_without_their_lines_the_manifest_is_refused_with_the_sources_that_there_are(file: Path) -> None:
    with pytest.raises(ToolkitError) as caught:
        read_manifest(file)
    assert [problem.what for problem in caught.value.problems] == [
        "not a reference that is read here: ${env:NAME}, ${file:PATH} or ${embedded:NAME}",
        "not a reference that is read here: ${env:NAME}, ${file:PATH} or ${embedded:NAME}",
        "expected ${profile:NAME}, a profile of ~/.aws, or ${chain}, the standard chain of credentials",
    ]


def test_submitted_code_must_not_have_what_they_give(file: Path, plugged: None, tmp_path: Path) -> None:
    cluster = read_cluster(assets() / "clusters" / "local.yml")
    known = known_to(read_manifest(file), file, cluster, {}, tmp_path)
    assert {value.reveal() for value in known.values} == {"oaks-and-elms-01"}
    drawer = tmp_path / "forest-key.drawer"
    drawer.touch()
    assert known.holds(drawer.stat())


def schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema(read_frameworks(assets() / "images", assets() / "templates")))
