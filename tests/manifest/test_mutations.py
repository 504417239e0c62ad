"""Whatever a file holds, it is a manifest or a list of problems with their places: never a traceback.

`tox -e quick` tries 2,000 files, `tox -e fuzz` ten times as many (TOOLKIT_FUZZ_CASES).
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.manifest.model import Manifest
from toolkit.manifest.reader import read_manifest
from toolkit.manifest.write import canonical_text
from toolkit.paths import assets

EXAMPLE = yaml.safe_load((assets() / "examples" / "mnist" / "manifest.yml").read_text())
TEXTS = [file.read_text() for file in sorted((Path(__file__).parent / "corpus" / "good").glob("*.yml"))]
WHOLE = [yaml.safe_load(text) for text in TEXTS]
CASES = int(os.environ.get("TOOLKIT_FUZZ_CASES", "2000"))
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.binary(max_size=9)
)
WORDS = st.sampled_from(
    [
        "s3",
        "path",
        "nfs",
        "all",
        "one",
        "<key>",
        "${env:X}",
        "${chain}",
        "..",
        "a;b",
        "$(x)",
        "8g",
        "24GB",
        "12h",
        "no",
        "~s3",
    ]
)
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS | WORDS, inner, max_size=3),
    max_leaves=6,
)
YAML_TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("{}[]:-&*!|>'\"%@`#\n\t ,?~=<"), max_size=80
)
PIECES = st.sampled_from(
    [
        "\n",
        "  ",
        "\t",
        ": ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "<<: ",
        "!!int ",
        "'",
        '"',
        "#",
        "|\n",
        "---\n",
        "\x00",
        "\ufeff",
    ]
)


def cases(share: float) -> Any:
    """So many of all the cases; how long each takes is measured by benchmarks/manifest.py."""
    return settings(max_examples=int(CASES * share), deadline=None, suppress_health_check=list(HealthCheck))


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    below = [place for key, value in pairs for place in places(value, (*path, key))]
    return [path, *below] if path else below


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("manifests") / "manifest.yml"


def reads_or_points(file: Path) -> None:
    """A manifest, whose canonical form is the same manifest; or problems, each with its place but for whole files'."""
    try:
        manifest = read_manifest(file)
    except ToolkitError as error:
        assert error.code.label == "C101"
        assert str(error)
        for problem in error.problems:
            assert problem.what.startswith("and ") or (problem.place and problem.place.line > 0), problem
        return
    assert isinstance(manifest, Manifest)
    text = canonical_text(manifest)
    file.write_text(text, encoding="utf-8")
    assert canonical_text(read_manifest(file)) == text


@pytest.mark.parametrize(
    "value",
    [
        "2024-13-45",
        "2024-01-01T99:99:99",
        "=",
        "0b_",
        "9" * 5000,
        "!!int x",
        "!!int ''",
        "!!float ''",
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


@cases(0.4)
@given(st.sampled_from(WHOLE), st.data(), VALUES, st.sampled_from(["replace", "delete", "add"]), SCALARS | WORDS)
def test_a_manifest_with_another_value_is_read_or_refused(
    file: Path, good: Any, data: st.DataObject, value: Any, how: str, name: Any
) -> None:
    whole = copy.deepcopy(good)
    *path, last = data.draw(st.sampled_from(places(whole)))
    holder = whole
    for step in path:
        holder = holder[step]
    if how == "delete":
        del holder[last]
    elif how == "add" and isinstance(holder, dict):
        holder[name] = value
    else:
        holder[last] = value
    file.write_text(yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8")
    reads_or_points(file)


@cases(0.3)
@given(st.sampled_from(TEXTS), st.integers(0, 3000), st.integers(0, 40), PIECES | st.text(max_size=6))
def test_a_manifest_with_other_letters_is_read_or_refused(
    file: Path, text: str, start: int, length: int, piece: str
) -> None:
    at = start % len(text)
    changed = text[:at] + piece + text[at + length :]
    file.write_text(changed, encoding="utf-8", errors="replace")
    reads_or_points(file)


@cases(0.1)
@given(VALUES)
def test_any_yaml_is_read_or_refused(file: Path, value: Any) -> None:
    file.write_text(yaml.safe_dump({"model_definition": value, "training_data": value}), encoding="utf-8")
    reads_or_points(file)


@cases(0.1)
@given(YAML_TEXT)
def test_any_text_is_read_or_refused(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    reads_or_points(file)


@cases(0.1)
@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    reads_or_points(file)
