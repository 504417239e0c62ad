"""SPDX 2.3, checked by the SPDX project's own tools."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from toolkit.sbom.spdx import spdx_document
from toolkit.sbom.subject import Subject

from .conftest import DEB_SHA, IMAGE, PACKAGES, WHEEL_SHA, subject_of


def packages(subject: Subject) -> dict[str, Any]:
    return {package["name"]: package for package in json.loads(spdx_document(subject))["packages"]}


def test_the_document_is_valid(subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "x.spdx.json").write_text(spdx_document(subject), "utf-8")
    document = parse_file(str(tmp_path / "x.spdx.json"))
    assert validate_full_spdx_document(document) == []
    assert len(document.packages) == 1 + len(subject.contents.packages)


def test_equal_images_give_equal_bytes_and_others_do_not() -> None:
    assert spdx_document(subject_of()) == spdx_document(subject_of())
    other = replace(IMAGE, image_id="sha256:" + "1" * 64)
    namespaces = {json.loads(spdx_document(subject_of(image=one)))["documentNamespace"] for one in (IMAGE, other)}
    assert len(namespaces) == 2


def test_its_time_is_the_images_own(subject: Subject) -> None:
    assert json.loads(spdx_document(subject))["creationInfo"]["created"] == IMAGE.created


def test_a_package_has_the_hash_of_its_download_and_its_url(subject: Subject) -> None:
    found = packages(subject)
    assert found["libc6"]["checksums"] == [{"algorithm": "SHA256", "checksumValue": DEB_SHA}]
    assert found["libc6"]["packageFileName"] == "libc6_2.36-9_amd64.deb"
    assert found["libc6"]["externalRefs"][0]["referenceLocator"] == "pkg:deb/debian/libc6@2.36-9?arch=amd64"
    assert found["keras"]["checksums"][0]["checksumValue"] == WHEEL_SHA
    assert found["keras"]["externalRefs"][0]["referenceLocator"] == "pkg:pypi/keras@3.15.1"
    assert "checksums" not in found["numpy"]
    assert "externalRefs" not in found["/opt/ddl"]


def test_an_image_without_a_lock_has_no_hashes() -> None:
    assert not any(
        "checksums" in entry
        for name, entry in packages(subject_of(lock="")).items()
        if name != "tensorflow-2.19-py3.11-cpu"
    )


def test_licences_are_spdxs_or_the_packages_own_words(subject: Subject) -> None:
    found = packages(subject)
    assert found["keras"]["licenseDeclared"] == "Apache-2.0"
    assert found["netbase"]["licenseDeclared"] == "NOASSERTION"
    own = {one["name"]: one["licenseId"] for one in json.loads(spdx_document(subject))["hasExtractedLicensingInfos"]}
    assert found["libc6"]["licenseDeclared"] == f"LGPL-2.1-or-later AND {own['public-domain']}"


def test_relations_tell_what_depends_on_and_what_carries(subject: Subject) -> None:
    document = json.loads(spdx_document(subject))
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    reported = {
        (names.get(one["spdxElementId"]), one["relationshipType"], names[one["relatedSpdxElement"]])
        for one in document["relationships"]
    }
    assert ("keras", "DEPENDS_ON", "numpy") in reported
    assert ("numpy", "CONTAINS", "six") in reported
    assert (None, "DESCRIBES", "tensorflow-2.19-py3.11-cpu") in reported
    assert ("tensorflow-2.19-py3.11-cpu", "CONTAINS", "libc6") in reported
    assert ("tensorflow-2.19-py3.11-cpu", "CONTAINS", "six") not in reported


def test_names_that_differ_in_odd_signs_keep_different_ids(tmp_path: Path) -> None:
    odd = (replace(PACKAGES[0], name="a+b"), replace(PACKAGES[0], name="a_b"))
    document = json.loads(spdx_document(subject_of(odd)))
    ids = [package["SPDXID"] for package in document["packages"]]
    assert len(set(ids)) == len(ids) == 4
