"""`toolkit images ACT`: which images are here, and what is in them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from toolkit.catalogue.model import FrameworkRow
from toolkit.cli.catalogue import catalogue
from toolkit.cli.output import human_size, print_json, progress_bar
from toolkit.errors import ToolkitError
from toolkit.image import labels as label
from toolkit.image.store import ImageStore
from toolkit.image.tool_images import own_recipes
from toolkit.image.version import read_inputs
from toolkit.inventory.cache import look_into
from toolkit.inventory.images import EngineImage, LayerSize, engine_images, layers, pick
from toolkit.inventory.lock import downloads_of
from toolkit.inventory.model import DEB, PYTHON, Contents, Package
from toolkit.paths import cache
from toolkit.progress import Progress

_BYTES_WORTH_TELLING = 1 << 27
"""Bytes read between two lines of progress."""


@dataclass(frozen=True)
class Offer:
    """A row of the catalogue, and the reference that it makes today; `missing` says why there is none."""

    row: FrameworkRow
    reference: str
    missing: str = ""


def run(arguments: argparse.Namespace) -> int:
    """One act; the modules of the others are loaded when they are asked for."""
    if arguments.act == "list":
        return _list(arguments)
    if arguments.act == "show":
        return _show(arguments)
    if arguments.act in ("diff", "why"):
        from toolkit.cli import images_compare

        return images_compare.run(arguments)
    if arguments.act == "verify":
        from toolkit.cli import images_verify

        return images_verify.run(arguments)
    from toolkit.cli import images_sbom

    return images_sbom.run(arguments)


def offers() -> tuple[Offer, ...]:
    """Every row of the catalogue, with what it would be called if it were built now."""
    return tuple(_offer(row) for row in catalogue())


def contents_of(store: ImageStore, image: EngineImage) -> Contents:
    """What is in the image; tells how far it is, as it takes some seconds the first time."""
    with progress_bar() as report:
        last_shown = 0

        def tell(done: int) -> None:
            nonlocal last_shown
            if done - last_shown > _BYTES_WORTH_TELLING:
                last_shown = done
                report(Progress("reading", image.reference, done, image.size, "bytes"))

        return look_into(store, image, cache(), tell)


def facts(image: EngineImage) -> dict[str, object]:
    """As `--json` names an image."""
    return {"reference": image.reference, "id": image.image_id, "bytes": image.size}


def _offer(row: FrameworkRow) -> Offer:
    if row.recipe.bundle and row.recipe.lacks_bundle:
        return Offer(row, "", f"needs the site's bundle {row.recipe.bundle.name}")
    try:
        return Offer(row, read_inputs(row.recipe).reference)
    except ToolkitError as error:
        return Offer(row, "", error.what)


def _list(arguments: argparse.Namespace) -> int:
    here = [image for image in engine_images(ImageStore()) if image.ours]
    offered = offers()
    current = {offer.reference for offer in offered} | {read_inputs(recipe).reference for recipe in own_recipes()}
    names = {name for image in here for name in image.references}
    if arguments.json:
        print_json(
            {
                "here": [
                    {**facts(image), "current": image.reference in current, "labels": dict(image.labels)}
                    for image in here
                ],
                "catalogue": [
                    {
                        "framework": offer.row.framework,
                        "version": offer.row.version,
                        "python": offer.row.python,
                        "flavour": offer.row.flavour,
                        "reference": offer.reference,
                        "missing": offer.missing,
                        "here": offer.reference in names,
                        "facts": offer.row.recipe.facts,
                    }
                    for offer in offered
                ],
            }
        )
        return 0
    print("\n".join([*_here_lines(here, current), *_offer_lines(offered, names)]))
    return 0


def _here_lines(images: list[EngineImage], current: set[str]) -> Iterator[str]:
    yield "here:" if images else "here: no image of the tool's"
    width = max((len(image.reference) for image in images), default=0)
    for image in images:
        older = "" if image.reference in current else "  not of today's catalogue"
        yield f"  {image.reference:<{width}}  {image.short_id}  {human_size(image.size):>8}{older}"
        if said := image.labels.get(label.FACTS):
            yield f"      {said}"


def _offer_lines(offered: tuple[Offer, ...], names: set[str]) -> Iterator[str]:
    rest = [offer for offer in offered if offer.reference not in names or offer.missing]
    if not rest:
        return
    yield "in the catalogue, not built (toolkit build --image IMAGE):"
    width = max(len(offer.reference or offer.row.recipe.name) for offer in rest)
    for offer in rest:
        missing = f"  ({offer.missing})" if offer.missing else ""
        yield f"  {offer.reference or offer.row.recipe.name:<{width}}  {offer.row.spelled}{missing}"


def _show(arguments: argparse.Namespace) -> int:
    store = ImageStore()
    image = pick(arguments.reference, engine_images(store))
    contents, stack = contents_of(store, image), layers(store, image.image_id)
    if arguments.json:
        print_json(
            {
                **facts(image),
                "references": list(image.references),
                "labels": dict(image.labels),
                "asked": asdict(image.asked),
                "distribution": asdict(contents.distribution),
                "layers": [asdict(layer) for layer in stack],
                "packages": [_package_facts(package) for package in contents.packages],
                "locked": downloads_of(contents).lock is not None,
            }
        )
        return 0
    print("\n".join(f"{name:<10} {text}".rstrip() for name, text in show_lines(image, contents, stack)))
    return 0


def show_lines(image: EngineImage, contents: Contents, stack: tuple[LayerSize, ...]) -> Iterator[tuple[str, str]]:
    """What a person wants to know of an image, a line each. Pure."""
    title = image.labels.get(label.TITLE, "")
    yield "image", image.reference
    yield from (("", name) for name in image.references if name != image.reference)
    yield "id", image.image_id
    yield "size", human_size(image.size)
    if title:
        yield "recipe", f"{image.labels.get(label.COMBINATION, '')}: {title}".removeprefix(": ")
    if said := image.labels.get(label.FACTS):
        yield "facts", said
    below = image.labels.get(label.BASE, "")
    yield "base", "  ".join(part for part in (contents.distribution.title or image.asked.base, below) if part)
    if image.asked.python:
        yield "python", image.asked.python
    if image.asked.requirements:
        yield "asked for", f"{', '.join(image.asked.requirements)} (Python)"
    if image.asked.packages:
        yield "" if image.asked.requirements else "asked for", f"{', '.join(image.asked.packages)} (deb)"
    yield "packages", _counted(contents)
    lock = downloads_of(contents).lock
    yield "lock", f"{len(lock.debs)} debs, {len(lock.wheels)} wheels, each by hash" if lock else "none that can be read"
    for number, layer in enumerate(stack):
        yield "" if number else "layers", f"{human_size(layer.size):>8}  {layer.origin}"


def _counted(contents: Contents) -> str:
    def counted(packages: list[Package], what: str) -> str:
        size = sum(package.size for package in packages)
        return f"{len(packages)} {what}" + (f" ({human_size(size)})" if size else "")

    inside = sum(bool(package.carried_by) for package in contents.packages)
    parts = [counted(list(contents.of_kind(DEB)), "deb"), counted(list(contents.of_kind(PYTHON)), "Python")]
    return ", ".join([*parts, *([f"{inside} inside others"] if inside else [])])


def _package_facts(package: Package) -> dict[str, object]:
    return {
        "kind": package.kind,
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "bytes": package.size,
        "files": len(package.files),
        "carried_by": package.carried_by,
    }
