"""Rebuilds an image from scratch and reports the differences: which file, how, and what created it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from toolkit.image.build import Build
from toolkit.image.stages import Stage
from toolkit.image.store import ImageStore, StoredImage
from toolkit.image.tree_facts import FileFacts, read_files


@dataclass(frozen=True)
class Difference:
    """One file that differs: `kinds` says how, `instruction` what created it."""

    path: str
    kinds: tuple[str, ...]
    instruction: str


def namespace() -> str:
    """A namespace of this process for the second build."""
    return f"toolkit-verify-{os.getpid()}/"


def differences(
    one: Mapping[str, FileFacts], other: Mapping[str, FileFacts], stages: Sequence[Stage]
) -> Iterator[Difference]:
    """The differences of `other` from `one`, by path. Pure."""
    for path in sorted(one.keys() | other.keys()):
        if path not in other:
            kinds: tuple[str, ...] = ("missing in the second build",)
        elif path not in one:
            kinds = ("only in the second build",)
        else:
            kinds = tuple(_kinds(one[path], other[path]))
        if kinds:
            yield Difference(f"/{path}", kinds, instruction_of(f"/{path}", stages))


def config_differences(one: StoredImage, other: StoredImage) -> Iterator[str]:
    """Different settings of the two images."""
    ours, theirs = one.config.settings, other.config.settings
    for name in sorted(ours.keys() | theirs.keys()):
        if (ours.get(name) or None) != (theirs.get(name) or None):
            yield f"configuration {name}: {ours.get(name)!r}, in the second build {theirs.get(name)!r}"


def instruction_of(path: str, stages: Sequence[Stage]) -> str:
    """What created the file at `path`: the last stage that keeps it, and that stage's instruction; else mmdebstrap."""
    for stage in reversed(stages):
        if any(path == root or path.startswith(f"{root}/") for root in stage.roots):
            lines = [line for line in stage.dockerfile.splitlines() if line.startswith(("COPY", "RUN"))]
            copies = [line for line in lines if line.startswith("COPY") and path.startswith(line.split()[-1])]
            return f"{stage.origin}: {(copies or lines)[-1]}"
    return "base: mmdebstrap, from the locked packages"


@contextmanager
def built_again(build: Build, store: ImageStore) -> Iterator[StoredImage]:
    """Run `build`, which has `namespace`; gives the result while the context lasts."""
    try:
        yield store.get(build.run().reference)
    finally:
        for name in store.names_in(namespace()):
            store.remove(name)


def compare(store: ImageStore, one: StoredImage, other: StoredImage, stages: Sequence[Stage]) -> Iterator[Difference]:
    """Every file that differs between the images."""
    with store.exported(one.image_id) as stream:
        ours = read_files(stream)
    with store.exported(other.image_id) as stream:
        theirs = read_files(stream)
    return differences(ours, theirs, stages)


def _kinds(one: FileFacts, other: FileFacts) -> Iterator[str]:
    if one.kind != other.kind:
        yield "another kind of file"
    elif one.content != other.content:
        yield "content"
    if one.mode != other.mode:
        yield f"mode {one.mode:o}, in the second build {other.mode:o}"
    if one.owner != other.owner:
        yield f"owner {one.owner}, in the second build {other.owner}"
    if one.time != other.time:
        yield f"time {one.time}, in the second build {other.time}"
    if one.link != other.link:
        yield f"link to {one.link}, in the second build to {other.link}"
    if one.attributes != other.attributes:
        yield "extended attributes"
