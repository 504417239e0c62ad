"""Two builds that are not the same: which file, how, and what made it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.image.config import ImageConfig
from toolkit.image.stages import Stage
from toolkit.image.store import StoredImage
from toolkit.image.tree_facts import FileFacts
from toolkit.image.verify import Difference, config_differences, differences, instruction_of

FILE = FileFacts("0", 0o644, (0, 0), 1577836800, "", "aa", ())
ENVIRONMENT = Stage(
    "environment:1", "base:1", "FROM base:1\nCOPY wheels /wheels\nRUN pip install\n", (), ("/opt/venv",), "environment"
)
TOP = Stage(
    "image:1",
    "environment:1",
    "FROM environment:1\nCOPY trees/0 /opt/ddl\nCOPY lock.yml /usr/share/toolkit/lock.yml\nUSER 1000\n",
    (),
    ("/opt/ddl", "/usr/share/toolkit/lock.yml"),
    "image",
)
STAGES = (ENVIRONMENT, TOP)


def test_equal_trees_do_not_differ() -> None:
    assert list(differences({"a": FILE}, {"a": FILE}, STAGES)) == []


def test_a_file_of_one_build_alone_is_named() -> None:
    assert list(differences({"opt/venv/a": FILE}, {"etc/b": FILE}, STAGES)) == [
        Difference("/etc/b", ("only in the second build",), "base: mmdebstrap, from the locked packages"),
        Difference("/opt/venv/a", ("missing in the second build",), "environment: RUN pip install"),
    ]


@pytest.mark.parametrize(
    ("other", "kinds"),
    [
        (replace(FILE, content="bb"), ("content",)),
        (replace(FILE, mode=0o755), ("mode 644, in the second build 755",)),
        (replace(FILE, owner=(1000, 1000)), ("owner (0, 0), in the second build (1000, 1000)",)),
        (replace(FILE, time=0), ("time 1577836800, in the second build 0",)),
        (replace(FILE, kind="2", link="x"), ("another kind of file", "link to , in the second build to x")),
        (replace(FILE, attributes=(("SCHILY.xattr.user.a", "1"),)), ("extended attributes",)),
        (replace(FILE, content="bb", time=0), ("content", "time 1577836800, in the second build 0")),
    ],
)
def test_each_kind_of_difference_has_its_words(other: FileFacts, kinds: tuple[str, ...]) -> None:
    (found,) = differences({"etc/a": FILE}, {"etc/a": other}, STAGES)
    assert found.kinds == kinds


@pytest.mark.parametrize(
    ("path", "instruction"),
    [
        ("/opt/ddl/ddl.py", "image: COPY trees/0 /opt/ddl"),
        ("/usr/share/toolkit/lock.yml", "image: COPY lock.yml /usr/share/toolkit/lock.yml"),
        ("/opt/venv/bin/python", "environment: RUN pip install"),
        ("/opt/venv2/x", "base: mmdebstrap, from the locked packages"),
    ],
)
def test_the_instruction_that_made_a_file(path: str, instruction: str) -> None:
    assert instruction_of(path, STAGES) == instruction


def test_settings_that_differ_are_reported_and_nothing_is_the_same_as_none() -> None:
    one = StoredImage("sha256:a", 1, ImageConfig({"Env": ["A=1"], "Volumes": None}, (), ()))
    other = StoredImage("sha256:b", 1, ImageConfig({"Env": ["A=2"], "Volumes": {}}, (), ()))
    assert list(config_differences(one, other)) == ["configuration Env: ['A=1'], in the second build ['A=2']"]
