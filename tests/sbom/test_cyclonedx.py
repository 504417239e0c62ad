"""CycloneDX 1.6, checked against its own schema."""

from __future__ import annotations

import json
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from toolkit.sbom.cyclonedx import cyclonedx_document
from toolkit.sbom.subject import Subject

from .conftest import DEB_SHA, IMAGE, SITE, subject_of


def components(subject: Subject) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads(cyclonedx_document(subject))["components"]}


def test_the_document_is_valid(subject: Subject) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(cyclonedx_document(subject)) is None


def test_equal_images_give_equal_bytes() -> None:
    assert cyclonedx_document(subject_of()) == cyclonedx_document(subject_of())


def test_it_is_about_the_image_and_has_its_time(subject: Subject) -> None:
    metadata = json.loads(cyclonedx_document(subject))["metadata"]
    assert metadata["timestamp"].startswith("2020-01-01T00:00:00")
    assert metadata["component"]["bom-ref"] == IMAGE.image_id
    assert metadata["component"]["version"] == "0123456789ab"


def test_a_component_has_its_hash_url_and_licence(subject: Subject) -> None:
    found = components(subject)
    assert found["libc6"]["hashes"] == [{"alg": "SHA-256", "content": DEB_SHA}]
    assert found["libc6"]["purl"] == "pkg:deb/debian/libc6@2.36-9?arch=amd64"
    assert found["keras"]["licenses"] == [{"expression": "Apache-2.0", "acknowledgement": "declared"}]
    named = [one["license"]["name"] for one in found["libc6"]["licenses"]]
    assert sorted(named) == ["LGPL-2.1+", "public-domain"]
    assert "licenses" not in found["netbase"]
    assert found["/opt/ddl"]["type"] == "file"


def test_what_a_package_carries_is_inside_it(subject: Subject) -> None:
    found = components(subject)
    assert [one["name"] for one in found["numpy"]["components"]] == ["six"]
    assert "six" not in found


def test_dependencies_begin_at_the_image(subject: Subject) -> None:
    asks = {one["ref"]: one.get("dependsOn", []) for one in json.loads(cyclonedx_document(subject))["dependencies"]}
    assert f"python:keras:{SITE}" in asks[IMAGE.image_id]
    assert f"python:numpy:{SITE}" not in asks[IMAGE.image_id]
    assert asks[f"python:keras:{SITE}"] == [f"python:numpy:{SITE}"]
