"""What a row promises of its image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.catalogue.model import FrameworkRow, Native, Recipe, RegistryBase, SiteBundle, Tree
from toolkit.catalogue.reader import read_frameworks
from toolkit.errors import Code, ToolkitError
from toolkit.paths import assets
from toolkit.validation.expectations import expectation
from toolkit.validation.model import Expectation

RECIPE = Recipe("x", "x", RegistryBase("x@sha256:0"), Path("t"), Path("l"), (), "", "3.11")
ROW = FrameworkRow("tensorflow", "2.19", "3.11", "cpu", RECIPE)


@pytest.mark.parametrize(
    ("framework", "recipe", "expected"),
    [
        ("tensorflow", RECIPE, Expectation("tensorflow", "2.19", "3.11")),
        (
            "tensorflow-ddl",
            replace(RECIPE, trees=(Tree(Path("ddl"), "/opt/ddl/ddl"),)),
            Expectation("tensorflow", "2.19", "3.11", has_ddl=True),
        ),
        (
            "tensorflow",
            replace(RECIPE, trees=(Tree(Path("x"), "/opt/ddlrun"),)),
            Expectation("tensorflow", "2.19", "3.11"),
        ),
        (
            "tensorflow",
            replace(RECIPE, requirements=("tensorflow[and-cuda]==2.19.1", "mpi4py==4.1.2")),
            Expectation("tensorflow", "2.19", "3.11", has_mpi4py=True),
        ),
        ("tensorflow", replace(RECIPE, requirements=("mpi4py-fft==2",)), Expectation("tensorflow", "2.19", "3.11")),
        (
            "tensorflow",
            replace(RECIPE, architectures=("sm_60",)),
            Expectation("tensorflow", "2.19", "3.11", architectures=("sm_60",)),
        ),
        (
            "tensorflow-ddl",
            replace(RECIPE, native=Native(Path("native"), "/opt/ddl/lib", RECIPE)),
            Expectation("tensorflow", "2.19", "3.11", has_ops=True),
        ),
        (
            "tensorflow-ddl",
            replace(RECIPE, native=Native(Path("native"), "/opt/ddl/lib", RECIPE), bundle=SiteBundle("cuda")),
            Expectation(
                "tensorflow",
                "2.19",
                "3.11",
                has_ops=True,
                library_path="/opt/ddl/lib:/usr/local/cuda/lib64:/usr/local/cuda/lib64/stubs",
            ),
        ),
        ("pytorch", RECIPE, Expectation("torch", "2.19", "3.11")),
    ],
)
def test_a_row_says_what_its_image_must_do(framework: str, recipe: Recipe, expected: Expectation) -> None:
    assert expectation(replace(ROW, framework=framework, recipe=recipe)) == expected


@pytest.mark.parametrize("architecture", ["60", "compute_60", "sm_", "sm_6", "SM_60", "sm_60 "])
def test_a_gpu_that_no_one_knows_is_refused(architecture: str) -> None:
    with pytest.raises(ToolkitError) as raised:
        expectation(replace(ROW, recipe=replace(RECIPE, architectures=(architecture,))))
    assert raised.value.code is Code.IMAGE
    assert f"`{architecture}`" in str(raised.value)


def test_the_catalogues_cuda_images_must_serve_what_they_name() -> None:
    rows = read_frameworks(assets() / "images", assets() / "templates")
    found = {row.recipe.name: expectation(row) for row in rows}
    assert {name for name, one in found.items() if one.architectures} == {name for name in found if "cuda" in name}
    assert {one.framework for one in found.values()} == {"tensorflow"}
    assert all(one.python and one.version for one in found.values())
