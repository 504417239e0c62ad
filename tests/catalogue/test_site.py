"""A site's own file: its bundles, and what a row does where it has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.catalogue.model import SiteBundle
from toolkit.catalogue.reader import read_frameworks
from toolkit.catalogue.site import read_site
from toolkit.errors import ToolkitError
from toolkit.image.version import read_inputs
from toolkit.paths import assets

SHA256 = "5" * 64
TEXT = f"bundles:\n  - name: cuda-9.0-cudnn-7\n    file: bundles/cuda.tar\n    sha256: '{SHA256}'\n"
LEGACY = "tensorflow-ddl-1.5-py3.5-cuda"


def test_a_site_without_a_file_has_no_bundles(tmp_path: Path) -> None:
    assert read_site(tmp_path / "site.yml") == {}


def test_a_bundles_file_is_relative_to_the_sites_own(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(TEXT)
    assert read_site(tmp_path / "site.yml") == {
        "cuda-9.0-cudnn-7": SiteBundle("cuda-9.0-cudnn-7", tmp_path / "bundles/cuda.tar", SHA256)
    }


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (TEXT.replace("'5", "'X"), "site.yml:4:13"),
        (TEXT.replace("file:", "path:"), "site.yml:3:5"),
        ("bundles: cuda\n", "site.yml:1:10"),
    ],
)
def test_what_is_wrong_is_pointed_at(tmp_path: Path, wrong: str, where: str) -> None:
    (tmp_path / "site.yml").write_text(wrong)
    with pytest.raises(ToolkitError) as caught:
        read_site(tmp_path / "site.yml")
    assert where in str(caught.value)


def test_a_row_knows_whether_its_bundle_is_here_and_its_version_moves_with_it(tmp_path: Path) -> None:
    def legacy(site: dict[str, SiteBundle]) -> tuple[bool, str]:
        rows = read_frameworks(assets() / "images", assets() / "templates", site)
        (recipe,) = [row.recipe for row in rows if row.recipe.name == LEGACY]
        return recipe.lacks_bundle, read_inputs(recipe).reference

    one, other = (SiteBundle("cuda-9.0-cudnn-7", tmp_path / "x.tar", digit * 64) for digit in "12")
    lacks = [legacy(site)[0] for site in ({}, {one.name: one}, {"another": one})]
    assert lacks == [True, False, True]
    assert legacy({one.name: one})[1] != legacy({other.name: other})[1]
