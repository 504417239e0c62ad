"""The documents as lists and as files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from toolkit.sbom.licence_list import licence_lines, licence_text
from toolkit.sbom.provenance import BuildRun
from toolkit.sbom.subject import Subject
from toolkit.sbom.write import PROVENANCE, sbom_files, sbom_folder, write_sbom_files

from .conftest import IMAGE, subject_of


def test_the_list_has_every_package_and_says_what_is_not_declared(subject: Subject) -> None:
    text = licence_text(licence_lines(subject.contents))
    assert text.splitlines() == [
        "deb     libc6 2.36-9  LGPL-2.1+; public-domain",
        "deb     netbase 6.4   not declared",
        "python  keras 3.15.1  Apache-2.0",
        "python  numpy 2.1.3   (a text without a name)",
        "python  six 1.0       MIT",
        "",
        "5 packages: 2 with an SPDX name, 2 in their own words, 1 not declared",
        "    1  Apache-2.0",
        "    1  MIT",
    ]


def test_an_empty_image_has_an_empty_list() -> None:
    assert licence_text(()).splitlines()[-1] == "0 packages: 0 with an SPDX name, 0 in their own words, 0 not declared"


def test_only_the_provenance_tells_of_the_building() -> None:
    run = BuildRun("1", "2026-03-04T05:06:07Z", "2026-03-04T05:06:08Z", "20.10")
    one, other = sbom_files(subject_of(), run), sbom_files(subject_of())
    assert {name for name in one if one[name] != other[name]} == {PROVENANCE}
    assert not any("2026-03-04" in text for name, text in one.items() if name != PROVENANCE)


def test_what_the_engine_calls_the_image_is_in_no_paper() -> None:
    renamed = replace(IMAGE, references=("mirror.example/x:1",))
    assert sbom_files(subject_of(image=renamed)) == sbom_files(subject_of())


def test_an_image_that_says_nothing_of_itself_is_called_by_its_id(tmp_path: Path) -> None:
    subject = subject_of(image=replace(IMAGE, labels={}))
    assert (subject.name, subject.version) == ("sha256", "0123456789abcdef" * 4)
    write_sbom_files(sbom_files(subject), tmp_path)
    assert validate_full_spdx_document(parse_file(str(tmp_path / "sbom.spdx.json"))) == []


def test_documents_lie_below_the_images_id(subject: Subject, tmp_path: Path) -> None:
    folder = sbom_folder(tmp_path, IMAGE)
    write_sbom_files(sbom_files(subject), folder)
    assert folder == tmp_path / "documents" / ("0123456789abcdef" * 4)
    names = {"sbom.spdx.json", "sbom.cdx.json", "licences.txt", "licences.json", "provenance.json"}
    assert {file.name for file in folder.iterdir()} == names
    assert json.loads((folder / "licences.json").read_text())[2]["spdx"] == "Apache-2.0"


def test_writing_again_replaces(subject: Subject, tmp_path: Path) -> None:
    write_sbom_files({"a": "1"}, tmp_path)
    write_sbom_files({"a": "2"}, tmp_path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a", "2")]
