"""YAML read with its positions, so that an error can point at the line that caused it.

Values are checked by pydantic models; its errors carry a location in the data, which is looked up here among
the nodes that PyYAML composed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from toolkit.errors import Code, Place, Problem, ToolkitError

Model = TypeVar("Model", bound=BaseModel)
Path_ = tuple[str | int, ...]

MAX_BYTES = 1 << 20
"""No manifest, recipe or cluster file that a person writes comes near 1 MiB."""
_PLACEHOLDER = re.compile(r"^\s*<[^<>]+>\s*$")
_SECRET_NAME = re.compile("connection|credential|key|secret|pass|token", re.IGNORECASE)
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")
}
_NODE_OF_TAG = {"tag:yaml.org,2002:map": yaml.MappingNode, "tag:yaml.org,2002:seq": yaml.SequenceNode}
_SHORTEST_SECRET = 4
_ALIASES = "aliases (*name) are not read here: write the value out"


@dataclass(frozen=True)
class Source:
    """A YAML file: its name, its text and the composed node of its one document."""

    file: str
    text: str
    root: yaml.Node

    def problem(self, what: str, path: Path_, *, at_key: bool = False) -> Problem:
        """`what`, placed at the node that `path` leads to, or at the nearest one above it."""
        return self.at(what, self.find(path, at_key=at_key), path)

    def at(self, what: str, node: yaml.Node, path: Path_) -> Problem:
        """`what`, placed at `node`. A key may stand in the file, as in WML's own: it is shown in no error."""
        mark = node.start_mark
        lines = self.text.splitlines()
        secrets = list(_secret_nodes(self.root))
        hidden = any(node.start_mark.line <= mark.line <= node.end_mark.line for node in secrets)
        line = "" if hidden or mark.line >= len(lines) else lines[mark.line]
        for value in {node.value for node in secrets}:
            if len(value) >= _SHORTEST_SECRET and not _PLACEHOLDER.match(value):
                what = what.replace(value, "[redacted]")
        return Problem(what, Place(self.file, mark.line + 1, mark.column + 1), dotted(path), line)

    def find(self, path: Path_, *, at_key: bool = False) -> yaml.Node:
        """The node that `path` leads to, or the nearest one above it; with `at_key`, its name's node."""
        node, found = self.root, self.root
        for step in path:
            if isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in node.value if key.value == str(step)]
                if not pairs:
                    return found
                key, node = pairs[0]
                found = key if at_key or isinstance(node, yaml.MappingNode) else node
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = found = node.value[step]
            else:
                return found
        return found


def dotted(path: Path_) -> str:
    """`("a", 0, "b")` as `a[0].b`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def read_source(file: Path, code: Code = Code.MANIFEST) -> Source:
    """Read and compose `file`; raises `ToolkitError` with `code` where it is missing or is not plain YAML."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ToolkitError(code, f"{file}: larger than {MAX_BYTES >> 20} MiB; is it the right file?")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ToolkitError(code, f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ToolkitError(code, f"{file}: byte {error.start} is not UTF-8 text") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ToolkitError(code, f"{file} is not valid YAML", (_yaml_problem(file, error),)) from None
    except (yaml.YAMLError, RecursionError, OverflowError, ValueError) as error:
        raise ToolkitError(code, f"{file} is not valid YAML ({type(error).__name__})") from None
    if not isinstance(root, yaml.MappingNode):
        raise ToolkitError(
            code, f"{file}: expected `name: value` lines, found {'nothing' if root is None else 'something else'}"
        )
    source = Source(str(file), text, root)
    problems = tuple(_structure_problems(source, root))
    if problems:
        raise ToolkitError(code, f"{file} has {_count(problems)}", problems)
    return source


def validate(source: Source, model: type[Model], code: Code = Code.MANIFEST) -> Model:
    """Check the whole of `source` against `model`; raises `ToolkitError` with every problem, each placed."""
    data = yaml.constructor.SafeConstructor().construct_document(source.root)
    problems = [
        source.problem(f"{value.strip()} is a placeholder: put your own value here", path)
        for path, value in _strings(data)
        if _PLACEHOLDER.match(value)
    ]
    try:
        checked = model.model_validate(data)
    except ValidationError as error:
        problems += [_pydantic_problem(source, model, detail) for detail in error.errors(include_url=False)]
    if problems:
        problems.sort(key=lambda problem: (problem.place.line, problem.place.column) if problem.place else (0, 0))
        raise ToolkitError(code, f"{source.file} has {_count(problems)}", tuple(problems))
    return checked


