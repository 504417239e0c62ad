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
_SECRET_LINE = re.compile(r"^(\s*[\w-]*(?:key|secret|password|token)[\w-]*\s*:\s*)\S.*$", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A YAML file: its name, its text and the composed node of its one document."""

    file: str
    text: str
    root: yaml.Node

    def problem(self, what: str, path: Path_, *, at_key: bool = False) -> Problem:
        """`what`, placed at the node that `path` leads to, or at the nearest one above it."""
        mark = self._find(path, at_key).start_mark
        return _placed(what, self.file, self.text, mark, dotted(path))

    def _find(self, path: Path_, at_key: bool) -> yaml.Node:
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
        raise ToolkitError(code, f"{file} is not valid YAML", (_yaml_problem(file, text, error),)) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ToolkitError(code, f"{file} is not valid YAML: {error}") from None
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


def _placed(what: str, file: str, text: str, mark: yaml.Mark, path: str = "") -> Problem:
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    # A key may stand in the manifest, as in WML's own; the line is shown, the key is not.
    line = _SECRET_LINE.sub(r"\1[redacted]", line)
    return Problem(what, Place(file, mark.line + 1, mark.column + 1), path, line)


def _count(problems: Sequence[Problem]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"


def _yaml_problem(file: Path, text: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(str(error), Place(str(file)))
    return _placed(error.problem or str(error), str(file), text, mark)


def _structure_problems(
    source: Source, node: yaml.Node, path: Path_ = (), seen: set[int] | None = None
) -> Iterator[Problem]:
    """Duplicate keys, keys that are no names, and aliases (which can blow up in size and hide what is meant)."""
    seen = set() if seen is None else seen
    if id(node) in seen:
        yield source.problem("aliases (*name) are not read here: write the value out", path)
        return
    if not isinstance(node, yaml.ScalarNode):
        seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                yield source.problem("a field's name must be plain text", path)
                continue
            if key.value in names:
                what = f"`{key.value}` is given twice"
                yield _placed(what, source.file, source.text, key.start_mark, dotted((*path, key.value)))
            names.add(key.value)
            yield from _structure_problems(source, value, (*path, key.value), seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _structure_problems(source, item, (*path, index), seen)


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
        shown = source._find(path, False)
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
