"""Files of other tools may hold anything: they are read, or reported; nothing breaks."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.user_packages.formats import read_asked
from toolkit.user_packages.model import Asked

from .images import IMAGE, write

NAMES = st.sampled_from(
    [
        *("project", "name", "dependencies", "optional-dependencies", "dynamic", "requires-python", "tool", "poetry"),
        *("group", "dev", "extras", "python", "version", "markers", "git", "source", "uv", "sources", "toolkit"),
        *("groups", "dependency-groups", "include-group", "package", "packages", "wheels", "sdist", "hashes", "files"),
        *(
            "metadata",
            "resolution-markers",
            "marker",
            "dev-packages",
            "requires",
            "default",
            "pip",
            "index",
            "dev-dependencies",
        ),
    ]
)
TEXTS = st.sampled_from(
    [
        *("", "*", "^1.2", "six", "six==1", "six[x]", "a b", "^1||^2", ">=3", ">=3.*", "sha256:" + "0" * 64),
        *("python_version > '3'", "os_name ~= 'x'", "'x' in extras", "six; os_name ~= 'x'", "six; 'x' in extras"),
    ]
)
VALUES = st.recursive(
    TEXTS | st.integers(0, 3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)

TABLES = st.dictionaries(NAMES, VALUES, max_size=3)
ROWS = st.lists(
    st.fixed_dictionaries({"name": TEXTS, "version": TEXTS}, optional={"source": VALUES}).flatmap(
        lambda row: TABLES.map(lambda more: {**more, **row})
    ),
    max_size=3,
)
DEEP = st.fixed_dictionaries(
    {},
    optional={
        "project": TABLES,
        "tool": st.fixed_dictionaries({}, optional={"poetry": TABLES, "uv": TABLES, "toolkit": TABLES}),
        "dependency-groups": TABLES,
        "packages": ROWS | TABLES,
        "package": ROWS,
        "default": TABLES,
        "dependencies": ROWS | TABLES,
    },
)
"""As the tools have it, down to where the values begin."""


def toml(value: Any) -> str:
    """`value` as TOML writes it in a line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


@pytest.mark.parametrize(
    ("file", "beside"),
    [
        ("pyproject.toml", {}),
        ("Pipfile", {}),
        ("uv.lock", {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["six"]\n'}),
        ("poetry.lock", {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["six"]\n'}),
        ("pylock.toml", {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["six"]\n'}),
        ("Pipfile.lock", {"Pipfile": '[packages]\nsix = "*"\n'}),
        ("environment.yml", {}),
    ],
)
@settings(deadline=None, max_examples=100)
@given(values=st.dictionaries(NAMES, VALUES, max_size=4) | DEEP)
def test_any_values_are_read_or_reported(file: str, beside: dict[str, str], values: dict[str, Any]) -> None:
    as_json = file in ("Pipfile.lock", "environment.yml")
    text = json.dumps(values) if as_json else "".join(f"{name} = {toml(one)}\n" for name, one in values.items())
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {**beside, file: text})
        try:
            assert isinstance(read_asked(Path(folder), IMAGE), Asked)
        except ToolkitError as error:
            assert error.code.label == "C102"
