"""YAML read with positions, so that an error can point at the line that caused it.

Values are validated by pydantic models; their errors have a location in the data, which is looked up here in
the nodes that PyYAML composed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml

from toolkit.errors import Code, Place, Problem, ToolkitError
from toolkit.plural import counted
from toolkit.printable import neutral
from toolkit.yaml.compose import ALIAS_TAG, FAST_PARSER, compose
from toolkit.yaml.syntax import LINE_END, place_of, syntax_problem

Path_ = tuple[str | int, ...]

MAX_BYTES = 1 << 20
"""Real recipe and cluster files are far below 1 MiB."""
MAX_VALUES = 1 << 15
"""Names and values of such a file; the time to process them grows with the square of their number."""
MAX_DEPTH = 50
"""Levels of nesting; a manifest has six."""
MAX_PROBLEMS = 50
"""A screenful; with more, it is probably the wrong file."""
PLACEHOLDER = re.compile(r"^\s*<[^<>]+>\s*$")
_NO_SECRET = re.compile(r"^\s*(?:<[^<>]+>|\$\{\w+(?::[^}]*)?\}|embedded)\s*$")
"""A placeholder, a reference to a secret, the embedded store: what may be shown below such a name."""
_SECRET_NAME = re.compile("connection|credential|key|secret|pass|token", re.IGNORECASE)
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")
}
_TEXT = "tag:yaml.org,2002:str"
_NODE_OF_TAG = {"tag:yaml.org,2002:map": yaml.MappingNode, "tag:yaml.org,2002:seq": yaml.SequenceNode}
_SHORTEST_SECRET = 4
_LETTERS = re.compile(r"[^\W\d_]+")
_LONG_SECRET = 8
_LONGEST = 800
_ALIASES = "aliases (*name) are not read here: write the value out; a text that begins with `*` goes in quotes"
_TAGS = "tags (!name), merges (<<) and a bare `=` are not read here: write the value out, a text in quotes"
_KINDS = {"bool": "a boolean", "int": "a number", "float": "a number", "null": "nothing", "timestamp": "a date"}
_DECIMAL = re.compile(
    r"[-+]?(?:0|[1-9]\d*|\d+\.\d*(?:[eE][-+]\d+)?|\.\d+(?:[eE][-+]\d+)?|\.(?:inf|nan))", re.IGNORECASE
)
"""PyYAML's YAML 1.1 accepts more: `010` is 8, `1:30` is 90."""


