"""Validate a YAML file by a pydantic model: its errors, which have a location in the data, are placed in the file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Tag, ValidationError

from toolkit.errors import Code, Problem
from toolkit.yaml.source import MAX_PROBLEMS, PLACEHOLDER, Path_, Source, raise_if_any

Model = TypeVar("Model", bound=BaseModel)

TAG = "~"
"""The prefix of the tag of a model's alternative: such a tag is not a name in the file."""


class Section(BaseModel):
    """A mapping of fields: strict types, no unknown names. A validator's `ValueError` is shown as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, defer_build=True)


def validate(source: Source, model: type[Model], code: Code = Code.MANIFEST) -> Model:
    """Validate all of `source` by `model`; raises `ToolkitError` with every problem and its position."""
    data = yaml.constructor.SafeConstructor().construct_document(source.root)
    problems = [
        source.problem(f"{value.strip()} is a placeholder: put your own value here", path)
        for path, value in _strings(data)
        if PLACEHOLDER.match(value)
    ]
    placeholders, more = {problem.path for problem in problems}, 0
    try:
        checked = model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        details.sort(key=lambda detail: source.find(_without_tags(detail["loc"]), at_key=True).start_mark.index)
        more = max(0, len(details) - MAX_PROBLEMS)  # each message takes time
        found = (_pydantic_problem(source, model, detail) for detail in details[:MAX_PROBLEMS])
        problems += [problem for problem in found if problem.path not in placeholders]
    raise_if_any(source, problems, code, more)
    return checked


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
    location = tuple(detail["loc"])
    path = _without_tags(location)
    kind, given = detail["type"], detail.get("input")
    if kind == "value_error":
        return source.problem(detail["msg"].removeprefix("Value error, "), path, at_key=location[-1:] == ("[key]",))
    if location[-1:] == ("[key]",):
        return source.problem(detail["msg"], path, at_key=True)
    if kind == "missing":
        return source.problem("required, but missing", path)
    if kind == "extra_forbidden":
        path = (*_without_tags(location[:-1]), location[-1])  # any name may be there, even one like a tag
        names = _field_names(model, location[:-1])
        near = get_close_matches(str(path[-1]), names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(names)}"
        return source.problem(f"unknown field; {hint}", path, at_key=True)
    if kind == "string_type" and isinstance(given, bool | int | float | date):
        shown = source.find(path)
        raw = shown.value if isinstance(shown, yaml.ScalarNode) else given
        return source.problem(f'YAML reads {raw} as {_kind(given)}; put it in quotes: "{raw}"', path)
    if kind in ("int_type", "int_parsing", "int_from_float", "float_type", "float_parsing"):
        what = "a whole number" if kind.startswith("int") else "a number"
        quotes = ", without quotes" if isinstance(given, str) and given.strip("-.").isdigit() else ""
        found = repr(given) if isinstance(given, str | float) else _kind(given)
        return source.problem(f"expected {what}{quotes}, found {found}", path)
    if kind in ("model_type", "dict_type"):
        below = ", ".join(_field_names(model, location))
        what = f"fields below this name ({below})" if below else "names with values below this name"
        return source.problem(f"expected {what}, found {_kind(given)}", path)
    if kind in ("string_type", "list_type"):
        what = "text" if kind == "string_type" else "a list (`- …` lines)"
        return source.problem(f"expected {what}, found {_kind(given)}", path)
    if kind == "too_long" and detail["ctx"].get("max_length") == 1:
        return source.problem(f"expected one, found {detail['ctx']['actual_length']}: more are not read here", path)
    message = detail["msg"]
    return source.problem(message[0].lower() + message[1:], path)


def _without_tags(location: Path_) -> Path_:
    """The path in the file: without the tags of alternatives and pydantic's marker for a dictionary's key."""
    return tuple(step for step in location if not (isinstance(step, str) and (step[:1] == TAG or step == "[key]")))


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", dict: "fields"}
    names |= {date: "a date", datetime: "a date and time"}
    return "nothing" if value is None else names.get(type(value), f"a {type(value).__name__}")


def _field_names(model: type[BaseModel], location: Path_) -> list[str]:
    """The names of the fields that are allowed at `location`."""
    models = [model]
    for index, step in enumerate(location):
        if isinstance(step, int) or step.startswith(TAG):
            continue
        tags = _tags_behind(location[index + 1 :])
        annotations = [
            field.annotation
            for one in models
            for name, field in one.model_fields.items()
            if step in (name, field.alias)
        ]
        models = [found for annotation in annotations for found in _models_in(annotation, tags)]
    return list(dict.fromkeys(field.alias or name for one in models for name, field in one.model_fields.items()))


def _tags_behind(location: Path_) -> frozenset[str]:
    """The tags up to the next name: alternatives may be nested."""
    names = (step for step in location if isinstance(step, str))
    return frozenset(itertools.takewhile(lambda name: name.startswith(TAG), names))


def _models_in(annotation: Any, tags: frozenset[str]) -> Iterator[type[BaseModel]]:
    """The models in `annotation`; of alternatives, those with one of `tags`, if there are any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    own = {one.tag for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Tag)}
    if own and tags and not own & tags:
        return
    for part in get_args(annotation):
        yield from _models_in(part, tags)
