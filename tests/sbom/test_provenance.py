"""Provenance: an in-toto statement about one image."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toolkit.sbom.provenance import BuildRun, provenance, read_run
from toolkit.sbom.subject import Subject

from .conftest import DEB_SHA, IMAGE, RECIPE, WHEEL_SHA, subject_of

RUN = BuildRun("build-1", "2026-03-04T05:06:07Z", "2026-03-04T05:16:07Z", "20.10.24", "0.1.0")


def statement(subject: Subject, run: BuildRun | None = None) -> Any:
    return json.loads(provenance(subject.image, subject.downloads.lock, subject.distribution, run))


def test_it_is_about_the_image_id(subject: Subject) -> None:
    said = statement(subject)
    assert (said["_type"], said["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert said["subject"] == [{"name": IMAGE.reference, "digest": {"sha256": "0123456789abcdef" * 4}}]


def test_every_file_that_went_in_is_there_with_its_hash(subject: Subject) -> None:
    assert statement(subject)["predicate"]["buildDefinition"]["resolvedDependencies"] == [
        {"name": "template", "digest": {"sha256": "b" * 64}},
        {
            "name": "libc6_2.36-9_amd64.deb",
            "uri": "pkg:deb/debian/libc6@2.36-9?arch=amd64",
            "digest": {"sha256": DEB_SHA},
            "annotations": {"archive": "debian", "path": "pool/libc6_2.36-9_amd64.deb"},
        },
        {"name": "keras-3.15.1-py3-none-any.whl", "uri": "pkg:pypi/keras@3.15.1", "digest": {"sha256": WHEEL_SHA}},
    ]


def test_parameters_are_what_was_asked_for(subject: Subject) -> None:
    definition = statement(subject)["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {
        "combination": "tensorflow-2.19-py3.11-cpu",
        "recipe": json.loads(RECIPE),
    }
    assert definition["internalParameters"]["inputs"] == {"below": "1234", "/opt/ddl/a.py": "5678"}


def test_times_are_there_only_where_they_are_given(subject: Subject) -> None:
    with_times, without = statement(subject, RUN)["predicate"], statement(subject)["predicate"]
    assert with_times["runDetails"]["metadata"] == {
        "invocationId": "build-1",
        "startedOn": RUN.started,
        "finishedOn": RUN.finished,
    }
    assert with_times["runDetails"]["builder"]["version"] == {"toolkit": "0.1.0", "engine": "20.10.24"}
    assert "metadata" not in without["runDetails"]
    assert with_times["buildDefinition"] == without["buildDefinition"]


def test_the_run_can_be_read_back(subject: Subject) -> None:
    lock = subject.downloads.lock
    assert read_run(provenance(IMAGE, lock, "debian", RUN)) == RUN
    assert read_run(provenance(IMAGE, lock, "debian")) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"predicate": 1}', "null"])
def test_what_is_no_statement_has_no_run(text: str) -> None:
    assert read_run(text) is None


def test_without_a_lock_nothing_is_claimed_to_be_resolved() -> None:
    assert statement(subject_of(lock=""))["predicate"]["buildDefinition"]["resolvedDependencies"] == []