@dataclass(frozen=True, eq=False)
class Source:
    """A YAML file: its name, its text and the composed node of its only document."""

    file: str
    text: str
    root: yaml.Node
    _indexes: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = field(default_factory=dict, init=False, repr=False)
    """By a mapping's node: each name with its own node and its value's."""

    @cached_property
    def _lines(self) -> list[str]:
        return LINE_END.split(self.text)

    @cached_property
    def _secret_texts(self) -> re.Pattern[str]:
        """Longest first: one may be part of another."""
        values = {node.value for node in _secret_nodes(self.root)}
        hidden = (value for value in values if len(value) >= _SHORTEST_SECRET and not _NO_SECRET.match(value))
        return re.compile("|".join(map(_hidden, sorted(hidden, key=len, reverse=True))) or r"(?!)")

    @cached_property
    def _secret_lines(self) -> frozenset[int]:
        nodes = _secret_nodes(self.root)
        return frozenset(n for node in nodes for n in range(node.start_mark.line, node.end_mark.line + 1))

    def problem(self, what: str, path: Path_, *, at_key: bool = False) -> Problem:
        """`what`, placed at the node at `path`, or at the nearest one above it."""
        return self.at(what, self.find(path, at_key=at_key), path)

    def at(self, what: str, node: yaml.Node, path: Path_) -> Problem:
        """`what`, placed at `node`. The file may contain a key, as in WML's own form: no error shows it."""
        mark = node.start_mark
        hidden = mark.line in self._secret_lines or mark.line >= len(self._lines)
        what = self._secret_texts.sub("[redacted]", what)
        what = what if len(what) <= _LONGEST else f"{what[:_LONGEST]} …"
        line = "" if hidden else self._lines[mark.line]
        return Problem(printable(what), place_of(self.file, mark), dotted(path), line)

    def _index(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        if id(node) not in self._indexes:
            pairs = reversed(node.value)  # the first of duplicate names is meant
            self._indexes[id(node)] = {str(key.value): (key, value) for key, value in pairs}
        return self._indexes[id(node)]

    def _along(self, path: Path_) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """For each step of `path`, as far as it exists: the node of its name (of an item, its own) and of its value."""
        node = self.root
        for step in path:
            if isinstance(node, yaml.MappingNode):
                pair = self._index(node).get(str(step))
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                pair = node.value[step], node.value[step]
            else:
                pair = None
            if pair is None:
                return
            yield pair
            node = pair[1]

    def has(self, path: Path_) -> bool:
        """Whether there is anything at `path`."""
        return len(list(self._along(path))) == len(path)

    def find(self, path: Path_, *, at_key: bool = False) -> yaml.Node:
        """The node at `path`, or the nearest one above it; with `at_key`, its name's node."""
        found = self.root
        for key, value in self._along(path):
            found = key if at_key or isinstance(value, yaml.MappingNode) else value
        return found


def _hidden(secret: str) -> str:
    """A pattern for `secret` in a text: anywhere if it is unmistakable, else only as a whole word.

    A short one, or one with letters only, may be part of unrelated words: `test` of `latest`.
    """
    if len(secret) >= _LONG_SECRET and not _LETTERS.fullmatch(secret):
        return re.escape(secret)
    return rf"(?<![\w.-]){re.escape(secret)}(?![\w-]|\.\w)"


def dotted(path: Path_) -> str:
    """`("a", 0, "b")` as `a[0].b`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return printable(text.removeprefix("."))[:300]


def printable(text: str) -> str:
    """`text` without what a terminal interprets: control characters, changes of direction become `\\x1b` and so on."""
    return neutral(text).replace("\t", "\\t")


def read_source(
    file: Path, code: Code = Code.MANIFEST, *, limit: int = MAX_BYTES, values: int = MAX_VALUES, ours: bool = False
) -> Source:
    """Read and compose `file`, limited to `limit` bytes and to `values` names and values.

    `ours`: it ships with the tool, so speed counts more than the words of its errors.

    Raises `ToolkitError` with `code` if it is missing, too large, or not plain YAML.
    """
    text = _text_of(file, code, limit)
    _refuse_too_much(file, text, code, values)
    try:
        root = compose(text, fast=ours)
    except yaml.MarkedYAMLError as error:
        raise ToolkitError(code, f"{file} is not valid YAML", (syntax_problem(str(file), text, error),)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        what = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        problem = Problem(what, Place(str(file), before.count("\n") + 1, error.position - before.rfind("\n")))
        raise ToolkitError(code, f"{file} is not valid YAML", (problem,)) from None
    except (yaml.YAMLError, RecursionError, OverflowError, ValueError) as error:
        raise ToolkitError(code, f"{file} is not valid YAML ({type(error).__name__})") from None
    if not isinstance(root, yaml.MappingNode):
        found = "nothing" if root is None else "something else"
        raise ToolkitError(code, f"{file}: expected `name: value` lines, found {found}")
    source = Source(str(file), text, root)
    raise_if_any(source, list(_structure_problems(source, root)), code)
    return source


def _text_of(file: Path, code: Code, limit: int) -> str:
    """The file's content; no more than `limit` is read, whatever kind of file it is."""
    try:
        with file.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise ToolkitError(code, f"{file}: {error.strerror}") from None
    except ValueError as error:  # a name with a NUL
        raise ToolkitError(code, f"{str(file)!r}: {error}") from None
    if len(data) > limit:
        size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit >> 10} KiB"
        raise ToolkitError(code, f"{file}: larger than {size}; is it the right file?")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1
        what = f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8 text: save the file as UTF-8"
        problem = Problem(what, Place(str(file), before.count(b"\n") + 1, column))
        raise ToolkitError(code, f"{file} is not UTF-8 text", (problem,)) from None


