"""What single values of a manifest may be. The same rule serves validation and the JSON Schema."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import Discriminator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Tag
from pydantic_core import CoreSchema, core_schema

from toolkit.compatibility.gpus import gpu_kinds
from toolkit.manifest.commands import check_command, read_commands
from toolkit.manifest.compute import name_pattern, read_configuration
from toolkit.manifest.model import EMBEDDED
from toolkit.manifest.names import MCA, MCA_VALUE, MCA_WRONG, ONE_LINE, VALUE, VARIABLE, VARIABLE_WRONG
from toolkit.manifest.units import (
    DURATION_PATTERN,
    DURATION_WRONG,
    FFDL_SIZE_PATTERN,
    SIZE_PATTERN,
    SIZE_WRONG,
    size_hint,
)
from toolkit.paths import assets
from toolkit.yaml.source import Path_
from toolkit.yaml.validate import TAG

MAX_NODES = 1024
MAX_RETRIES = 10
_NO_PLACEHOLDER = r"(?!\s*<[^<>]+>\s*$)"
# `$` alone also matches before a final line end in Python; this matches only at the end, in Python and JavaScript.
_END = r"$(?![\s\S])"
_SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._=@+,][A-Za-z0-9._=@+,-]*"
_RELATIVE = rf"{_SEGMENT}(?:/{_SEGMENT})*/?"
_PATH_WRONG = "letters, digits and ._=@+,- between slashes, without `..` and spaces"


class _Checked(ABC):
    """What a string may be: the annotation of a field, for pydantic."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    @abstractmethod
    def _check(self, value: str) -> str: ...


@dataclass(frozen=True)
class Text(_Checked):
    """A string that matches `pattern` as a whole; `wrong` is the message if it does not, with `{}` for the value.

    `further` checks what a pattern cannot; it raises `ValueError`. `hint` is appended to the message. With `only_text`,
    the message is also used for what is not a string: a number without its unit. `schema` is the pattern for the JSON
    Schema if `further` decides, or a function that returns it.
    """

    pattern: str
    wrong: str
    further: Callable[[str], object] | None = None
    hint: Callable[[str], str] | None = None
    only_text: bool = False
    schema: str | Callable[[], str] = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = super().__get_pydantic_core_schema__(source, handler)
        return core_schema.no_info_before_validator_function(self._refuse_other, inner) if self.only_text else inner

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        allowed = self.schema() if callable(self.schema) else self.schema or self.pattern
        return {"type": "string", "pattern": f"^{_NO_PLACEHOLDER}(?:{allowed}){_END}"}

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            hint = self.hint(value) if self.hint else ""
            raise ValueError(self.wrong.replace("{}", value.replace("\n", "\\n")) + hint)
        if self.further:
            self.further(value)
        return value

    def _refuse_other(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError(self.wrong.replace("{}", str(value)))
        return value


@dataclass(frozen=True)
class Choice(_Checked):
    """One of `known`, else an error with the nearest; `own` are those accepted here (default: all)."""

    noun: str
    known: Sequence[str]
    own: Sequence[str] = ()

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.own or self.known)}

    def _check(self, value: str) -> str:
        if value not in self.known:
            near = _nearest(value, self.known)
            hint = f"did you mean `{near}`? " if near else ""
            raise ValueError(f"unknown {self.noun} `{value}`; {hint}known: {', '.join(self.known)}")
        return value


def _nearest(value: str, known: Sequence[str]) -> str:
    """The value that was probably meant, or empty: case and signs are ignored, `P100` matches, other numbers do not."""
    plain = {re.sub(r"[\W_]", "", one.lower()): one for one in known}
    asked = re.sub(r"[\W_]", "", value.lower())
    part = re.compile(rf"{asked}.*|.*(?<!\d){asked}")
    whole = [
        one
        for name, one in plain.items()
        if len(asked) > 1 and (part.fullmatch(name) or re.match(rf"{name}(?!\d)", asked))
    ]
    if asked in plain or len(whole) == 1:
        return plain.get(asked) or whole[0]
    alike = [name for name in plain if re.findall(r"\d+", name) == re.findall(r"\d+", asked)]
    return next((plain[name] for name in get_close_matches(asked, alike, n=1)), "")


@dataclass(frozen=True)
class Configured(_Checked):
    """The name of a compute configuration, with a GPU kind of the compatibility table; `p100x1` is `p100`."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{name_pattern(gpu_kinds(assets() / 'images'))}){_END}"}

    def _check(self, value: str) -> str:
        return read_configuration(value, gpu_kinds(assets() / "images")).name


@dataclass(frozen=True)
class Variables:
    """Variables with values: their JSON Schema, which pydantic would make looser than the validation."""

    pattern: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        made = handler(schema)
        values = next(iter(made.pop("patternProperties", {}).values()), None) or made.get("additionalProperties", {})
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.pattern}){_END}"},
            "additionalProperties": values,
        }


Item = TypeVar("Item")


def by_shape(choose: Callable[[Any], str]) -> Discriminator:
    """Which of several shapes a value is meant to have: only the errors of that one are reported."""
    return Discriminator(lambda value: f"{TAG}{choose(value)}")


OneOf = Annotated[
    Annotated[Item, Tag("~one")] | Annotated[Annotated[list[Item], Field(min_length=1, max_length=1)], Tag("~list")],
    by_shape(lambda value: "list" if isinstance(value, list) else "one"),
]
"""A value that people wrote both with and without a leading `-`."""


def only(found: Item | Sequence[Item], path: Path_) -> tuple[Item, Path_]:
    """The only item, and its path."""
    return (found[0], (*path, 0)) if isinstance(found, Sequence) else (found, path)


# It becomes a folder's name, and an argument of commands. Swift, Ceph, Google and Amazon buckets from before 2018 may
# contain capitals and _; `toolkit.manifest.dialects.stores` knows the stores with stricter rules.
_BUCKET_NAME = r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._-]{0,253}[A-Za-z0-9_-]"


def _bucket_hint(text: str) -> str:
    """A hint for a bucket's name with a URL or a path around it, as in other tools."""
    if "://" in text:
        return "; give the name alone: the store is named by the URL of its `connection`"
    return "; give the name alone, without the path in the bucket" if "/" in text else ""


