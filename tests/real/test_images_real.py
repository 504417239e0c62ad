"""What is in an image that a real engine holds: read, compared, explained, put on paper."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from toolkit.catalogue.model import FrameworkRow
from toolkit.lock.file import read_lock
from toolkit.paths import cache

from .bench import MANIFEST, Bench


def reported(bench: Bench, *words: str) -> Any:
    return json.loads(bench.ok("images", *words).stdout)


def containers(image: str) -> set[str]:
    argv = ["docker", "container", "ls", "--all", "--quiet", "--no-trunc", "--filter", f"ancestor={image}"]
    return set(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split())


def image_id(image: str, missing: str | None = None) -> str:
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", image]
    done = subprocess.run(argv, check=missing is None, capture_output=True, text=True)
    return done.stdout.strip() or str(missing)


@pytest.fixture
def changed(image: str) -> Iterator[str]:
    """The image with one file more, one changed and a variable set."""
    name = "toolkit-test-changed:1"
    lines = ["USER root", "RUN echo 1 > /opt/new && echo 2 >> /etc/shells", "ENV ADDED=yes", "USER 61000:61000"]
    argv = ["docker", "build", "--quiet", "--tag", name, "-"]
    subprocess.run(argv, input="\n".join([f"FROM {image}", *lines]), check=True, capture_output=True, text=True)
    kept = f"{image_id(name).removeprefix('sha256:')}-*"
    yield name
    subprocess.run(["docker", "image", "rm", name], check=True, capture_output=True)
    for file in (cache() / "inventory").glob(kept):
        file.unlink()


def test_the_list_has_the_image_and_the_rest_of_the_catalogue(bench: Bench, image: str) -> None:
    said = reported(bench, "list", "--json")
    (here,) = [one for one in said["here"] if one["reference"] == image]
    (row,) = [one for one in said["catalogue"] if one["reference"] == image]
    assert (here["current"], row["here"]) == (True, True)
    assert all(bool(image_id(one["reference"], missing="")) == one["here"] for one in said["catalogue"])


@pytest.mark.alone
def test_what_is_shown_is_what_is_locked(bench: Bench, image: str, row: FrameworkRow) -> None:
    before = containers(image)
    said = reported(bench, "show", "--json", image)
    assert containers(image) <= before
    lock = read_lock(row.recipe.lock)
    installed = {(p["kind"], p["name"], p["version"]) for p in said["packages"] if not p["carried_by"]}
    assert {("deb", deb.name, deb.version) for deb in lock.debs} <= installed
    assert {("python", wheel.name, wheel.version) for wheel in lock.wheels} <= installed
    assert said["locked"] is True
    assert sum(layer["size"] for layer in said["layers"]) == said["bytes"]


def test_pips_own_list_is_the_same(bench: Bench, image: str) -> None:
    argv = ["docker", "run", "--rm", "--network", "none", image, "python", "-m", "pip", "list", "--format", "json"]
    listed = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    said = reported(bench, "show", "--json", image)
    ours = {(p["name"], p["version"]) for p in said["packages"] if p["kind"] == "python" and not p["carried_by"]}
    assert ours == {(p["name"].lower().replace("_", "-").replace(".", "-"), p["version"]) for p in listed}


def test_why_leads_back_to_the_recipe(bench: Bench, image: str, row: FrameworkRow) -> None:
    (rich,) = reported(bench, "why", "--json", "rich", image)["packages"]
    asked = {requirement.partition("==")[0].partition("[")[0] for requirement in row.recipe.requirements}
    for chain in rich["chains"]:
        assert chain["reason"] == "requested by the recipe"
        assert chain["links"][0]["name"] in asked
        assert chain["links"][-1]["name"] == "rich"
    assert rich["chains"]


def test_no_package_is_without_a_reason(bench: Bench, image: str) -> None:
    for package in ("libc6", "numpy", "/usr/bin/mpirun"):
        for one in reported(bench, "why", "--json", package, image)["packages"]:
            assert one["chains"], package


@pytest.mark.slow
def test_a_difference_is_reported_and_is_status_1(bench: Bench, image: str, changed: str) -> None:
    done = bench.run("images", "diff", "--json", image, changed)
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said["packages"] == []
    assert {"name": "variable ADDED", "old": "", "new": "yes"} in said["settings"]
    files = {path: what for group in said["files"] for path, what in group["files"]}
    assert files == {"/opt/new": "added", "/etc/shells": "changed"}
    assert "in /opt: 1 added" in bench.run("images", "diff", image, changed).stdout


def test_an_image_does_not_differ_from_itself(bench: Bench, image: str) -> None:
    assert bench.ok("images", "diff", image, image).stdout.splitlines()[-1] == "the same image"


def test_documents_are_valid_and_the_same_each_time(
    bench: Bench, image: str, row: FrameworkRow, tmp_path: Path
) -> None:
    spdx = bench.ok("images", "sbom", image).stdout
    assert spdx == bench.ok("images", "sbom", image).stdout
    (tmp_path / "x.spdx.json").write_text(spdx, "utf-8")
    assert validate_full_spdx_document(parse_file(str(tmp_path / "x.spdx.json"))) == []
    cyclonedx = bench.ok("images", "sbom", "--form", "cyclonedx", image).stdout
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(cyclonedx) is None
    lock = read_lock(row.recipe.lock)
    sums = {one["checksumValue"] for package in json.loads(spdx)["packages"] for one in package.get("checksums", ())}
    assert {pin.sha256 for pin in (*lock.debs, *lock.wheels)} <= sums


def test_provenance_names_the_image_id_and_every_locked_file(bench: Bench, image: str, row: FrameworkRow) -> None:
    said = reported(bench, "provenance", image)
    assert f"sha256:{said['subject'][0]['digest']['sha256']}" == image_id(image)
    resolved = {one["digest"]["sha256"] for one in said["predicate"]["buildDefinition"]["resolvedDependencies"]}
    lock = read_lock(row.recipe.lock)
    assert resolved == {lock.template, *(pin.sha256 for pin in (*lock.debs, *lock.wheels))}


def test_an_image_that_is_not_here_gets_the_nearest_as_a_hint(bench: Bench, image: str) -> None:
    done = bench.run("images", "show", image[1:])
    assert done.returncode == 3
    assert f"did you mean {image}?" in done.stderr


@pytest.fixture
def tampered(bench: Bench, image: str, tmp_path: Path) -> Iterator[str]:
    """The image that mounts buckets, with one file changed by another hand."""
    ours = json.loads(bench.ok("build", "--json", MANIFEST).stdout)["buckets_image"]["reference"]
    name = "toolkit-test-tampered:1"
    (tmp_path / "Dockerfile").write_text(f"FROM {ours}\nCOPY lock.yml /usr/share/toolkit/lock.yml\n")
    (tmp_path / "lock.yml").write_text("# nothing is locked\n")
    subprocess.run(["docker", "build", "--quiet", "--tag", name, tmp_path], check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "image", "rm", name], check=True, capture_output=True)


@pytest.mark.slow
def test_verify_names_the_file_that_another_hand_changed(bench: Bench, tampered: str) -> None:
    done = bench.run("images", "verify", "--json", tampered, timeout=300)
    said = json.loads(done.stdout)
    assert (done.returncode, said["same"]) == (3, False)
    (found,) = [one for one in said["differences"] if one["path"] == "/usr/share/toolkit/lock.yml"]
    assert (found["kinds"][0], found["instruction"]) == (
        "content",
        "toolkit image: toolkit-buckets: COPY lock.yml /usr/share/toolkit/lock.yml",
    )
    assert "/usr/share/toolkit/lock.yml: content" in done.stderr
    assert not any(name.startswith("toolkit-verify-") for name in references())


def references() -> list[str]:
    argv = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