def _refuse_too_much(file: Path, text: str, code: Code, values: int) -> None:
    """Raise `ToolkitError` if a limit is exceeded: found from YAML's events, before a tree is built."""
    depth = count = 0
    try:
        for event in yaml.parse(text, Loader=FAST_PARSER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            count += isinstance(event, yaml.NodeEvent)
            deep = depth > MAX_DEPTH
            if deep or count > values:
                what = f"deeper than {MAX_DEPTH} levels" if deep else f"more than {values} names and values"
                problem = Problem(what, place_of(str(file), event.start_mark))
                raise ToolkitError(code, f"{file} has 1 problem", (problem,))
    except (yaml.YAMLError, RecursionError, OverflowError, ValueError):
        return  # composing it reports the error


def raise_if_any(source: Source, problems: list[Problem], code: Code, more: int = 0) -> None:
    """Raise `ToolkitError` with the first problems in the file's order; `more` were found but not formatted."""
    if not problems:
        return
    problems.sort(key=lambda problem: (problem.place.line, problem.place.column) if problem.place else (0, 0))
    shown, total = problems[:MAX_PROBLEMS], len(problems) + more
    if total > len(shown):
        shown.append(Problem(f"and {total - len(shown)} more"))
    raise ToolkitError(code, f"{source.file} has {counted(total, 'problem')}", tuple(shown))


def _secret_nodes(root: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """The scalars whose text no error may show: everything below a name that suggests keys or connections."""
    waiting = [(root, False)]
    while waiting:
        node, inside = waiting.pop()
        if isinstance(node, yaml.ScalarNode):
            if inside:
                yield node
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(item, inside) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                sounds = isinstance(key, yaml.ScalarNode) and _SECRET_NAME.search(key.value)
                waiting.append((value, inside or bool(sounds)))


def _structure_problems(source: Source, node: yaml.Node, path: Path_ = ()) -> Iterator[Problem]:
    """Duplicate keys, keys that are not names, and aliases (which can expand enormously and obscure what is meant)."""
    if node.tag not in _PLAIN_TAGS or not isinstance(node, _NODE_OF_TAG.get(node.tag, yaml.ScalarNode)):
        yield source.at(_ALIASES if node.tag == ALIAS_TAG else _TAGS, node, path)
    elif isinstance(node, yaml.ScalarNode):
        yield from _scalar_problems(source, node, path)
    elif isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _PLAIN_TAGS:
                yield source.at(_no_name(key), key, path)
                continue
            if key.tag != _TEXT:
                what = f"YAML reads this name as {_kind(key)}, not as text: put it in quotes"
                yield source.at(what, key, (*path, key.value))
            yield from _scalar_problems(source, key, path)
            if key.value in names:
                yield source.at(f"`{key.value}` is given twice", key, (*path, key.value))
            names.add(key.value)
            yield from _structure_problems(source, value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _structure_problems(source, item, (*path, index))


def _kind(node: yaml.Node) -> str:
    return _KINDS.get(node.tag.rpartition(":")[2], "something else")


def _no_name(key: yaml.Node) -> str:
    if isinstance(key, yaml.ScalarNode):
        return _ALIASES if key.tag == ALIAS_TAG else _TAGS
    template = isinstance(key, yaml.MappingNode) and key.flow_style  # `name: {{ name }}`
    return "a field's name must be plain text" + ("; a text that begins with `{` goes in quotes" if template else "")


def _scalar_problems(source: Source, node: yaml.ScalarNode, path: Path_) -> Iterator[Problem]:
    """A scalar that YAML reads as a number, a date or the like, but that is invalid, or not what a person reads; or
    that cannot be shown."""
    if node.tag == _TEXT and node.value.isascii():
        return  # nothing of it is left to read, and most are like that
    try:
        value = yaml.constructor.SafeConstructor().construct_document(node)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError):
        yield source.at(f"YAML takes this for {_kind(node)}, and it is none: put it in quotes", node, path)
        return
    if isinstance(value, int | float) and not isinstance(value, bool) and not _DECIMAL.fullmatch(node.value):
        read = "another number" if node.start_mark.line in source._secret_lines else value
        what = f"YAML reads {node.value} as {read}: write a number in plain decimals, a text in quotes"
        yield source.at(what, node, path)
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        yield source.at("holds half a character (a surrogate)", node, path)
