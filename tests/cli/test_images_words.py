"""`toolkit images …`: its words, and what it tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.api.images import only_image
from toolkit.cli.images import show_lines
from toolkit.cli.images_compare import diff_lines, why_lines
from toolkit.cli.main import parser
from toolkit.errors import ToolkitError
from toolkit.image import labels as label
from toolkit.inventory.difference import ADDED, CHANGED, Difference, FileGroup, PackageChange, SettingChange
from toolkit.inventory.images import EngineImage, LayerSize
from toolkit.inventory.model import Contents, Distribution, Package
from toolkit.inventory.why import Chain, Link

KERAS = Package("python", "keras", "3.15.1", place="/site", size=1500)
CONTENTS = Contents({}, (KERAS, Package("deb", "libc6", "2.36", "amd64")), Distribution("debian", "12", "Debian 12"))


def image(name: str, python: str = "3.11") -> EngineImage:
    recipe = f'{{"python":"{python}","requirements":["keras==3.15.1"]}}'
    labels = {
        label.INPUTS_SHA256: "x",
        label.RECIPE: recipe,
        label.COMBINATION: name,
        label.TITLE: "T",
    }
    return EngineImage("sha256:" + "a" * 64, (f"{name}:1",), 2000, "2020-01-01T00:00:00Z", labels)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["list"], {"act": "list", "json": False}),
        (["show", "REF", "--json"], {"act": "show", "reference": "REF", "json": True}),
        (["diff", "A", "B"], {"act": "diff", "old": "A", "new": "B"}),
        (["why", "P"], {"act": "why", "package": "P", "reference": None}),
        (["why", "P", "REF"], {"package": "P", "reference": "REF"}),
        (["sbom", "REF"], {"form": "spdx", "output": None}),
        (["sbom", "REF", "--form", "cyclonedx", "-o", "F"], {"form": "cyclonedx", "output": "F"}),
        (["licences", "REF"], {"act": "licences"}),
        (["provenance", "REF", "-o", "F"], {"act": "provenance", "output": "F"}),
        (["verify", "REF"], {"act": "verify", "reference": "REF", "builder": "classic"}),
    ],
)
def test_words_are_read_as_what_they_mean(words: list[str], values: dict[str, object]) -> None:
    read = vars(parser().parse_args(["images", *words]))
    assert {name: read[name] for name in values} == values
    assert read["verb"] == "images"


@pytest.mark.parametrize(
    "words", [[], ["show"], ["diff", "A"], ["why"], ["sbom", "REF", "--form", "x"], ["remove", "A"]]
)
def test_words_that_are_no_act_are_bad_input(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(["images", *words])
    assert caught.value.code == 2
    assert "usage: toolkit images" in capsys.readouterr().err


def test_an_image_is_reported_line_by_line() -> None:
    assert list(show_lines(image("tf"), CONTENTS, (LayerSize("base", 1200), LayerSize("wheels", 800)))) == [
        ("image", "tf:1"),
        ("id", "sha256:" + "a" * 64),
        ("size", "2.0 kB"),
        ("recipe", "tf: T"),
        ("base", "Debian 12"),
        ("python", "3.11"),
        ("requested", "keras==3.15.1 (Python)"),
        ("packages", "1 deb, 1 Python (1.5 kB)"),
        ("lock", "not readable"),
        ("layers", "  1.2 kB  base"),
        ("", "   800 B  wheels"),
    ]


def test_a_difference_is_reported_in_words() -> None:
    difference = Difference(
        packages=(
            PackageChange("python", "keras", ("3.14",), ("3.15",), -1500),
            PackageChange("python", "six", (), ("1.0",), 10, "rich"),
        ),
        files=(
            FileGroup("deb", "bash", (("/bin/bash", CHANGED),), 0),
            FileGroup("", "/opt", (("/opt/a", ADDED), ("/opt/b", ADDED), ("/opt/c", CHANGED)), 5),
        ),
        settings=(SettingChange("variable A", "", "x" * 100),),
        grown=-1_000_000,
    )
    assert list(diff_lines(difference)) == [
        "packages:",
        "  changed  keras 3.14 → 3.15 (python; -1.5 kB)",
        "  added    six 1.0 (python, inside rich; +10 B)",
        "files:",
        "  of bash (deb): 1 changed (no more, no less)",
        "  in /opt: 2 added, 1 changed (+5 B)",
        "settings:",
        f"  variable A: (not set) → {'x' * 90}…",
        "size: -1.0 MB",
    ]


def test_a_long_list_is_cut_and_says_so() -> None:
    settings = tuple(SettingChange(f"label {number}", "1", "2") for number in range(50))
    lines = list(diff_lines(Difference((), (), settings, 0)))
    assert lines[41] == "  and 10 more: --json lists all"


def test_images_that_differ_in_times_alone_say_so() -> None:
    (line,) = diff_lines(Difference((), (), (), 0))
    assert line.startswith("same packages, files and settings")


def test_chains_are_reported_below_the_package() -> None:
    chain = Chain("requested by the recipe", (Link(replace(KERAS, name="tf"), "gpu"), Link(KERAS)))
    assert list(why_lines(KERAS, [chain])) == [
        "keras 3.15.1 (python, in /site)",
        "  tf[gpu] 3.15.1 (requested by the recipe) → keras 3.15.1",
    ]
    assert list(why_lines(KERAS, [chain] * 14))[-1] == "  and 2 more: --json lists all"
    assert "cycle" in list(why_lines(KERAS, []))[1]


def test_where_no_image_is_named_the_only_one_of_todays_catalogue_is_meant() -> None:
    here = [image("old"), image("new"), image("toolkit-buckets", python="")]
    assert only_image(here, {"new:1", "other:1"}).reference == "new:1"
    assert only_image(here[1:], set()).reference == "new:1"


@pytest.mark.parametrize(("count", "what"), [(0, "no framework image is built here"), (2, "2 images are here")])
def test_where_none_or_several_could_be_meant_it_is_an_error(count: int, what: str) -> None:
    with pytest.raises(ToolkitError, match=what):
        only_image([image(f"i{number}") for number in range(count)], set())