def _image_hint(text: str) -> str:
    """FfDL's own frameworks, `custom` and others, had an image as their version."""
    image = re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+(?::[\w.-]+)?|[\w.-]+:[\w.-]+", text)
    return ", but an image: those come from the catalogue, by name and version (`toolkit frameworks`)" if image else ""


def _url_hint(text: str) -> str:
    """What is wrong with it, without quoting any of it."""
    scheme, found, rest = text.rpartition("://")
    if re.search(r"\s", text):
        return "; it has a blank in it"
    if "@" in rest:
        return "; no user and no password stand in it: they have fields of their own"
    if not found:
        return "; it must begin with https:// or http://"
    if scheme not in ("https", "http"):
        return "; it must begin with https:// or http://, in small letters"
    if re.search(r"[/?#].", rest):
        return "; no path after the host: the bucket has a field of its own"
    return ""


_HOST = r"(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])"

Name = Annotated[str, Text(rf"{ONE_LINE}{{1,200}}", "expected one line of text, 200 characters at most")]
Label = Annotated[str, Text(rf"{ONE_LINE}{{0,200}}", "expected one line of text, 200 characters at most")]
"""An optional text; empty means not given."""
Prose = Annotated[str, Text(r"[\s\S]{0,10000}", "longer than 10000 characters")]
Version = Annotated[str, Text(r"[0-9A-Za-z][0-9A-Za-z.-]{0,60}", "`{}` is no version", hint=_image_hint)]
Package = Annotated[str, Text(r"[a-z0-9][a-z0-9+.-]{1,100}", "`{}` is no Debian package's name, such as graphviz")]
ComputeName = Annotated[str, Configured()]
Nodes = Annotated[int, Field(ge=1, le=MAX_NODES)]
Cpus = Annotated[float, Field(gt=0, le=4096, allow_inf_nan=False)]
Size = Annotated[str, Text(SIZE_PATTERN, SIZE_WRONG, hint=size_hint, only_text=True)]
SizeOfFfdl = Annotated[str, Text(FFDL_SIZE_PATTERN, SIZE_WRONG, hint=size_hint, only_text=True)]
Duration = Annotated[str, Text(DURATION_PATTERN, DURATION_WRONG, only_text=True)]
Retries = Annotated[int, Field(ge=0, le=MAX_RETRIES)]
_ANY_COMMAND = (r"[\s\S]{0,10000}", "longer than 10000 characters")
_SOME_COMMAND = r"(?=[\s\S]*[^\s;])[\s\S]{1,10000}"


def commands_in(read: Callable[[str], str]) -> Text:
    """A command line of a dialect; `read` returns what is meant by it, such as several lines joined; it may refuse."""
    return Text(*_ANY_COMMAND, further=lambda value: read_commands(read(value)), schema=_SOME_COMMAND)


StepCommand = Annotated[str, Text(*_ANY_COMMAND, further=check_command, schema=_SOME_COMMAND)]
Bucket = Annotated[
    str, Text(_BUCKET_NAME, "`{}` is no bucket name: 2-255 letters, digits, dots, dashes and _", hint=_bucket_hint)
]
Relative = Annotated[str, Text(rf"(?=.{{1,500}}$){_RELATIVE}", f"expected a path below it: {_PATH_WRONG}")]
Absolute = Annotated[
    str, Text(rf"(?=.{{2,500}}$)/{_RELATIVE}", f"expected an absolute path of the hosts: {_PATH_WRONG}")
]
Server = Annotated[str, Text(_HOST, "expected a host's name or address")]
# The value is not shown in the message: it may contain a password.
Url = Annotated[
    str,
    Text(
        rf"{EMBEDDED}|https?://{_HOST}(?::\d{{1,5}})?/?",
        f"expected a URL such as https://s3.example.org or http://10.0.0.1:9000, or `{EMBEDDED}`",
        hint=_url_hint,
    ),
]
Region = Annotated[
    str, Text("[a-z0-9][a-z0-9-]{0,62}", "`{}` is no name of a region: small letters, digits and dashes")
]
_VariableName = Annotated[str, Text(VARIABLE, f"`{{}}` cannot be set: {VARIABLE_WRONG}")]
_VariableValue = Annotated[
    str,
    Text(VALUE, "expected one line, and no reference to a secret: `docker inspect` shows every variable of a learner"),
]
_McaName = Annotated[str, Text(MCA, f"`{{}}` cannot be set: {MCA_WRONG}")]
_McaValue = Annotated[str, Text(MCA_VALUE, "expected a value without spaces")]
Environment = Annotated[dict[_VariableName, _VariableValue], Variables(VARIABLE)]
Mca = Annotated[dict[_McaName, _McaValue], Variables(MCA)]
