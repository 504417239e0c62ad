"""What pip leaves behind."""

from __future__ import annotations

from email.parser import HeaderParser

import pytest

from toolkit.inventory.model import UNNAMED_LICENCE, Contents, Need
from toolkit.inventory.python import declared_licences, needs

from .conftest import SITE


def test_needs_are_those_of_the_images_own_python_and_machine() -> None:
    lines = [
        'a; python_version < "3.8"',
        'b[x]>=1; sys_platform == "linux" and platform_machine == "x86_64"',
        'C_c; extra == "gpu"',
        'd; extra == "gpu" and python_version < "3"',
        "e",
        "not a requirement!",
    ]
    assert list(needs(lines, "3.11")) == [Need(("b",), ("x",)), Need(("c-c",), (), "gpu"), Need(("e",))]
    assert Need(("a",)) in list(needs(lines, "2.7"))


def test_a_name_is_normalised_and_its_needs_are_read(contents: Contents) -> None:
    keras = contents.by_key[f"python:keras:/{SITE}"]
    assert (keras.name, keras.needs) == ("keras", (Need(("rich",)), Need(("extra-thing",), ("fast",), "more")))


def test_a_program_outside_the_packages_folder_is_its_file(contents: Contents) -> None:
    assert contents.owners["/opt/venv/bin/rich"].name == "rich"


@pytest.mark.parametrize(
    ("lines", "declared"),
    [
        (["License-Expression: MIT", "License: BSD", "Classifier: License :: X"], ("MIT",)),
        (["License: BSD", "Classifier: License :: X"], ("BSD", "License :: X")),
        (["License: UNKNOWN", "Classifier: Topic :: Y"], ()),
        (["License: Copyright (c) 2005", " All rights reserved."], (UNNAMED_LICENCE,)),
        (["License: Copyright (c) 2005", " All.", "Classifier: License :: X"], ("License :: X",)),
        ([], ()),
    ],
)
def test_what_is_declared_as_licence(lines: list[str], declared: tuple[str, ...]) -> None:
    assert declared_licences(HeaderParser().parsestr("\n".join(lines))) == declared
