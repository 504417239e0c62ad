"""Whatever a file holds, it is a manifest or a list of problems: never a traceback."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.places import house

EXAMPLE = yaml.safe_load((house() / "examples" / "mnist" / "manifest.yml").read_text())
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.binary(max_size=9)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3), max_leaves=6
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = (
        [place for key, value in node.items() for place in places(value, (*path, key))]
        if isinstance(node, dict)
        else []
    )
    return [path, *below] if path else below


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("manifests") / "manifest.yml"


def reads_or_points(file: Path) -> None:
    try:
        assert isinstance(read_manifest(file), Manifest)
    except ToolkitError as error:
        assert error.code.label == "C101"
        assert str(error)


@pytest.mark.parametrize(
    "value",
    [
        "2024-13-45",
        "2024-01-01T99:99:99",
        "=",
        "0b_",
        "9" * 5000,
        "!!int x",
        "!!float x",
        "!!bool x",
        "!!timestamp x",
        "!!binary é",
        "!!str [a]",
        "!!map x",
        "!!omap [a]",
        "!unknown x",
        "!!python/object:os.system x",
        "{<<: 3}",
        "{!!int x: 1}",
    ],
)
def test_what_yaml_itself_cannot_turn_into_a_value_is_refused_with_its_place(file: Path, value: str) -> None:
    text = yaml.safe_dump(EXAMPLE, sort_keys=False).replace("nodes: 2", f"nodes: {value}")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ToolkitError) as caught:
        read_manifest(file)
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "nodes:" in line)
    assert f"{file}:{line}:" in str(caught.value)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(places(EXAMPLE)), VALUES, st.sampled_from(["replace", "delete", "add"]), SCALARS)
def test_a_mutated_manifest_is_read_or_refused(file: Path, place: tuple, value: Any, how: str, name: Any) -> None:
    data = copy.deepcopy(EXAMPLE)
    holder = data
    for step in place[:-1]:
        holder = holder[step]
    if how == "delete":
        del holder[place[-1]]
    else:
        holder[place[-1] if how == "replace" else name] = value
    file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    reads_or_points(file)


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("{}[]:-&*!|>'\"%@`#\n\t ,?"), max_size=80))
def test_any_text_is_read_or_refused(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    reads_or_points(file)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    reads_or_points(file)
