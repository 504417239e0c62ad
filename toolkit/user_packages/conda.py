"""Conda's `environment.yml`: its pip section is read as pip's own lines; what conda would install is reported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from toolkit.errors import Code, Place
from toolkit.plural import listed
from toolkit.user_packages.model import NOTHING, Asked, ImageFacts
from toolkit.user_packages.requirement import problem, together
from toolkit.user_packages.requirements_txt import read_lines
from toolkit.user_packages.text import UnreadableError, read_text, read_whole
from toolkit.yaml.source import read_source

_MOST_VALUES = 20_000
_LARGEST = 1 << 20
_MOST_NAMED = 8
_PIP = re.compile(r"(?:[^\s:]+::)?pip\b(?!-)")


def asks(file: Path, code: Path) -> bool:
    """Whether it is a conda environment; a file that cannot be read may be one."""
    try:
        return "dependencies" in read_text(file, code)
    except UnreadableError:
        return True


def read_conda(file: Path, code: Path, image: ImageFacts) -> Asked:
    """The requirements of the environment's pip section; raises `ToolkitError` (C102) if the file is not YAML."""
    read_whole(file, code)
    root = read_source(file, Code.CODE, limit=_LARGEST, values=_MOST_VALUES).root
    dependencies = next((value for key, value in _pairs(root) if key == "dependencies"), None)
    parts = [part for one in _items(dependencies) for part in _pairs(one)]  # `pip`, and what other tools would install
    of_pip = [part for name, part in parts if name == "pip"]
    of_conda = [text for _, text in _texts(dependencies) if not _PIP.match(text)]
    of_conda += [f"those of `{name}`" for name, _ in parts if name != "pip"]
    found = read_lines([line for one in of_pip for line in _texts(one)], file, code, image)
    found += together([_no_list(one, file) for one in (dependencies, *of_pip)])
    found += together([_no_text(one, file) for part in of_pip for one in _items(part)])
    found += together([_no_text(one, file) for one in _items(dependencies) if not isinstance(one, yaml.MappingNode)])
    if of_conda:
        some = listed(of_conda, _MOST_NAMED)
        found += Asked(notes=(f"{file.name}: only its pip part is read; conda packages are not installed: {some}",))
    return found


def _items(node: yaml.Node | None) -> Iterator[yaml.Node]:
    yield from node.value if isinstance(node, yaml.SequenceNode) else ()


def _texts(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """The strings of a list, with their lines."""
    for one in _items(node):
        if isinstance(one, yaml.ScalarNode):
            yield one.start_mark.line + 1, one.value


def _pairs(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    return [(str(key.value), value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _no_list(node: yaml.Node | None, file: Path) -> Asked:
    """A problem if the packages are not a list; an empty section is an empty list."""
    if node is None or isinstance(node, yaml.SequenceNode) or not node.value:
        return NOTHING
    return problem("expected a list: one package per line, after `- `", _place(node, file))


def _no_text(node: yaml.Node, file: Path) -> Asked:
    if isinstance(node, yaml.ScalarNode):
        return NOTHING
    return problem("expected a package as one line of text", _place(node, file))


def _place(node: yaml.Node, file: Path) -> Place:
    return Place(str(file), node.start_mark.line + 1, node.start_mark.column + 1)
