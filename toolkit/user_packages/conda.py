"""Conda's `environment.yml`: its pip part is read as pip's own lines; what conda itself would install is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from toolkit.errors import Code
from toolkit.user_packages.model import Asked, ImageFacts
from toolkit.user_packages.requirements_txt import Project, read_lines
from toolkit.user_packages.text import UnreadableError, read_text, unreadable
from toolkit.yaml.source import read_source

FILES = ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml")
_MOST_VALUES = 20_000
_LARGEST = 1 << 20
_MOST_NAMED = 8


def asks(file: Path, code: Path) -> bool:
    """Whether it is an environment of conda's at all; a file that cannot be read may be one."""
    try:
        return "dependencies" in read_text(file, code)
    except UnreadableError:
        return True


def read_conda(file: Path, code: Path, image: ImageFacts, project: Project) -> Asked:
    """What the environment's pip part asks for; raises `ToolkitError` (C102) where the file is no YAML."""
    try:
        read_text(file, code)
    except UnreadableError as error:
        raise unreadable(file, error) from None
    root = read_source(file, Code.CODE, limit=_LARGEST, values=_MOST_VALUES).root
    entries = list(_items(_value(root, "dependencies")))
    of_pip = [line for one in entries for line in _texts(_value(one, "pip"))]
    of_conda = [text for _, text in _texts(_value(root, "dependencies")) if not _is_pip(text)]
    found = read_lines(of_pip, file, code, image, project)
    if of_conda:
        more = f" and {len(of_conda) - _MOST_NAMED} more" if len(of_conda) > _MOST_NAMED else ""
        some = ", ".join(of_conda[:_MOST_NAMED]) + more
        found += Asked(notes=(f"{file.name}: its pip part alone is read; conda's packages are not installed: {some}",))
    return found


def _value(node: yaml.Node, name: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == name), None)


def _items(node: yaml.Node | None) -> Iterator[yaml.Node]:
    yield from node.value if isinstance(node, yaml.SequenceNode) else ()


def _texts(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """The texts of a list with their lines."""
    for one in _items(node):
        if isinstance(one, yaml.ScalarNode):
            yield one.start_mark.line + 1, one.value


def _is_pip(text: str) -> bool:
    return text.replace("=", " ").split()[:1] == ["pip"]