def _count(problems: Sequence[Problem]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"


def _yaml_problem(file: Path, error: yaml.MarkedYAMLError) -> Problem:
    """Where it is no YAML, its lines are not shown: without its structure, no one knows which of them hold a key."""
    mark = error.problem_mark or error.context_mark
    place = Place(str(file), mark.line + 1, mark.column + 1) if mark else Place(str(file))
    if isinstance(error, yaml.composer.ComposerError):
        several = "single document" in (error.context or "")
        return Problem("a second document (---) is not read here" if several else _ALIASES, place)
    return Problem(error.problem or "not valid", place)


def _secret_nodes(root: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """The scalars whose text no error may show: whatever stands below a name that sounds of keys or connections.

    Each node is looked at once in each role: aliases, which are refused later, can make a file's tree endless.
    """
    waiting, seen = [(root, False)], set()
    while waiting:
        node, inside = waiting.pop()
        if (id(node), inside) in seen:
            continue
        seen.add((id(node), inside))
        if isinstance(node, yaml.ScalarNode):
            if inside:
                yield node
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(item, inside) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                sounds = isinstance(key, yaml.ScalarNode) and _SECRET_NAME.search(key.value)
                waiting.append((value, inside or bool(sounds)))


def _structure_problems(
    source: Source, node: yaml.Node, path: Path_ = (), seen: set[int] | None = None
) -> Iterator[Problem]:
    """Duplicate keys, keys that are no names, and aliases (which can blow up in size and hide what is meant)."""
    seen = set() if seen is None else seen
    if id(node) in seen:
        yield source.problem(_ALIASES, path)
        return
    if node.tag not in _PLAIN_TAGS or not isinstance(node, _NODE_OF_TAG.get(node.tag, yaml.ScalarNode)):
        yield source.at(
            "tags (!name), merges (<<) and a bare `=` are not read here: write the value in quotes", node, path
        )
        return
    if isinstance(node, yaml.ScalarNode):
        yield from _scalar_problems(source, node, path)
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _PLAIN_TAGS:
                yield source.at("a field's name must be plain text", key, path)
                continue
            yield from _scalar_problems(source, key, path)
            if key.value in names:
                yield source.at(f"`{key.value}` is given twice", key, (*path, key.value))
            names.add(key.value)
            yield from _structure_problems(source, value, (*path, key.value), seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _structure_problems(source, item, (*path, index), seen)


def _scalar_problems(source: Source, node: yaml.ScalarNode, path: Path_) -> Iterator[Problem]:
    """A scalar that YAML takes for a number, a date or the like, and that is none; or that no screen can show."""
    try:
        value = yaml.constructor.SafeConstructor().construct_document(node)
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, OverflowError):
        kind = node.tag.rpartition(":")[2]
        yield source.at(f"YAML takes this for a {kind}, and it is none: put it in quotes", node, path)
        return
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        yield source.at("holds half a character (a surrogate)", node, path)


def _strings(data: Any, path: Path_ = ()) -> Iterator[tuple[Path_, str]]:
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _strings(value, (*path, str(key)))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _strings(value, (*path, index))


def _pydantic_problem(source: Source, model: type[BaseModel], detail: Any) -> Problem:
    path: Path_ = tuple(detail["loc"])
    kind, given = detail["type"], detail.get("input")
    if kind == "missing":
        return source.problem("required, but missing", path)
    if kind == "extra_forbidden":
        names = _field_names(model, path[:-1])
        near = get_close_matches(str(path[-1]), names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(names)}"
        return source.problem(f"unknown field; {hint}", path, at_key=True)
    if kind == "string_type" and isinstance(given, bool | int | float):
        shown = source.find(path)
        raw = shown.value if isinstance(shown, yaml.ScalarNode) else given
        return source.problem(f'YAML reads {raw} as {_kind(given)}; put it in quotes: "{raw}"', path)
    if kind in ("int_type", "int_parsing"):
        return source.problem(f"expected a whole number, found {given!r}", path)
    if kind in ("model_type", "dict_type"):
        below = ", ".join(_field_names(model, path))
        return source.problem(f"expected fields below this name ({below}), found {_kind(given)}", path)
    if kind == "string_type":
        return source.problem(f"expected text, found {_kind(given)}", path)
    message = detail["msg"].removeprefix("Value error, ")
    return source.problem(message[0].lower() + message[1:], path)


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", dict: "fields"}
    return "nothing" if value is None else names.get(type(value), f"a {type(value).__name__}")


def _field_names(model: type[BaseModel], path: Path_) -> list[str]:
    """The names of the fields that may stand at `path`."""
    for step in path:
        if isinstance(step, int):
            continue
        annotation = model.model_fields[str(step)].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return [field.alias or name for name, field in model.model_fields.items()]
