"""Which of a run's objects are collected, and under which names. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from pathspec import GitIgnoreSpec

from toolkit.errors import Code, ToolkitError
from toolkit.plural import counted, human_size

MODEL, ALL = "model", "all"
CODE, BESIDES = "code", "files"
"""The local folders for the submitted code, and for what is neither that nor the model."""
_FOLDERS = {"model": MODEL, "_submitted_code": CODE}
"""Folders of a run, and their local names."""
_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
_INDEX = "variables/variables.index"
_SHARD = re.compile(r"variables/variables\.data-(\d{5})-of-(\d{5})", re.ASCII)
_MOST_LINES = 20


@dataclass(frozen=True)
class Selection:
    """What to collect of a run.

    Attributes:
        words: `model`, `all`, or patterns in gitignore's syntax over the paths below the run's folder in the bucket;
            `!` takes out what earlier words selected, but nothing of the model.
        collect: files and folders that belong to `model`: the manifest's.
        earlier: local names of what an earlier collection has; they stay, if the run still has them.
    """

    words: tuple[str, ...] = (MODEL,)
    collect: tuple[str, ...] = ()
    earlier: Collection[str] = frozenset()

    @property
    def with_model(self) -> bool:
        """Whether the model is collected, and so checked, with the code that has its check."""
        return MODEL in self.words or ALL in self.words or any(name.startswith("model/") for name in self.earlier)

    @property
    def places(self) -> tuple[str, ...]:
        """Folders and files that hold all that can be selected; one that is empty is the run's whole folder."""
        narrow = (*_FOLDERS, *self.collect)
        inside = all(_below(self._path_of(name), narrow) for name in self.earlier)
        return narrow if set(self.words) == {MODEL} and inside else ("",)

    def names(self, path: str) -> list[str]:
        """The local names of the object `path`, which is relative to the run's folder; none if it is not selected."""
        folder, _, rest = path.partition("/")
        own = f"{_FOLDERS[folder]}/{rest}" if folder in _FOLDERS and rest else ""
        beside = f"{BESIDES}/{path}"
        names = [own] if own and self.with_model else []
        asked = self._patterns.check_file(path).include  # None: no pattern matches
        if (
            (MODEL in self.words and _below(path, self.collect))
            or asked
            or (ALL in self.words and not own and asked is None)
            or beside in self.earlier
        ):
            names.append(beside)
        return names

    def names_of(self, key: str, run: str) -> list[str]:
        """The same for an object's key."""
        return self.names(key.removeprefix(f"{run}/")) if key.startswith(f"{run}/") else []

    def unmatched(self, paths: Iterable[str]) -> list[str]:
        """The patterns that none of `paths` matches; all, if they only take out and nothing is selected."""
        left = {word: GitIgnoreSpec.from_lines([word]) for word in self._pattern_words if not word.startswith("!")}
        if not left and not {MODEL, ALL} & set(self.words):
            return self._pattern_words
        for path in paths:
            for word in [word for word, spec in left.items() if spec.match_file(path)]:
                del left[word]
            if not left:
                break
        return list(left)

    @property
    def _pattern_words(self) -> list[str]:
        return [word for word in self.words if word not in (MODEL, ALL)]

    @cached_property
    def _patterns(self) -> GitIgnoreSpec:
        return GitIgnoreSpec.from_lines(self._pattern_words)

    def _path_of(self, name: str) -> str:
        folder, _, rest = name.partition("/")
        remote = {local: remote for remote, local in _FOLDERS.items()}
        return rest if folder == BESIDES else f"{remote.get(folder, folder)}/{rest}"


def model_fault(sizes: Mapping[str, int]) -> str:
    """What the folder of a SavedModel lacks, empty if nothing; `sizes` are its files' in bytes, by path below it."""
    if not sizes:
        return "has no folder model/"
    graph = next((name for name in _GRAPHS if name in sizes), None)
    if graph is None:
        return "has a folder model/ without saved_model.pb"
    if not sizes[graph]:
        return f"has an empty model/{graph}"
    shards = [match for name in sizes if (match := _SHARD.fullmatch(name))]
    if shards and _INDEX not in sizes:
        return f"has weights without model/{_INDEX}"
    if _INDEX in sizes and not shards:
        return f"has model/{_INDEX} without the weights (variables.data-…)"
    counts = {int(match[2]) for match in shards}
    if shards and (len(counts) > 1 or len(shards) != max(counts)):
        return f"has {len(shards)} of {max(counts)} parts of the model's weights"
    return ""


class _Entry(NamedTuple):
    files: int
    size: int


def what_is_there(sizes: Iterable[tuple[str, int]]) -> list[str]:
    """Lines such as `logs/  3 files, 1.2 MB` for the files and folders that hold `sizes`, in bytes by path."""
    found: dict[str, _Entry] = {}
    for path, size in sizes:
        first, slash, _ = path.partition("/")
        files, total = found.get(first + slash, _Entry(0, 0))
        found[first + slash] = _Entry(files + 1, total + size)
    lines = [f"{name}  {_amount(name, entry)}" for name, entry in sorted(found.items())[:_MOST_LINES]]
    return lines + ([f"and {len(found) - _MOST_LINES} more"] if len(found) > _MOST_LINES else [])


def no_model(place: str, run: str, state: str, fault: str, sizes: Iterable[tuple[str, int]]) -> ToolkitError:
    """The error (C202) for a run without a complete model; `sizes` are those of all that it has, by path."""
    lines = what_is_there(sizes)
    hint = f"the run ended as {state}; its program must write RESULT_DIR/model"
    if lines:
        hint += f". For what is there: toolkit collect {run} --what PATTERN, toolkit checkpoints {run}"
    return ToolkitError(Code.MODEL_CHECK, f"{place} {fault}", evidence=_there(lines), hint=hint)


def no_match(place: str, patterns: Sequence[str], sizes: Iterable[tuple[str, int]]) -> ToolkitError:
    """The error (C101) for patterns that match nothing of a run."""
    return ToolkitError(
        Code.MANIFEST,
        f"nothing in {place} matches {', '.join(map(repr, patterns))}",
        evidence=_there(what_is_there(sizes)),
        hint="patterns are in gitignore's syntax, below that folder: '*.h5', 'logs/', '/metrics.json'",
    )


def _there(lines: Iterable[str]) -> str:
    return "\n".join(["there is:", *(list(lines) or ["nothing"])])


def _below(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _amount(name: str, entry: _Entry) -> str:
    size = human_size(entry.size)
    return f"{counted(entry.files, 'file')}, {size}" if name.endswith("/") else size
