"""The variables of `--deterministic`: the framework's, and never in the place of the manifest's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.catalogue.model import Framework
from toolkit.manifest.deterministic import VARIABLES, deterministic
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.paths import assets

EXAMPLE = read_manifest(assets() / "examples" / "mnist" / "manifest.yml")


def of(framework: str, **environment: str) -> Manifest:
    return replace(EXAMPLE, framework=Framework(framework, "1", "3.11"), environment=tuple(environment.items()))


@pytest.mark.parametrize(
    ("framework", "expected"),
    [
        ("tensorflow", VARIABLES["tensorflow"]),
        ("tensorflow-ddl", VARIABLES["tensorflow"]),
        ("pytorch", VARIABLES["pytorch"]),
        ("another", {"PYTHONHASHSEED": "0"}),
    ],
)
def test_each_framework_gets_its_variables(framework: str, expected: dict[str, str]) -> None:
    assert dict(deterministic(of(framework)).environment) == dict(expected)


def test_what_the_manifest_sets_stays_and_nothing_else_changes() -> None:
    given = of("tensorflow", TF_DETERMINISTIC_OPS="0", SEED="3")
    found = deterministic(given)
    assert dict(found.environment) == {**VARIABLES["tensorflow"], "TF_DETERMINISTIC_OPS": "0", "SEED": "3"}
    assert replace(found, environment=given.environment) == given
    assert deterministic(found) == found
