"""`toolkit build MANIFEST`, `toolkit build --image IMAGE`, `toolkit build --all`."""

from __future__ import annotations

import argparse

from toolkit.api.builds import Built, build, build_image, render_build
from toolkit.cli.output import human_size, print_json, progress_bar, say
from toolkit.errors import Code, ToolkitError
from toolkit.image.build import BuiltImage


def run(arguments: argparse.Namespace) -> int:
    """Build the buckets image, then the manifest's own; or those that are named."""
    if bool(arguments.manifest) + bool(arguments.image) + arguments.all != 1:
        raise ToolkitError(Code.MANIFEST, "name what to build: MANIFEST, --image IMAGE or --all")
    if arguments.all or len(arguments.image) > 1:
        from toolkit.cli import build_matrix

        return build_matrix.run(arguments)
    if arguments.dry_run:
        return _dry_run(arguments)
    with progress_bar() as report:
        if arguments.image:
            built = build_image(arguments.image[0], builder=arguments.builder, report=report)
        else:
            built = build(arguments.manifest, flavour=arguments.flavour, builder=arguments.builder, report=report)
    _show(built, as_json=arguments.json)
    return 0


def _show(built: Built, *, as_json: bool) -> None:
    if as_json:
        facts = {"image": _facts(built.image), "buckets_image": _facts(built.buckets_image)}
        print_json({**facts, "framework": built.framework.spelled})
    for one in (built.buckets_image, built.image):
        verb = "built" if one.fresh else "already here"
        say(f"{one.reference}  {human_size(one.size)}  {verb}\n  {one.image_id}")
    if built.cpu_only:
        say(f"CPU only: {built.cpu_only}", "yellow")


def _facts(image: BuiltImage) -> dict[str, object]:
    return {"reference": image.reference, "id": image.image_id, "bytes": image.size, "built_now": image.fresh}


def _dry_run(arguments: argparse.Namespace) -> int:
    with progress_bar() as report:
        rendered = render_build(
            arguments.dry_run,
            manifest=arguments.manifest,
            image=arguments.image[0] if arguments.image else "",
            flavour=arguments.flavour,
            builder=arguments.builder,
            report=report,
        )
    if arguments.json:
        print_json({"stages": [{"folder": str(one.folder), "missing": one.missing} for one in rendered]})
    for one in rendered:
        wanted = f"  ({len(one.missing)} files would be downloaded first)" if one.missing else ""
        say(f"{one.folder}{wanted}")
    return 0
