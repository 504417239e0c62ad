"""The checkpoints among a run's files, recognised by their names: TensorFlow's, Keras's and PyTorch's. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from toolkit.errors import Code, ToolkitError
from toolkit.plural import listed

Format = Literal["tensorflow", "keras", "pytorch"]
STATE = "checkpoint"
"""TensorFlow's list of a folder's checkpoints; its name."""
MOST_NAMES = 1000
_PART = re.compile(r"(?P<name>.+)\.(?:index|meta|data-(?P<shard>\d{5})-of-(?P<shards>\d{5}))", re.ASCII)
_WHOLE: Mapping[str, Format] = {
    ".weights.h5": "keras",
    ".keras": "keras",
    ".h5": "keras",
    ".pt": "pytorch",
    ".pth": "pytorch",
}
_NO_CHECKPOINTS = ("model", "_submitted_code", "_run")
"""Folders of a run with files of such names that are something else."""
_STATE_LINE = re.compile(r'(all_)?model_checkpoint_paths?: "((?:[^"\\]|\\.)*)"')
_COUNTED = re.compile(r"(?:global_?step|step|iter(?:ation)?|epoch|checkpoint|ckpt)[-_=.]?(\d{1,18})(?!\d)", re.I | re.A)
_DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+", re.ASCII)
_NUMBER = re.compile(r"(?<![A-Za-z0-9])(\d{1,18})(?![A-Za-z0-9])", re.ASCII)


class Stored(NamedTuple):
    """A file in the bucket: its path there, bytes, and when it was stored (seconds since 1970)."""

    path: str
    size: int
    time: float


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint.

    Attributes:
        number: its step or epoch, as its name has it; None if it has none.
        path: in the bucket; TensorFlow's without the ends of its files' names.
        files: paths in the bucket.
        size, time: bytes of all files, and when the last was stored (seconds since 1970).
        fault: why it is not complete; empty if it is.
        latest: whether TensorFlow's own list names it as the newest.
    """

    number: int | None
    format: Format
    path: str
    files: tuple[str, ...]
    size: int
    time: float
    fault: str = ""
    latest: bool = False


def find_checkpoints(files: Iterable[Stored], states: Mapping[str, bytes] | None = None) -> list[Checkpoint]:
    """The checkpoints among `files`, by number and path.

    Args:
        states: the contents of TensorFlow's lists by path. A checkpoint that one of them names is there, with a fault,
            even if none of its files is.
    """
    parts = defaultdict[str, list[Stored]](list)
    found: list[Checkpoint] = []
    for file in files:
        if match := _PART.fullmatch(file.path):
            parts[match["name"]].append(file)
        elif whole := next((one for end, one in _WHOLE.items() if file.path.endswith(end)), None):
            fault = "" if file.size else "the file is empty"
            found.append(Checkpoint(_number(file.path), whole, *_sums(file.path, [file]), fault))
    latest, named = _named(states or {})
    for name in named - parts.keys():
        found.append(Checkpoint(_number(name), "tensorflow", name, (), 0, 0.0, "its files are not there"))
    for name, its in parts.items():
        if not _is_saved_model(name) and any(not file.path.endswith(".meta") for file in its):
            found.append(Checkpoint(_number(name), "tensorflow", *_sums(name, its), _fault(name, its)))
    marked = [replace(one, latest=one.path in latest) for one in found]
    return sorted(marked, key=lambda one: (one.number is None, one.number or 0, one.path))


def may_be_checkpoint(path: str, run: str) -> bool:
    """Whether a file may belong to one, by its path in the bucket: not if it is the model's, the code's or a log."""
    folder, _, rest = path.removeprefix(f"{run}/").partition("/")
    return not (path.startswith(f"{run}/") and rest and folder in _NO_CHECKPOINTS)


def choose(found: Sequence[Checkpoint], word: str, run: str) -> Checkpoint:
    """The checkpoint that `word` means: a number, with or without `-`, or a path in the bucket or in the run's folder.

    Raises `ToolkitError` (C101) that says which there are, if none, several or an incomplete one is meant.
    """
    number = int(word.lstrip("-")) if re.fullmatch(r"-?\d{1,18}", word, re.ASCII) else None
    meant = [
        one for one in found if one.path in (word, f"{run}/{word}") or (number is not None and one.number == number)
    ]
    hint = f"toolkit checkpoints {run} lists them"
    if not meant:
        there = listed([str(one.number) if one.number is not None else one.path for one in found], 10) or "none"
        raise ToolkitError(Code.MANIFEST, f"{run} has no checkpoint {word!r}; there are: {there}", hint=hint)
    whole = [one for one in meant if not one.fault] or meant
    if len(whole) > 1:
        paths = listed([one.path for one in whole], 10)
        raise ToolkitError(Code.MANIFEST, f"{run} has several checkpoints {word}: {paths}", hint="name one by its path")
    if not whole[0].path.isprintable():  # it becomes a variable's value
        raise ToolkitError(Code.MANIFEST, f"the path of checkpoint {word} of {run} has control characters", hint=hint)
    if whole[0].fault:
        what = f"checkpoint {word} of {run} is not complete: {whole[0].fault}"
        raise ToolkitError(Code.MANIFEST, what, hint=hint)
    return whole[0]


def _sums(path: str, files: Sequence[Stored]) -> tuple[str, tuple[str, ...], int, float]:
    names = tuple(sorted(file.path for file in files))
    return path, names, sum(file.size for file in files), max(file.time for file in files)


def _is_saved_model(name: str) -> bool:
    return name == "variables/variables" or name.endswith("/variables/variables")


def _fault(name: str, files: Sequence[Stored]) -> str:
    """What a TensorFlow checkpoint lacks."""
    sizes = {file.path: file.size for file in files}
    if f"{name}.index" not in sizes:
        return "it has no .index"
    if not sizes[f"{name}.index"]:
        return "its .index is empty"
    shards = [match for path in sizes if (match := _PART.fullmatch(path)) and match["shard"]]
    counts = {int(match["shards"]) for match in shards}
    if not shards:
        return "it has no .data"
    if len(counts) > 1 or len(shards) != max(counts):
        return f"it has {len(shards)} of {max(counts)} .data files"
    return ""


def _named(states: Mapping[str, bytes]) -> tuple[set[str], set[str]]:
    """The latest, and all checkpoints that TensorFlow's lists name, by their paths in the bucket: beside their list."""
    latest, named = set[str](), set[str]()
    for path, content in states.items():
        lines = _STATE_LINE.findall(content.decode("utf-8", "replace"))
        for is_all, name in lines[:MOST_NAMES]:
            where = str(PurePosixPath(path).with_name(PurePosixPath(name).name)) if PurePosixPath(name).name else ""
            if where and where != path:
                named.add(where)
                latest |= set() if is_all else {where}
    return latest, named


def _number(path: str) -> int | None:
    """The step or epoch in a file's name, else in its folder's."""
    file = PurePosixPath(path)
    stem = next((file.name.removesuffix(end) for end in _WHOLE if file.name.endswith(end)), file.name)
    for text in (stem, file.parent.name):
        if counted := _COUNTED.findall(text):
            return int(counted[-1])
        if numbers := _NUMBER.findall(_DECIMAL.sub("", text)):
            return int(numbers[-1])
    return None
