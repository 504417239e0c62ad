"""Images on this machine and their contents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.api.catalogue import catalogue
from toolkit.catalogue.model import FrameworkRow
from toolkit.errors import Code, Problem, ToolkitError
from toolkit.image.config import settled_settings
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import own_recipes
from toolkit.image.version import read_inputs
from toolkit.inventory.cache import look_into
from toolkit.inventory.difference import Difference, differences
from toolkit.inventory.graph import graph_of
from toolkit.inventory.images import EngineImage, LayerSize, engine_images, layers, pick
from toolkit.inventory.model import Contents, Package
from toolkit.inventory.why import Chain, chains_to, packages_named
from toolkit.paths import cache
from toolkit.progress import Progress, Report, silent

_BYTES_BETWEEN_REPORTS = 1 << 27


@dataclass(frozen=True)
class Offer:
    """An entry of the catalogue and its current reference; `missing` says why there is none."""

    row: FrameworkRow
    reference: str
    missing: str = ""


@dataclass(frozen=True)
class ImageList:
    """The tool's images in this machine's engine, the catalogue's images, and their current references."""

    here: tuple[EngineImage, ...]
    catalogue: tuple[Offer, ...]
    current: frozenset[str]


@dataclass(frozen=True)
class ImageDetails:
    """One image: its packages and files, and its layers from the lowest up."""

    image: EngineImage
    contents: Contents
    layers: tuple[LayerSize, ...]


@dataclass(frozen=True)
class Comparison:
    """Two images and their differences."""

    old: EngineImage
    new: EngineImage
    difference: Difference

    @property
    def same(self) -> bool:
        """Whether they are the same image."""
        return self.old.image_id == self.new.image_id


@dataclass(frozen=True)
class Reasons:
    """Why packages are installed: each with the requirement chains that lead to it."""

    image: EngineImage
    packages: tuple[tuple[Package, tuple[Chain, ...]], ...]


def list_images() -> ImageList:
    """List the tool's images on this machine, and those of the catalogue.

    Raises:
        ToolkitError: S103 if no engine answers.

    Example:
        >>> [image.reference for image in api.list_images().here]
    """
    here = tuple(image for image in engine_images(ImageStore()) if image.ours)
    offered = offers()
    current = {offer.reference for offer in offered} | {read_inputs(recipe).reference for recipe in own_recipes()}
    return ImageList(here, offered, frozenset(current))


def image_details(reference: str, *, report: Report = silent) -> ImageDetails:
    """The contents of an image, given by a name, an ID, or a unique prefix.

    Raises:
        ToolkitError: S103 if no image, or more than one, matches.

    Example:
        >>> len(api.image_details("tensorflow-ddl-2.19-py3.11-cpu").contents.packages)
    """
    store = ImageStore()
    image = pick(reference, engine_images(store))
    return ImageDetails(image, contents_of(store, image, report), layers(store, image.image_id))


def compare_images(old: str, new: str, *, report: Report = silent) -> Comparison:
    """Compare packages, files and settings of two images.

    Raises:
        ToolkitError: S103 if no image, or more than one, matches.

    Example:
        >>> api.compare_images("3f2a", "9c41").difference.packages
    """
    store = ImageStore()
    images = engine_images(store)
    first, second = pick(old, images), pick(new, images)
    if first.image_id == second.image_id:
        return Comparison(first, second, Difference((), (), (), 0))
    settings = [settled_settings(store.get(one.image_id).config.settings) for one in (first, second)]
    contents = [contents_of(store, one, report) for one in (first, second)]
    found = differences(contents[0], contents[1], settings[0], settings[1], second.size - first.size)
    return Comparison(first, second, found)


def why_installed(package: str, reference: str | None = None, *, report: Report = silent) -> Reasons:
    """Why `package` is in an image, given by name or by the path of a file that it installed.

    `reference` defaults to the only image of the catalogue that is here.

    Raises:
        ToolkitError: S103 if no image, or more than one, matches, or the image has no such package.

    Example:
        >>> api.why_installed("protobuf").packages
    """
    store = ImageStore()
    images = engine_images(store)
    image = pick(reference, images) if reference else only_image(images, {offer.reference for offer in offers()})
    contents = contents_of(store, image, report)
    packages = packages_named(package, contents)
    graph = graph_of(contents, image.asked)
    return Reasons(image, tuple((one, tuple(chains_to(one, contents, graph))) for one in packages))


def only_image(images: Sequence[EngineImage], current: set[str]) -> EngineImage:
    """The default image: the only one of the current catalogue, else the only one. Pure.

    Raises `ToolkitError` (S103) that lists the candidates.
    """
    trained = [image for image in images if image.ours and image.asked.python]
    candidates = [image for image in trained if image.reference in current] or trained
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise ToolkitError(Code.IMAGE, "no framework image is built here", hint="toolkit build MANIFEST")
    problems = tuple(Problem(image.reference) for image in candidates)
    raise ToolkitError(
        Code.IMAGE, f"{len(candidates)} images are here", problems, hint="name one: toolkit images why PACKAGE REF"
    )


def offers() -> tuple[Offer, ...]:
    """Every entry of the catalogue, with its current reference."""
    return tuple(_offer(row) for row in catalogue())


def contents_of(store: ImageStore, image: EngineImage, report: Report) -> Contents:
    """The image's contents; reports progress, as the first reading takes some seconds."""
    last_shown = 0

    def on_bytes(done: int) -> None:
        nonlocal last_shown
        if done - last_shown > _BYTES_BETWEEN_REPORTS:
            last_shown = done
            report(Progress("reading", image.reference, done, image.size, "bytes"))

    return look_into(store, image, cache(), on_bytes)


def _offer(row: FrameworkRow) -> Offer:
    if row.recipe.bundle and row.recipe.lacks_bundle:
        return Offer(row, "", f"needs the site's bundle {row.recipe.bundle.name}")
    try:
        return Offer(row, read_inputs(row.recipe).reference)
    except ToolkitError as error:
        return Offer(row, "", error.what)
