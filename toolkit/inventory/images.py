"""The images of the engine by name, and the contents of their labels; nothing is read out of the images here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches

from toolkit.errors import Code, Problem, ToolkitError
from toolkit.image.labels import INPUTS_SHA256, RECIPE, VERSION
from toolkit.image.store import ImageStore

_NO_NAME = "<none>:<none>"
_SHORT = 12


@dataclass(frozen=True)
class Asked:
    """The recipe's requests in the image's label `toolkit.recipe`; empty if there is no label."""

    base: str = ""
    packages: tuple[str, ...] = ()
    python: str = ""
    requirements: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineImage:
    """An image of the engine: its id, its names, its size in bytes, its own time of creation (UTC), its labels."""

    image_id: str
    references: tuple[str, ...]
    size: int
    created: str
    labels: Mapping[str, str]

    @property
    def reference(self) -> str:
        """The name that it was built under, if it still has that one; else its first; else its ID."""
        return self.own_name if self.own_name in self.references else next(iter(self.references), self.image_id)

    @property
    def own_name(self) -> str:
        """The name that it was built under, whatever its name in this engine; its ID if its label does not say."""
        return self.labels.get(VERSION, "") or self.image_id

    @property
    def short_id(self) -> str:
        """The ID's first 12 digits, as `docker images` shows it."""
        return self.image_id.removeprefix("sha256:")[:_SHORT]

    @property
    def ours(self) -> bool:
        """Whether the tool built it."""
        return INPUTS_SHA256 in self.labels

    @property
    def asked(self) -> Asked:
        """What its recipe requested."""
        return asked_of(self.labels.get(RECIPE, ""))


@dataclass(frozen=True)
class LayerSize:
    """A layer: what created it, and its size in bytes."""

    origin: str
    size: int


def engine_images(store: ImageStore) -> tuple[EngineImage, ...]:
    """Every image of the engine that has a name, and every one of the tool's; queries the engine once."""
    found = [
        EngineImage(
            image_id=str(entry["Id"]),
            references=tuple(sorted(name for name in entry.get("RepoTags") or () if name != _NO_NAME)),
            size=int(entry["Size"]),
            created=datetime.fromtimestamp(int(entry["Created"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            labels=entry.get("Labels") or {},
        )
        for entry in store.engine.each()
    ]
    return tuple(sorted((image for image in found if image.references or image.ours), key=lambda one: one.reference))


def layers(store: ImageStore, image_id: str) -> tuple[LayerSize, ...]:
    """The image's layers from the lowest up; those that hold no files are left out."""
    history = reversed(store.engine.history(image_id))
    sizes = (LayerSize(str(entry.get("CreatedBy", "")), int(entry["Size"])) for entry in history)
    return tuple(layer for layer in sizes if layer.size)


def pick(word: str, images: Sequence[EngineImage]) -> EngineImage:
    """The image for `word`: a reference, or a unique prefix of one image's reference or ID.

    The tool's own images take precedence; if none matches, every image of the engine is considered. Raises
    `ToolkitError` (S103) with the nearest name if there is none, and with the candidates if there are several.
    """
    for candidates in ([image for image in images if image.ours], list(images)):
        exact = [image for image in candidates if word in (*image.references, image.image_id)]
        found = exact or [image for image in candidates if _begins(image, word)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ToolkitError(
                Code.IMAGE,
                f"{word} matches {len(found)} images",
                tuple(Problem(f"{image.reference}  {image.short_id}") for image in found),
                hint="use a longer prefix",
            )
    names = [name for image in images for name in image.references]
    bare = {name.partition(":")[0]: name for name in names}
    near = get_close_matches(word, names, n=1) or [bare[name] for name in get_close_matches(word, bare, n=1)]
    hint = f"did you mean {near[0]}?" if near else "toolkit images list"
    raise ToolkitError(Code.IMAGE, f"no such image: {word}", hint=hint)


def asked_of(label: str) -> Asked:
    """The parsed label `toolkit.recipe`; empty if it cannot be parsed."""
    try:
        said = json.loads(label or "{}")
        return Asked(
            base=str(said.get("base", "")),
            packages=tuple(map(str, said.get("packages", ()))),
            python=str(said.get("python", "")),
            requirements=tuple(map(str, said.get("requirements", ()))),
            trees=tuple(map(str, said.get("trees", ()))),
        )
    except (ValueError, AttributeError, TypeError):
        return Asked()


def _begins(image: EngineImage, word: str) -> bool:
    names = (*image.references, image.image_id, image.image_id.removeprefix("sha256:"))
    return bool(word) and any(name.startswith(word) for name in names)
