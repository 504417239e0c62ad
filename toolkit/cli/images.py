"""`toolkit images ACT`: list the images here, and show what is in them."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict

from toolkit.api.images import Offer, image_details, list_images
from toolkit.cli.output import human_size, print_json, progress_bar
from toolkit.image import labels as label
from toolkit.inventory.images import EngineImage, LayerSize
from toolkit.inventory.lock import downloads_of
from toolkit.inventory.model import DEB, PYTHON, Contents, Package


def run(arguments: argparse.Namespace) -> int:
    """Run one of the subcommands; the modules of the others are loaded on demand."""
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


def facts(image: EngineImage) -> dict[str, object]:
    """An image's facts for `--json`."""
    return {"reference": image.reference, "id": image.image_id, "bytes": image.size}


def _list(arguments: argparse.Namespace) -> int:
    images = list_images()
    here, offered, current = images.here, images.catalogue, images.current
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


def _here_lines(images: Sequence[EngineImage], current: Collection[str]) -> Iterator[str]:
    yield "here:" if images else "here: no images of the tool"
    width = max((len(image.reference) for image in images), default=0)
    for image in images:
        older = "" if image.reference in current else "  not from the current catalogue"
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
    with progress_bar() as report:
        details = image_details(arguments.reference, report=report)
    image, contents, stack = details.image, details.contents, details.layers
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
    """Facts about an image, one per line. Pure."""
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
        yield "requested", f"{', '.join(image.asked.requirements)} (Python)"
    if image.asked.packages:
        yield "" if image.asked.requirements else "requested", f"{', '.join(image.asked.packages)} (deb)"
    yield "packages", _counted(contents)
    lock = downloads_of(contents).lock
    yield "lock", f"{len(lock.debs)} debs, {len(lock.wheels)} wheels, each by hash" if lock else "not readable"
    for number, layer in enumerate(stack):
        yield "" if number else "layers", f"{human_size(layer.size):>8}  {layer.origin}"


def _counted(contents: Contents) -> str:
    def counted(packages: list[Package], what: str) -> str:
        size = sum(package.size for package in packages)
        return f"{len(packages)} {what}" + (f" ({human_size(size)})" if size else "")

    inside = sum(bool(package.carried_by) for package in contents.packages)
    parts = [counted(list(contents.of_kind(DEB)), "deb"), counted(list(contents.of_kind(PYTHON)), "Python")]
    return ", ".join([*parts, *([f"{inside} inside other packages"] if inside else [])])


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
