"""Results that are a folder or an export: what programs, records and people call them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.manifest.model import BucketReference, Connection, FolderReference, NfsReference
from toolkit.manifest.reader import read_manifest
from toolkit.manifest.results import address_of, bucket_name, place_at
from toolkit.manifest.write import canonical_text
from toolkit.paths import assets
from toolkit.secrets import parse_secret

EXAMPLE = assets() / "examples" / "mnist" / "manifest.yml"
FFDL = Path(__file__).parent / "corpus" / "good" / "ffdl-folder.yml"
KEY = parse_secret("${env:KEY}")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/srv/results", "results"),
        ("/srv/Results_2026/", "results-2026"),
        ("/gpfs/proj/a b", "a-b"),
        ("/x", "results"),
        ("/srv/größe", "gr-e"),
        ("/srv/" + "a" * 80, "a" * 63),
    ],
)
def test_a_folder_is_seen_under_its_last_name_in_a_buckets_letters(path: str, name: str) -> None:
    assert bucket_name(FolderReference("", path)) == bucket_name(NfsReference("", "filer", path)) == name


@given(st.text(min_size=1, max_size=90))
def test_whatever_a_folder_is_called_a_bucket_can_be(path: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", bucket_name(FolderReference("", f"/{path}")))


def test_each_kind_has_an_address_and_reads_as_what_it_is() -> None:
    bucket = BucketReference("", Connection("https://s3.example.org", KEY, KEY), "oak")
    folder, export = FolderReference("", "/srv/results"), NfsReference("", "filer", "/export/r")
    addresses = [address_of(one) for one in (bucket, folder, export)]
    assert addresses == ["https://s3.example.org", "file:///srv/results", "nfs://filer/export/r"]
    places = [
        place_at(address, bucket_name(one)) for address, one in zip(addresses, (bucket, folder, export), strict=True)
    ]
    assert places == ["bucket oak", "folder /srv/results", "export filer:/export/r"]
    assert place_at("embedded", "models") == "bucket models"


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({"type": "path", "target": {"path": "/srv/results/"}}, FolderReference("", "/srv/results")),
        (
            {"type": "nfs", "name": "n", "target": {"server": "10.0.0.9", "path": "/export"}},
            NfsReference("n", "10.0.0.9", "/export"),
        ),
    ],
)
@pytest.mark.parametrize("canonical", [False, True])
def test_results_go_to_a_folder_or_an_export_in_either_form(
    tmp_path: Path, results: dict[str, object], expected: object, canonical: bool
) -> None:
    data = yaml.safe_load(EXAMPLE.read_text())
    data["training_results_reference"] = results | {"collect": ["plots"]}
    file = tmp_path / "manifest.yml"
    file.write_text(yaml.safe_dump(data))
    if canonical:
        file.write_text(canonical_text(read_manifest(file)))
    manifest = read_manifest(file)
    assert (manifest.training_results, manifest.collect) == (expected, ("plots",))
    assert list(manifest.buckets) == ["data"]


@pytest.mark.parametrize(("write", "local"), [("local", True), ("mount", False), (None, False)])
@pytest.mark.parametrize("canonical", [False, True])
def test_programs_write_results_to_the_hosts_disk_only_if_that_is_asked_for(
    tmp_path: Path, write: str | None, local: bool, canonical: bool
) -> None:
    data = yaml.safe_load(EXAMPLE.read_text())
    data["training_results_reference"] |= {"write": write} if write else {}
    file = tmp_path / "manifest.yml"
    file.write_text(yaml.safe_dump(data))
    if canonical:
        file.write_text(canonical_text(read_manifest(file)))
        assert ("write: local" in file.read_text()) is local
    assert read_manifest(file).write_local is local


def test_ffdls_volume_takes_results(tmp_path: Path) -> None:
    text = FFDL.read_text()
    file = tmp_path / "manifest.yml"
    one = text[: text.index("  - id: models")]
    file.write_text(one.replace("    connection:", "    training_results: {container: out}\n    connection:"))
    results = read_manifest(file).training_results
    assert isinstance(results, FolderReference)
    assert results.path.endswith("/out")


@pytest.mark.parametrize(
    ("results", "path"),
    [
        ({"type": "path", "target": {"bucket": "b"}}, "training_results_reference.target"),
        ({"type": "path", "target": {"path": "srv"}}, "training_results_reference.target.path"),
        ({"type": "nfs", "target": {"path": "/srv"}}, "training_results_reference.target.server"),
        ({"type": "paths", "target": {"path": "/srv"}}, "training_results_reference.type"),
    ],
)
def test_what_is_no_folder_is_refused_where_it_stands(tmp_path: Path, results: dict[str, object], path: str) -> None:
    data = yaml.safe_load(EXAMPLE.read_text())
    data["training_results_reference"] = results
    file = tmp_path / "manifest.yml"
    file.write_text(yaml.safe_dump(data))
    with pytest.raises(ToolkitError) as caught:
        read_manifest(file)
    assert any(problem.path.startswith(path) for problem in caught.value.problems)
